//! Which path leads where.

use crate::sandbox::Dialect;
use crate::sandbox::schema::{Choices, Methods, Schema, Statistic, Table};

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint {
    Root,
    Version,
    Config,
    Health(HealthForm),
    Login,
    Logout,
    Whoami,
    TokenNew,
    TokenRefresh,
    TokenBlacklist,
    Choices(Choices),
    Statistics(&'static Statistic),
    Group(&'static str, &'static [&'static str]),
    List(&'static Table),
    Detail(&'static Table),
}

/// The forms of the health report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealthForm {
    Status,
    Json,
    Prometheus,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Route {
    /// To an endpoint, with the id if the path has one.
    To(Endpoint, Option<String>),
    /// The path lacks its slash.
    AddSlash,
    Unknown,
}

impl Endpoint {
    /// The methods, as the `Allow` header names them; none for pages outside the API.
    pub(crate) fn allow(self, dialect: Dialect) -> Option<&'static str> {
        Some(match self {
            Self::Root => return None,
            Self::Version if dialect == Dialect::Jwt => return None,
            Self::Login
            | Self::Logout
            | Self::TokenNew
            | Self::TokenRefresh
            | Self::TokenBlacklist => "POST, OPTIONS",
            Self::List(table) if table.methods == Methods::All => "GET, POST, HEAD, OPTIONS",
            Self::Detail(table) => match table.methods {
                Methods::All => "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
                Methods::ReadOnly => "GET, HEAD, OPTIONS",
                Methods::ReadAndPatch => "GET, HEAD, OPTIONS, PATCH",
            },
            _ => "GET, HEAD, OPTIONS",
        })
    }

    /// Whether anyone may come here.
    pub(crate) fn is_public(self) -> bool {
        matches!(
            self,
            Self::Root
                | Self::Version
                | Self::Health(_)
                | Self::Login
                | Self::TokenNew
                | Self::TokenRefresh
                | Self::TokenBlacklist
        )
    }

    /// Whether credentials are not even looked at.
    pub(crate) fn ignores_credentials(self) -> bool {
        matches!(self, Self::TokenNew | Self::TokenRefresh | Self::TokenBlacklist)
    }
}

pub(crate) fn find(schema: &'static Schema, path: &str) -> Route {
    if path == "/" || path.is_empty() {
        return Route::To(Endpoint::Root, None);
    }
    if let Some((endpoint, id)) = known(schema, path) {
        return Route::To(endpoint, id);
    }
    if path.ends_with('/') {
        return Route::Unknown;
    }
    if let Some(found) = path.strip_suffix(".json").and_then(|path| suffixed(schema, path)) {
        return found;
    }
    if known(schema, &format!("{path}/")).is_some() { Route::AddSlash } else { Route::Unknown }
}

/// A list or a record by the form of its path that ends in `.json`.
fn suffixed(schema: &'static Schema, path: &str) -> Option<Route> {
    match known(schema, &format!("{path}/"))? {
        (endpoint @ (Endpoint::List(_) | Endpoint::Detail(_)), id) => Some(Route::To(endpoint, id)),
        _ => None,
    }
}

fn known(schema: &'static Schema, path: &str) -> Option<(Endpoint, Option<String>)> {
    let session = schema.dialect == Dialect::Session;
    let fixed = match path {
        "/version/" => Some(Endpoint::Version),
        "/health/" => Some(Endpoint::Health(HealthForm::Status)),
        "/health/json/" => Some(Endpoint::Health(HealthForm::Json)),
        "/health/prom/" => Some(Endpoint::Health(HealthForm::Prometheus)),
        "/config/" if session => Some(Endpoint::Config),
        "/authentication/login/" if session => Some(Endpoint::Login),
        "/authentication/logout/" if session => Some(Endpoint::Logout),
        "/authentication/whoami/" if session => Some(Endpoint::Whoami),
        "/authentication/new/" if !session => Some(Endpoint::TokenNew),
        "/authentication/refresh/" if !session => Some(Endpoint::TokenRefresh),
        "/authentication/blacklist/" if !session => Some(Endpoint::TokenBlacklist),
        _ => None,
    };
    if let Some(endpoint) = fixed {
        return Some((endpoint, None));
    }
    if let Some((_, choices)) = schema.choices.iter().find(|(known, _)| *known == path) {
        return Some((Endpoint::Choices(choices), None));
    }
    if let Some(statistic) = schema.statistics.iter().find(|known| known.path == path) {
        return Some((Endpoint::Statistics(statistic), None));
    }
    let mut segments = path.strip_prefix('/')?.strip_suffix('/')?.split('/');
    let group = segments.next()?;
    let Some(name) = segments.next() else {
        let (name, resources) = schema.groups.iter().find(|(name, _)| *name == group)?;
        return Some((Endpoint::Group(name, resources), None));
    };
    let table = schema.tables.iter().find(|table| table.group == group && table.name == name)?;
    match (segments.next(), segments.next()) {
        (None, _) => Some((Endpoint::List(table), None)),
        (Some(id), None) if !id.is_empty() && !id.contains('.') => {
            Some((Endpoint::Detail(table), Some(id.to_owned())))
        }
        _ => None,
    }
}
