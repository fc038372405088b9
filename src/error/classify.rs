use http::{Method, StatusCode, header};

use super::{Error, ErrorKind};
use crate::capability::Sign;
use crate::request::Response;

/// What a request carried to say who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Nothing: nobody has logged in.
    Nothing,
    /// Nothing: the login has ended.
    NothingAnyMore,
    /// A session or a token obtained by logging in.
    Login,
    /// A static API token.
    ApiToken,
}

impl Error {
    /// The error that a response stands for whose status is not a success.
    pub(crate) fn from_response(response: &Response) -> Self {
        let explanation = response.explanation();
        let kind = kind_of(response, explanation.detail());
        let mut error = response.error(kind);
        error.0.retry_after = response.origin.retry_after;
        error.0.explanation = explanation;
        if kind == ErrorKind::UnknownEndpoint {
            // A job needs what its steps need as well, which may be older than the job's own path.
            let needs = response.origin.needs.iter();
            let needs = needs.filter(|needed| needed.sign() == Sign::UnknownPath);
            if let Some(needed) = needs.max_by_key(|needed| needed.since()) {
                error = error.with_note(needed.bounds());
            }
        }
        if kind == ErrorKind::InvalidCredentials {
            error = error.with_note(
                "the API token is unknown or its user inactive; the server refuses it on public \
                 endpoints too",
            );
        }
        if kind == ErrorKind::Server && response.origin.method == Method::DELETE {
            error = error.with_note("perhaps other records still refer to this one");
        }
        if kind == ErrorKind::Redirected {
            let location = response.headers().get(header::LOCATION);
            if let Some(location) = location.and_then(|value| value.to_str().ok()) {
                // The query of a redirect can carry what ours carried.
                let place = location.split(['?', '#']).next().unwrap_or_default().to_owned();
                error = error.with_note(format!("it points to {place}"));
            }
        }
        error
    }
}

fn kind_of(response: &Response, detail: Option<&str>) -> ErrorKind {
    let status = response.status();
    match status {
        StatusCode::UNAUTHORIZED => unauthenticated(response.origin.carried),
        StatusCode::FORBIDDEN => forbidden(response.origin.carried, detail),
        StatusCode::NOT_FOUND if response.is_missing_record() => ErrorKind::NotFound,
        StatusCode::NOT_FOUND => ErrorKind::UnknownEndpoint,
        StatusCode::METHOD_NOT_ALLOWED => ErrorKind::MethodNotAllowed,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::Throttled,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Validation,
        _ if status.is_redirection() => ErrorKind::Redirected,
        _ if status.is_server_error() => ErrorKind::Server,
        _ => ErrorKind::Status,
    }
}

fn unauthenticated(carried: Carried) -> ErrorKind {
    match carried {
        Carried::Nothing => ErrorKind::NotLoggedIn,
        Carried::NothingAnyMore | Carried::Login => ErrorKind::SessionExpired,
        Carried::ApiToken => ErrorKind::InvalidCredentials,
    }
}

fn forbidden(carried: Carried, detail: Option<&str>) -> ErrorKind {
    match detail {
        Some(detail) if detail.starts_with("CSRF Failed") => ErrorKind::CsrfRejected,
        // Servers 0.4 to 0.6.3 say so with 403.
        Some("Authentication credentials were not provided.") => unauthenticated(carried),
        _ => ErrorKind::Denied,
    }
}
