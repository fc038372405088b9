//! The guide, chapter by chapter. All its code runs.

#[doc = include_str!("../docs/guide/lists.md")]
pub mod lists {}

#[doc = include_str!("../docs/guide/changing.md")]
pub mod changing {}

#[doc = include_str!("../docs/guide/authentication.md")]
pub mod authentication {}

#[doc = include_str!("../docs/guide/batch.md")]
pub mod batch {}

#[doc = include_str!("../docs/guide/failures.md")]
pub mod failures {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/attachments.md")]
pub mod attachments {}
