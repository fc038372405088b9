//! Batch jobs: what is sent for them, and what is made of the answers.

mod failures;
mod recordings;
mod references;

/// Recorded jobs with files.
const FILES: [&str; 10] = [
    "batch-multipart-disallowed-file",
    "batch-multipart-dry-run",
    "batch-multipart-file",
    "batch-multipart-file-used-twice",
    "batch-multipart-job-in-envelope",
    "batch-multipart-job-not-json",
    "batch-multipart-missing-file",
    "batch-multipart-no-job",
    "batch-multipart-null-in-file-payload-server-error",
    "batch-multipart-two-files",
];
