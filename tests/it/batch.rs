//! Batch jobs: what is sent for them, and what is made of the answers.

mod bodies;
mod equivalence;
mod failures;
mod pace;
mod recordings;
mod references;

use keystone_client::Batch;
use keystone_client::blocking::KeystoneClient;

type Job = Batch<KeystoneClient>;
