//! Changing the metadata: one writer, on the first core. Nothing else touches the image.
//!
//! decide (pure) -> append to `__cluster_metadata-0` -> fdatasync -> apply -> every core takes the
//! image -> answer. So whoever was answered finds its change on every core.

use super::{Ending, Shard, ShardIndex};
use crate::base::local::{self, Lock, join_all};
use crate::base::{ErrorCode, Now, Offset};
use crate::controller::Decision;
use crate::metadata::store::{MetadataLog, StoreError};
use crate::metadata::{MetadataDelta, MetadataImage};
use crate::ring::{process, runtime};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// The core that writes the metadata log.
pub const CONTROLLER: ShardIndex = ShardIndex(0);

/// The writer's end of the metadata log; empty on all cores but the first.
#[derive(Default)]
pub struct Writer {
    pub(super) turn: Lock,
    pub(super) log: RefCell<Option<MetadataLog>>,
    /// A task waits for the time of the next snapshot.
    pub(super) snapshot_awaited: Cell<bool>,
}

/// What a decision may draw on beside the image.
pub struct Circumstances {
    /// Both clocks.
    pub now: Now,
    /// The offset the decision's first record will have.
    pub next_offset: Offset,
    /// Randomness, for ids.
    pub random: fn() -> [u8; 16],
}

impl Shard {
    /// Makes this core the writer.
    pub fn take_metadata_log(&self, log: MetadataLog) {
        *self.writer.log.borrow_mut() = Some(log);
    }

    /// Ends writing; hands the log back to be closed.
    pub async fn release_metadata_log(&self) -> Option<MetadataLog> {
        let _turn = self.writer.turn.lock().await;
        self.writer.log.borrow_mut().take()
    }

    /// Lets the controller decide over the newest image, persists its records and answers when all
    /// cores have taken them. NOT_CONTROLLER while the broker stops, KAFKA_STORAGE_ERROR when the
    /// metadata log cannot be written (the process then ends).
    pub fn change_metadata<R, F>(self: &Rc<Self>, decide: F) -> impl Future<Output = Result<R, ErrorCode>> + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce(&MetadataImage, &Circumstances) -> Decision<R> + Send + 'static,
    {
        // A task of its own: a client that goes away takes its waiting future with it, and half a change would
        // lose the log that is taken out meanwhile.
        let deciding = self.call(CONTROLLER, move |controller| {
            let (tx, rx) = local::oneshot();
            runtime::spawn(async move { tx.send(controller.change_here(decide).await) }).detach();
            rx
        });
        async move { deciding.await.ok().and_then(Result::ok).unwrap_or(Err(ErrorCode::NotController)) }
    }

    async fn change_here<R, F>(self: Rc<Self>, decide: F) -> Result<R, ErrorCode>
    where
        F: FnOnce(&MetadataImage, &Circumstances) -> Decision<R>,
    {
        let _turn = self.writer.turn.lock().await;
        let log = self.writer.log.borrow_mut().take();
        let Some(mut log) = log else { return Err(ErrorCode::NotController) };
        let circumstances = Circumstances { now: self.now(), next_offset: log.next_offset(), random };
        let decision = decide(&self.image(), &circumstances);
        if decision.records.is_empty() {
            *self.writer.log.borrow_mut() = Some(log);
            return Ok(decision.response);
        }
        let appended = log.append(decision.records, self.now()).await;
        if appended.is_ok() {
            self.snapshot_when_due(&mut log);
        }
        *self.writer.log.borrow_mut() = Some(log);
        match appended {
            Ok((image, delta)) => {
                self.publish(Arc::new(image), Arc::new(delta)).await;
                Ok(decision.response)
            }
            // Nothing of it was written.
            Err(StoreError::Encode(e)) => {
                tracing::error!("a change of the metadata cannot be written as records: {e}");
                Err(ErrorCode::UnknownServerError)
            }
            Err(e) if e.is_disk_full() => {
                self.shared.log_limits.warn(
                    "metadata-disk-full",
                    &format!("a change is refused: {e}"),
                    self.now().mono,
                );
                self.metadata_dir_full();
                Err(ErrorCode::KafkaStorageError)
            }
            Err(e) => {
                // The node is nothing without its metadata: stop rather than go on half blind.
                self.end(Ending::Failed(format!("the metadata log cannot be written: {e}")));
                Err(ErrorCode::KafkaStorageError)
            }
        }
    }

    /// Hands `image` to every core and waits until each has taken it: partitions it gained are
    /// open, those it lost are closed.
    pub async fn publish(self: &Rc<Self>, image: Arc<MetadataImage>, delta: Arc<MetadataDelta>) {
        let cores = (0..self.shard_count()).map(ShardIndex);
        let takes = cores.map(|core| {
            let (image, delta) = (image.clone(), delta.clone());
            self.call(core, move |shard| async move { shard.take_image(image, &delta).await })
        });
        join_all(takes.collect()).await;
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    process::random_bytes(&mut bytes);
    bytes
}
