//! Batches of the metadata log into images: metadata transactions are applied whole or not at all (KIP-868), control
//! batches count as offsets and say what the raft layer needs (`MetadataBatchLoader`).

use super::delta::MetadataDelta;
use super::image::{ApplyError, MetadataImage, Provenance};
use super::record::MetadataRecord;
use std::sync::Arc;

/// Turns records into images. One owner: the writer of the metadata log.
#[derive(Clone, Debug, Default)]
pub struct Loader {
    published: Arc<MetadataImage>,
    image: MetadataImage,
    transaction: Option<Vec<MetadataRecord>>,
}

impl Loader {
    /// Goes on from `image`.
    pub fn new(image: MetadataImage) -> Self {
        Self { published: Arc::new(image.clone()), image, transaction: None }
    }

    /// Applies the records of one batch that ends at `end`. Those of an open transaction wait for its end.
    pub fn apply(&mut self, records: &[MetadataRecord], end: Provenance) -> Result<(), ApplyError> {
        for record in records {
            self.apply_one(record)?;
        }
        if self.transaction.is_none() {
            self.image = std::mem::take(&mut self.image).at(end);
        }
        Ok(())
    }

    fn apply_one(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        use MetadataRecord as R;
        match (record, self.transaction.take()) {
            (R::BeginTransaction(_), None) => self.transaction = Some(Vec::new()),
            (R::BeginTransaction(_), Some(_)) => {
                return Err(ApplyError::Transaction("a metadata transaction begins inside another"));
            }
            (R::EndTransaction(_), Some(records)) => {
                for record in &records {
                    self.image.apply(record)?;
                }
            }
            (R::AbortTransaction(_), Some(_)) => {}
            (R::EndTransaction(_) | R::AbortTransaction(_), None) => {
                return Err(ApplyError::Transaction("a metadata transaction ends that never began"));
            }
            (record, Some(mut records)) => {
                records.push(record.clone());
                self.transaction = Some(records);
            }
            (record, None) => self.image.apply(record)?,
        }
        Ok(())
    }

    /// True between the begin and the end of a metadata transaction.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The image after all that was applied, and what changed since the last one taken.
    pub fn publish(&mut self) -> (Arc<MetadataImage>, MetadataDelta) {
        let delta = MetadataDelta::between(&self.published, &self.image);
        self.published = Arc::new(self.image.clone());
        (self.published.clone(), delta)
    }

    /// The image after all that was applied.
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }
}
