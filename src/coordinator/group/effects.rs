//! What the state machine wants done: records to append and requests to answer.

use super::request::Answer;
use bytes::Bytes;

/// Names a request that waits for its answer; the shell gives them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Numbers the appends of one coordinator, ascending from 1. The shell reports their outcome in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct AppendId(pub u64);

/// A record of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key: type and fields.
    pub key: Bytes,
    /// The value: version and fields; none is a tombstone.
    pub value: Option<Bytes>,
}

/// Records that go into the log together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The number to report the outcome under.
    pub id: AppendId,
    /// At least one record.
    pub records: Vec<Record>,
}

/// The outcome of one step, in order.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended, in this order.
    pub appends: Vec<Append>,
    /// To be answered.
    pub answers: Vec<(Token, Answer)>,
}

impl Effects {
    /// Answers a request.
    pub fn answer(&mut self, token: Token, answer: impl Into<Answer>) {
        self.answers.push((token, answer.into()));
    }
}
