//! What is left out of a cassette, and what stands in its place.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::redact::{is_secret_header_name, is_secret_name};

type Decide = dyn Fn(&str, &str) -> bool + Send + Sync;

/// What a [`Recorder`](super::Recorder) leaves out of its cassette, beyond what it does unasked.
///
/// Unasked, only what is known to be harmless is kept: numbers, booleans, dates, keys of records,
/// codes such as `"AP"`, amounts, and the words in which a server refuses requests. All other text is
/// personal data in doubt, free text included, and is replaced by a placeholder. The same value has
/// the same placeholder wherever it is, so that relations survive. Names of members and parameters are
/// kept if they are of letters, digits and `_`; of paths, the words of the API and numbers.
///
/// Secrets are always left out: what has a name such as `password`, `api_key` or `token`, also below
/// it; credentials and cookies; the [write-only](crate::resource!) fields of a custom resource; and
/// whatever has the value of one of these anywhere else in the recording, if it is at least four
/// letters long.
///
/// ```no_run
/// use keystone_client::sandbox::Sandbox;
/// use keystone_client::testing::{Recorder, Redaction};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let redaction = Redaction::new()
///     // Clusters have no names of persons, and the program goes by them.
///     .keep_if(|field, value| field == "name" && value.starts_with("gpu-"))
///     .keep_field("doi")
///     .redact_field("amount");
/// let recorder = Recorder::new(Sandbox::new(), "tests/cassettes/report.json").with_redaction(redaction);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Redaction {
    kept: BTreeSet<String>,
    secret: BTreeSet<String>,
    redacted: BTreeSet<String>,
    kept_headers: BTreeSet<String>,
    decide: Option<Arc<Decide>>,
}

impl Redaction {
    /// Nothing beyond what is done unasked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the text of all fields and parameters of this name, as it is, whatever record they are
    /// in. For a parameter with a lookup, `title__contains`, the name is `title`; for bodies that are
    /// plain text it is `body`, for what is in files `file`, and for a segment of a path, such as the
    /// name of a resource of a plugin, `segment`. Fields of secrets are not kept, nor are secrets in
    /// JSON that is kept.
    #[must_use = "it is the redaction"]
    pub fn keep_field(mut self, name: impl Into<String>) -> Self {
        self.kept.insert(name.into());
        self
    }

    /// Leaves out the values of all fields and parameters of this name, which would be kept
    /// otherwise. A number becomes 0, a boolean `false`, and a list or an object an empty one.
    #[must_use = "it is the redaction"]
    pub fn redact_field(mut self, name: impl Into<String>) -> Self {
        self.redacted.insert(name.into());
        self
    }

    /// Leaves out what has this name as secrets are left out, wherever else it is, too.
    #[must_use = "it is the redaction"]
    pub fn secret_field(mut self, name: impl Into<String>) -> Self {
        self.secret.insert(name.into());
        self
    }

    /// Keeps a header of answers as it is, but for secrets that are in it. Unasked, what clients go by
    /// is kept; the values of cookies and of headers such as `x-api-key` are never.
    #[must_use = "it is the redaction"]
    pub fn keep_header(mut self, name: impl AsRef<str>) -> Self {
        self.kept_headers.insert(name.as_ref().to_ascii_lowercase());
        self
    }

    /// Keeps a text for which `keep` is true of the name of its field and of its value. It is not asked
    /// for what is in files, nor for bodies that are not text. It is called when the cassette is
    /// written.
    #[must_use = "it is the redaction"]
    pub fn keep_if(mut self, keep: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        self.decide = Some(Arc::new(keep));
        self
    }

    pub(super) fn is_kept(&self, name: &str, value: &str) -> bool {
        let is_asked_for = || self.decide.as_ref().is_some_and(|decide| decide(name, value));
        self.is_kept_field(name) || (!self.is_secret(name) && is_asked_for())
    }

    pub(super) fn is_kept_field(&self, name: &str) -> bool {
        !self.is_secret(name) && self.kept.contains(name)
    }

    fn is_secret(&self, name: &str) -> bool {
        is_secret_name(name) || self.secret.contains(name)
    }

    pub(super) fn secret_fields(&self) -> &BTreeSet<String> {
        &self.secret
    }

    pub(super) fn is_redacted(&self, name: &str) -> bool {
        name.split("__").any(|part| self.redacted.contains(part))
    }

    pub(super) fn is_kept_header(&self, name: &str) -> bool {
        self.kept_headers.contains(name) && !is_secret_header_name(name)
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction")
            .field("kept", &self.kept)
            .field("secret", &self.secret)
            .field("redacted", &self.redacted)
            .field("kept_headers", &self.kept_headers)
            .field("decides", &self.decide.is_some())
            .finish()
    }
}
