//! The guide, chapter by chapter. All its code runs.

#[doc = include_str!("../docs/guide/lists.md")]
pub mod lists {}
