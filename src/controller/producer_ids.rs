//! Producer ids, in blocks (KIP-730): an id handed out is never handed out again, also after a crash.

use super::Decision;
use crate::base::{BrokerId, ErrorCode, ProducerId};
use crate::metadata::MetadataImage;
use crate::protocol::messages::ProducerIdsRecord;

/// How many ids a broker gets at once.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// Ids a broker may hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ProducerIdRange {
    next: i64,
    end: i64,
}

impl ProducerIdRange {
    /// Takes one id; `None` when the block is used up (or there was none).
    pub fn take(&mut self) -> Option<ProducerId> {
        (self.next < self.end).then(|| {
            self.next += 1;
            ProducerId(self.next - 1)
        })
    }
}

/// Gives `broker` the next block.
pub fn allocate_producer_ids(image: &MetadataImage, broker: BrokerId) -> Decision<Result<ProducerIdRange, ErrorCode>> {
    let Some(registration) = image.broker(broker) else {
        return Decision::unchanged(Err(ErrorCode::BrokerIdNotRegistered));
    };
    let first = image.producer_ids().map_or(0, |block| block.next.0);
    let Some(end) = first.checked_add(PRODUCER_ID_BLOCK) else {
        return Decision::unchanged(Err(ErrorCode::UnknownServerError));
    };
    let record = ProducerIdsRecord { broker_id: broker.0, broker_epoch: registration.epoch, next_producer_id: end };
    Decision { records: vec![record.into()], response: Ok(ProducerIdRange { next: first, end }) }
}
