//! What the transaction coordinator is asked, what it answers, and what it wants done outside its log.

use super::list::Filter;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use crate::protocol::Str;
use crate::protocol::messages::describe_transactions_response::TransactionState as Described;
use crate::protocol::messages::list_transactions_response::TransactionState as Listed;
use crate::record::control::EndTxnMarker;
use std::collections::BTreeSet;
use std::sync::Arc;

/// InitProducerId with a transactional id.
#[derive(Clone, Debug)]
pub struct Init {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// How long its transactions may be open, in ms.
    pub timeout_ms: i32,
    /// The id and epoch the producer says it has (KIP-360).
    pub expected: Option<(ProducerId, ProducerEpoch)>,
    /// Two-phase commit is wanted (KIP-939).
    pub enable_2pc: bool,
    /// A prepared transaction is to be kept (KIP-939).
    pub keep_prepared: bool,
}

/// Why partitions are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddKind {
    /// AddPartitionsToTxn or AddOffsetsToTxn of a client.
    Explicit,
    /// A client that knows transaction.version 2 writes to them; it may wait for the end of the transaction before.
    Implicit,
    /// An older client writes to them: they must be in the transaction already.
    Verify,
}

/// Partitions join a transaction, or are to be part of it.
#[derive(Clone, Debug)]
pub struct Add {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// The producer's id.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// At least one.
    pub partitions: BTreeSet<TopicPartition>,
    /// Why.
    pub kind: AddKind,
}

/// EndTxn.
#[derive(Clone, Debug)]
pub struct End {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// The producer's id.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// False: abort.
    pub commit: bool,
    /// The `transaction.version` the client speaks: 2 from v5 of the request on, else 0.
    pub client_version: i16,
}

/// A request to one coordinator partition.
#[derive(Clone, Debug)]
pub enum Request {
    /// InitProducerId.
    Init(Init),
    /// Partitions.
    Add(Add),
    /// EndTxn.
    End(End),
    /// DescribeTransactions of this partition's ids.
    Describe(Vec<Str>),
    /// ListTransactions of this partition's ids.
    List(Filter),
    /// The time of a transaction is up; the coordinator asks itself.
    Abort(Arc<str>),
    /// The outcome of [`Work::ProducerId`].
    NextId(Result<ProducerId, ErrorCode>),
    /// The outcome of [`Work::Markers`].
    Written(MarkerWork, Vec<(TopicPartition, ErrorCode)>),
}

/// The id and epoch of a producer, or why not.
pub type InitAnswer = Result<(ProducerId, ProducerEpoch), ErrorCode>;

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// InitProducerId, and EndTxn: what the producer goes on with (-1 where the client does not care).
    Producer(InitAnswer),
    /// Partitions.
    Added(Vec<(TopicPartition, ErrorCode)>),
    /// DescribeTransactions.
    Described(Vec<Described>),
    /// ListTransactions, or why not.
    Listed(Result<Vec<Listed>, ErrorCode>),
    /// Nobody asked.
    None,
}

/// Markers to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerWork {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// The producer's id.
    pub producer: ProducerId,
    /// Its epoch, already raised where ends raise epochs.
    pub epoch: ProducerEpoch,
    /// What they say.
    pub marker: EndTxnMarker,
    /// The `transaction.version` of who ended it: from 2 on the epoch must be above that of the data.
    pub version: i16,
    /// Where to.
    pub partitions: BTreeSet<TopicPartition>,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A new producer id; comes back as [`Request::NextId`].
    ProducerId,
    /// Markers; they come back as [`Request::Written`], `None` for partitions that are gone.
    Markers(MarkerWork),
}

impl Request {
    /// The answer that says `error` and nothing else.
    pub fn refuse(&self, error: ErrorCode) -> Answer {
        match self {
            Self::Init(_) | Self::End(_) => Answer::Producer(Err(error)),
            Self::Add(add) => Answer::Added(add.all(error)),
            Self::Describe(ids) => {
                let failed = |id: &Str| Described {
                    transactional_id: id.clone(),
                    error_code: error.code(),
                    ..Described::default()
                };
                Answer::Described(ids.iter().map(failed).collect())
            }
            Self::List(_) => Answer::Listed(Err(error)),
            Self::Abort(_) | Self::NextId(_) | Self::Written(..) => Answer::None,
        }
    }
}

impl Add {
    /// The same for all partitions.
    pub fn all(&self, error: ErrorCode) -> Vec<(TopicPartition, ErrorCode)> {
        self.partitions.iter().map(|partition| (partition.clone(), error)).collect()
    }
}
