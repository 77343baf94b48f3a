//! What the controller decides: pure functions of the image and a request. A decision is records for the metadata log
//! and an answer that holds once they are applied; `metadata::store` persists, the shards publish.

use crate::metadata::MetadataRecord;

/// The outcome of one request to the controller.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<R> {
    /// What is to be appended, all or nothing; empty where nothing changes.
    pub records: Vec<MetadataRecord>,
    /// What is answered once the records are applied everywhere.
    pub response: R,
}

impl<R> Decision<R> {
    /// An answer that changes nothing.
    pub fn unchanged(response: R) -> Self {
        Self { records: Vec::new(), response }
    }
}
