//! What the shell asks of a state machine, and what a machine hands back.
//!
//! In: requests, outcomes of appends, time. Out: [`Effects`], that is records to append, answers, and work that only
//! the broker can do. A machine reads no clock, draws no random number, performs nothing.

use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Offset, ProducerEpoch, ProducerId, TopicPartition, Uuid};
use crate::log::Verification;
use crate::metadata::{MetadataDelta, MetadataImage};
use crate::record::control::EndTxnMarker;
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Names a request that waits for its answer; the shell gives them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Numbers the appends of one coordinator, ascending from 1. The shell reports their outcome in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct AppendId(pub u64);

/// A record of the coordinator's topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key: type and fields.
    pub key: Bytes,
    /// The value: version and fields; none is a tombstone.
    pub value: Option<Bytes>,
}

/// Whose batch an append goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// The coordinator's own.
    Own,
    /// Part of a producer's transaction: the records count once its marker says so. The guard is what the transaction
    /// coordinator was asked under; none where the transaction had begun in this partition.
    Transactional(ProducerId, ProducerEpoch, Verification),
    /// The marker that ends a producer's transaction; the append has no records. True: its epoch must be above that of
    /// the data ([`AppendOrigin::RaisedMarker`](crate::log::AppendOrigin)).
    Marker(ProducerId, ProducerEpoch, EndTxnMarker, bool),
}

/// What an append changes: a group, a share partition. Two that fall together only wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(u64);

impl Subject {
    /// The subject that `key` names.
    pub fn of(key: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Records that go into the log together, in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The number to report the outcome under.
    pub id: AppendId,
    /// Whose they are.
    pub batch: Batch,
    /// At least one record, but for a marker.
    pub records: Vec<Record>,
    /// What counts as changed although it is not in the log yet: later appends about it were decided on this one, and
    /// are not written unless it is. None where nothing counts before it is committed.
    pub about: Vec<Subject>,
}

impl Append {
    /// Records of the coordinator itself, on which nothing is decided before they are committed.
    pub fn own(id: AppendId, records: Vec<Record>) -> Self {
        Self { id, batch: Batch::Own, records, about: Vec::new() }
    }

    /// The same, but that what they say of these counts from now on.
    pub fn about(self, about: Vec<Subject>) -> Self {
        Self { about, ..self }
    }
}

/// A record of the log as replay takes it.
pub enum Entry<'a> {
    /// A record with a key.
    Record {
        /// Its offset.
        offset: Offset,
        /// The transactional producer that wrote it; none for the coordinator itself.
        producer: ProducerId,
        /// Its key.
        key: &'a Bytes,
        /// Its value; none is a tombstone.
        value: Option<&'a Bytes>,
    },
    /// The end of a transaction.
    Marker {
        /// Whose.
        producer: ProducerId,
        /// False: aborted.
        committed: bool,
    },
}

/// A record that no version of Kafka this node knows can have written: what the coordinator holds cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it stands.
    pub offset: Offset,
    /// What is wrong with it.
    pub why: String,
}

/// The outcome of one step, in order.
pub struct Effects<M: Machine> {
    /// To be appended, in this order.
    pub appends: Vec<Append>,
    /// To be answered.
    pub answers: Vec<(Token, M::Answer)>,
    /// To be done elsewhere.
    pub work: Vec<M::Work>,
}

impl<M: Machine> Default for Effects<M> {
    fn default() -> Self {
        Self { appends: Vec::new(), answers: Vec::new(), work: Vec::new() }
    }
}

impl<M: Machine> Effects<M> {
    /// Answers a request.
    pub fn answer(&mut self, token: Token, answer: impl Into<M::Answer>) {
        self.answers.push((token, answer.into()));
    }
}

/// One step of a machine: which request, when, and where its effects go.
pub struct Step<'a, M: Machine> {
    /// The request to answer.
    pub token: Token,
    /// Both clocks.
    pub now: Now,
    /// For a member id, should one be needed; zeros unless the machine [asks for it](Machine::wants_random).
    pub random: [u8; 16],
    /// What is to be done.
    pub fx: &'a mut Effects<M>,
}

