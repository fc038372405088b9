//! What is done about the files of a request before it is sent.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;

use super::limits::{BELIEVE, RECENT};
use super::version::unsupported;
use super::{Core, Effects};
use crate::body::{Body, Multipart};
use crate::error::{Error, ErrorKind};
use crate::request::{RequestParts, Response};
use crate::resource::Resource;
use crate::resources::{Attachment, ServerConfig};
use crate::upload::{Upload, UploadError, commonly_accepted, refused_type};

/// The path of jobs of several calls, whose files are attachments too.
const BATCH_PATH: &str = "batch/";

/// What the server says about files holds for attachments; other endpoints have rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Attachment,
    Batch,
    Elsewhere,
}

impl Destination {
    fn of(parts: &RequestParts) -> Self {
        match parts.path.trim_start_matches('/') {
            BATCH_PATH => Self::Batch,
            path if path.starts_with(Attachment::PATH) => Self::Attachment,
            _ => Self::Elsewhere,
        }
    }
}

impl Core {
    /// The request with the files that it sends, if any, in its body.
    pub(super) async fn with_files_read<'a, E: Effects>(
        &self,
        effects: &E,
        parts: &'a RequestParts,
    ) -> Result<Cow<'a, RequestParts>, Error> {
        let Body::Multipart(multipart) = &parts.body else { return Ok(Cow::Borrowed(parts)) };
        unsupported(parts, self.server())?;
        let unsent = |error: UploadError| unsent(parts, error);
        let files = multipart.clone();
        let lengths = effects.unblock(move || files.inspect()).await.map_err(unsent)?;
        let most = self.check_files(effects, parts, multipart, &lengths).await?;
        let files = multipart.clone();
        let body = effects.unblock(move || files.encode_within(most, &lengths)).await;
        let mut parts = parts.clone();
        parts.body = body.map_err(unsent)?;
        Ok(Cow::Owned(parts))
    }

    /// Refuses what the server would refuse; how many bytes a file may have.
    async fn check_files<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        multipart: &Multipart,
        lengths: &[Option<u64>],
    ) -> Result<u64, Error> {
        let destination = Destination::of(parts);
        let is_asked = destination != Destination::Elsewhere
            && !lengths.is_empty()
            && !parts.anonymous
            && !parts.brings_credential();
        if !is_asked {
            return Ok(Upload::MOST_BYTES);
        }
        // What has no length before it is read may turn out to be too large then.
        let believe = if lengths.iter().all(Option::is_some) { BELIEVE } else { RECENT };
        let check = |config: &ServerConfig| check(config, destination, multipart, lengths);
        let limits = |believe: Duration| self.limits_of_files(effects, parts, believe);
        let Some(mut config) = limits(believe).await? else { return Ok(Upload::MOST_BYTES) };
        if check(&config).is_err() {
            // Nothing is refused on the word of yesterday.
            match limits(RECENT).await? {
                Some(recent) => config = recent,
                None => return Ok(Upload::MOST_BYTES),
            }
        }
        check(&config).map_err(|error| unsent(parts, error))?;
        Ok(config.max_upload_size)
    }

    /// Takes over what the answer to a request with files says of what is known of the server.
    pub(super) fn learn_of_files(&self, parts: &RequestParts, response: &Response) {
        let refusals = [
            StatusCode::BAD_REQUEST,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ];
        if matches!(parts.body, Body::Multipart(_)) && refusals.contains(&response.status()) {
            self.limits.forget();
        }
    }
}

/// Whether the server would certainly refuse one of the files.
fn check(
    config: &ServerConfig,
    destination: Destination,
    multipart: &Multipart,
    lengths: &[Option<u64>],
) -> Result<(), UploadError> {
    // The number is for one allocation request; a job can be about many.
    let most = usize::try_from(config.max_upload_count).unwrap_or(usize::MAX);
    if destination == Destination::Attachment && lengths.len() > most {
        let count = lengths.len();
        return Err(UploadError::new(format!(
            "there are {count} files, and the server takes {most} for a request at most"
        )));
    }
    for (file, length) in multipart.files().zip(lengths) {
        let most = config.max_upload_size;
        if let Some(length) = length.filter(|length| *length > most) {
            return Err(file.error(&format!(
                "has {length} bytes, and the server takes {most} at most; send a smaller one, or \
                 ask the administrators to raise the limit"
            )));
        }
        let allowed = &config.allowed_file_types;
        if let Some(problem) = refused_type(&file.file_name()?, allowed) {
            let endings: Vec<String> =
                commonly_accepted(allowed).map(|ending| format!(".{ending}")).collect();
            return Err(file.error(&format!(
                "{problem}; what it takes is usually named {}",
                endings.join(", ")
            )));
        }
    }
    Ok(())
}

fn unsent(parts: &RequestParts, error: UploadError) -> Error {
    let (problem, cause) = error.into_parts();
    let error = Error::new(ErrorKind::InvalidRequest, parts.operation).with_note(problem);
    match cause {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}
