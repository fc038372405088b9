//! The integration tests, in one binary so that they link once.

mod auth;
mod backends;
mod catalogue;
mod conformance;
mod conformance_detects;
mod custom_resource;
mod drift;
mod errors;
mod events;
mod faults;
mod journey;
mod layers;
mod ledger;
mod lists;
mod live;
mod mock;
mod params;
mod recordings;
mod requests;
mod resolve;
mod sandbox;
mod single_flight;
mod support;
mod ui;
mod versions;
mod walks;
