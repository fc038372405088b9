//! The sandbox against recordings of real servers, and by itself.

mod attachments;
mod audit;
mod bad_input;
mod batch;
mod behaviour;
pub(crate) mod client;
mod clock;
mod compare;
mod details;
mod differences;
mod disorder;
mod faults;
mod fidelity;
mod limits;
mod logs;
mod population;
mod recording;
mod replay;
mod robustness;
mod server;
mod snapshot;
mod stats;
mod throttle;
mod tls;
mod verdict;
mod versions;
mod world;
