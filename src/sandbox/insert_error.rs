//! Why a record could not be stored.

use crate::sandbox::reply::Failure;

/// Why [`Sandbox::insert`](crate::sandbox::Sandbox::insert) stored nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InsertError {
    message: String,
}

impl InsertError {
    pub(crate) fn unknown_resource(name: &str) -> Self {
        Self { message: format!("this server has no resource `{name}`") }
    }

    pub(crate) fn unknown_user(name: &str) -> Self {
        Self { message: format!("there is no user `{name}`") }
    }

    pub(crate) fn named_twice(name: &str) -> Self {
        Self { message: format!("the user `{name}` is named twice") }
    }

    pub(crate) fn without_owner(name: &str) -> Self {
        Self { message: format!("the research group `{name}` needs just one owner") }
    }

    pub(crate) fn refused(failure: Failure) -> Self {
        let message = match failure {
            Failure::Fields(errors) => {
                let errors = errors.into_iter();
                let errors = errors.map(|(name, texts)| format!("{name}: {}", texts.join(" ")));
                errors.collect::<Vec<_>>().join("; ")
            }
            Failure::Detail(_, text) => text,
            Failure::Messages(texts) => texts.join(" "),
            _ => "the server refuses the record with an internal error".to_owned(),
        };
        Self { message }
    }
}
