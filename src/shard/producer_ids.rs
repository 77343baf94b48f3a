//! Producer ids for the producers of one core, taken from blocks that the metadata log hands out (KIP-730). What is
//! left of a block at the end of the process is never used: ids are unique, not dense.

use super::Shard;
use crate::base::local::{Lock, oneshot};
use crate::base::{ErrorCode, ProducerId};
use crate::controller::{ProducerIdRange, allocate_producer_ids};
use crate::ring::runtime;
use std::cell::Cell;
use std::rc::Rc;

/// This core's block.
#[derive(Default)]
pub struct ProducerIds {
    block: Cell<ProducerIdRange>,
    turn: Lock,
}

impl ProducerIds {
    fn take(&self) -> Option<ProducerId> {
        let mut block = self.block.get();
        let id = block.take();
        self.block.set(block);
        id
    }
}

impl Shard {
    /// An id no producer ever had.
    ///
    /// # Errors
    /// The metadata log takes no change: the broker stops, or its disk failed.
    pub async fn next_producer_id(self: &Rc<Self>) -> Result<ProducerId, ErrorCode> {
        if let Some(id) = self.producer_ids.take() {
            return Ok(id);
        }
        // A task of its own: a handler behind another that waits is not looked after, and would keep the turn meanwhile.
        let (tell, told) = oneshot();
        let shard = self.clone();
        runtime::spawn(async move { tell.send(shard.producer_id_of_new_block().await) }).detach();
        told.await.unwrap_or(Err(ErrorCode::NotController))
    }

    async fn producer_id_of_new_block(self: Rc<Self>) -> Result<ProducerId, ErrorCode> {
        let _turn = self.producer_ids.turn.lock().await;
        // Whoever had the turn before may have brought a block.
        if let Some(id) = self.producer_ids.take() {
            return Ok(id);
        }
        let node = self.shared.identity.node_id;
        let mut block = self.change_metadata(move |image, _| allocate_producer_ids(image, node)).await??;
        let id = block.take().ok_or(ErrorCode::UnknownServerError);
        self.producer_ids.block.set(block);
        id
    }
}
