//! Scenarios over whole logs on a real file system.

mod append;
mod faults;
mod flush;
mod formats;
mod java;
mod lost_ids;
mod many;
mod mend;
mod model;
mod read;
mod recovery;
mod retain;
pub mod support;
mod truncate;