impl<'a, M: Machine> Step<'a, M> {
    /// A step nobody asked for.
    pub fn timer(now: Now, fx: &'a mut Effects<M>) -> Self {
        Self { token: Token(0), now, random: [0; 16], fx }
    }

    /// Answers the request of this step.
    pub fn answer(&mut self, answer: impl Into<M::Answer>) {
        self.fx.answer(self.token, answer);
    }
}

/// A pure state machine over one partition of an internal topic. [`Coordinator`](super::Coordinator) runs it.
pub trait Machine: Sized + 'static {
    /// Its numbers.
    type Config: Clone;
    /// What it is asked.
    type Request: Send + 'static;
    /// What it answers.
    type Answer: Send + 'static;
    /// What it wants done outside its log. The outcome comes back as a request.
    type Work;

    /// What it keeps, for messages: `groups`.
    const WHAT: &'static str;

    /// Nothing loaded yet.
    fn new(config: &Self::Config) -> Self;

    /// New numbers, in force from the next step on.
    fn configure(&mut self, config: &Self::Config);

    /// Takes one entry of the log, in order. `began`: when loading did.
    ///
    /// # Errors
    /// The coordinator does not serve, and writes nothing.
    fn replay(&mut self, entry: Entry, began: Now) -> Result<(), Unreadable>;

    /// The log has been read to its end; the partition is led in `epoch`.
    fn loaded(&mut self, epoch: LeaderEpoch, step: &mut Step<Self>);

    /// How many things it keeps.
    fn len(&self) -> usize;

    /// True while it keeps nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a request; its answer comes under `step.token`, now or in a later step.
    fn handle(&mut self, request: Self::Request, step: &mut Step<Self>);

    /// Does what is due.
    fn on_timer(&mut self, step: &mut Step<Self>);

    /// When [`on_timer`](Self::on_timer) has something to do next.
    fn next_deadline(&self) -> Option<Instant>;

    /// The outcome of append `id`: the offset of its first record, or why it failed. Outcomes come in the order of
    /// the appends. Where one failed, those that were decided on it fail too, and no request comes between.
    fn on_append(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>, step: &mut Step<Self>);

    /// The request of `token` has waited too long for the log: it is refused. What it asked for may still come to
    /// pass.
    fn give_up(&mut self, token: Token, error: ErrorCode, fx: &mut Effects<Self>);

    /// The partition is led elsewhere, or lost: everybody who waits is told so (16).
    fn resign(&mut self, now: Now, fx: &mut Effects<Self>);

    /// A newer metadata image; `delta` says what differs from the one before. Machines that know no topics need none.
    fn on_metadata(&mut self, _: &Arc<MetadataImage>, _: &MetadataDelta) {}

    /// These topics (name and id) are gone.
    fn topics_deleted(&mut self, topics: &[(String, Uuid)], step: &mut Step<Self>);

    /// The log has been read after a crash: `crash` is where it ended then, `end_of` knows that of other logs, with
    /// their topics' ids. For machines that keep offsets of other logs.
    fn bound_by_log_ends(
        &mut self,
        _crash: Offset,
        _end_of: &dyn Fn(&TopicPartition) -> Option<(Uuid, Offset)>,
        _step: &mut Step<Self>,
    ) {
    }

    /// The answer that says `error` and nothing else: what a coordinator says that is loading (14), is not the
    /// coordinator (16), or could not write.
    fn refuse(request: &Self::Request, error: ErrorCode) -> Self::Answer;

    /// True where the answer to `request` waits for the log at most.
    fn waits_for_log(request: &Self::Request) -> bool;

    /// True where `request` may need random bytes.
    fn wants_random(request: &Self::Request) -> bool;
}

/// What the failure of an append means to a client of a coordinator (`CoordinatorOperationExceptionHelper`,
/// `TransactionStateManager.appendTransactionToLog`).
pub fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
