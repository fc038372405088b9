//! What is done about the files of a request before it is sent.

use std::time::Duration;

use http::StatusCode;

use super::limits::{BELIEVE, RECENT, Told};
use super::transmit::Limit;
use super::version::unsupported;
use super::{Core, Effects};
use crate::batch;
use crate::body::{Body, Multipart, Terms};
use crate::error::{Error, ErrorKind};
use crate::request::RequestParts;
use crate::resource::Resource;
use crate::resources::{Attachment, ServerConfig};
use crate::upload::{UploadError, commonly_accepted, refused_type};

/// What the server says about files holds for attachments; other endpoints have rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Attachment,
    /// Whose files are attachments too.
    Batch,
    Elsewhere,
}

impl Destination {
    fn of(parts: &RequestParts) -> Self {
        match parts.path.trim_start_matches('/') {
            batch::PATH => Self::Batch,
            path if path.starts_with(Attachment::PATH) => Self::Attachment,
            _ => Self::Elsewhere,
        }
    }
}

impl Core {
    /// The request with the files that it sends in its body; `None` where it sends none. The time for
    /// reading them is not taken from that of the call.
    pub(super) async fn with_files_read<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        limit: &mut Limit,
    ) -> Result<Option<Box<RequestParts>>, Error> {
        let Body::Multipart(multipart) = &parts.body else { return Ok(None) };
        unsupported(parts, self.server())?;
        let unsent = |error: UploadError| unsent(parts, error);
        multipart.check_size().map_err(unsent)?;
        let files = multipart.clone();
        let lengths = pausing(effects, limit, move || files.inspect()).await.map_err(unsent)?;
        let terms = self.check_files(effects, parts, *limit, multipart, &lengths).await?;
        let files = multipart.clone();
        let body = pausing(effects, limit, move || files.encode_within(&terms, &lengths)).await;
        let mut parts = Box::new(parts.clone());
        parts.body = body.map_err(unsent)?;
        Ok(Some(parts))
    }

    /// Refuses what the server would refuse; on what terms the files are read.
    async fn check_files<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        limit: Limit,
        multipart: &Multipart,
        lengths: &[Option<u64>],
    ) -> Result<Terms, Error> {
        let destination = Destination::of(parts);
        let mut terms = Terms { is_job: destination == Destination::Batch, ..Terms::default() };
        let is_asked = destination != Destination::Elsewhere
            && !lengths.is_empty()
            && !parts.anonymous
            && !parts.brings_credential();
        if !is_asked {
            return Ok(terms);
        }
        // What has no length before it is read may turn out to be too large then.
        let believe = if lengths.iter().all(Option::is_some) { BELIEVE } else { RECENT };
        let is_recent = |told: &Told| told.is_younger(RECENT, effects.now().monotonic);
        let limits = |believe: Duration| self.limits_of_files(effects, parts, limit, believe);
        let mut told = limits(believe).await?;
        let is_refused = |told: &Told| check(&told.config, multipart, lengths).is_err();
        if told.as_ref().is_some_and(|told| !is_recent(told) && is_refused(told)) {
            // Nothing is refused on the word of yesterday.
            told = limits(RECENT).await?;
        }
        if let Some(told) = told {
            if is_recent(&told) {
                check(&told.config, multipart, lengths).map_err(|error| unsent(parts, error))?;
            }
            terms.most = told.config.max_upload_size;
            terms.together = terms.together.max(terms.most);
        }
        Ok(terms)
    }

    /// Takes over what the answer to a request with files says of what is known of the server.
    pub(super) fn learn_of_files<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        error: &Error,
    ) {
        let is_about_files = matches!(parts.body, Body::Multipart(_))
            && Destination::of(parts) != Destination::Elsewhere
            && (error.is_validation("file")
                || error.status() == Some(StatusCode::PAYLOAD_TOO_LARGE));
        if is_about_files {
            self.limits.doubt(effects.now().monotonic);
        }
    }
}

/// Does what is not part of the time of the call.
async fn pausing<E: Effects, T: Send + 'static>(
    effects: &E,
    limit: &mut Limit,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let begun = effects.now().monotonic;
    let done = effects.unblock(work).await;
    limit.put_off(effects.now().monotonic.saturating_duration_since(begun));
    done
}

/// Whether the server would certainly refuse one of the files.
fn check(
    config: &ServerConfig,
    multipart: &Multipart,
    lengths: &[Option<u64>],
) -> Result<(), UploadError> {
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
