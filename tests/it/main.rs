//! The integration tests, in one binary so that they link once.

mod auth;
mod errors;
mod mock;
mod requests;
mod support;
