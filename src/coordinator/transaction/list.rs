//! ListTransactions and DescribeTransactions (`TransactionStateManager.listTransactionStates`,
//! `TransactionCoordinator.handleDescribeTransactions`; KIP-664, 994, 1152).

use super::state::TxnState;
use super::{Transaction, Transactions};
use crate::base::{ErrorCode, TimestampMs};
use crate::protocol::Str;
use crate::protocol::messages::describe_transactions_response::{TopicData, TransactionState as Described};
use crate::protocol::messages::list_transactions_response::TransactionState as Listed;
use regex::Regex;
use std::collections::HashSet;

/// Which transactional ids are wanted; what is empty wants all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// States; `None`: all. Names nobody knows match nothing.
    pub states: Option<Vec<TxnState>>,
    /// Producer ids.
    pub producers: HashSet<i64>,
    /// Open for longer than this, in ms; negative: all.
    pub duration_ms: i64,
    /// A pattern for the whole id.
    pub pattern: Option<Regex>,
}

impl Filter {
    fn wants(&self, id: &str, transaction: &Transaction, now: TimestampMs) -> bool {
        let metadata = &transaction.metadata;
        transaction.pending != Some(TxnState::Dead)
            && (self.producers.is_empty() || self.producers.contains(&metadata.producer.0))
            && self.states.as_ref().is_none_or(|states| states.contains(&metadata.state))
            // As in Kafka an id without a transaction has been at it since the beginning of time.
            && (self.duration_ms < 0 || now.0.saturating_sub(metadata.started.0) > self.duration_ms)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    }
}

impl Transactions {
    pub(super) fn list(&self, filter: &Filter, now: TimestampMs) -> Vec<Listed> {
        let listed = |(id, transaction): (&std::sync::Arc<str>, &Transaction)| Listed {
            transactional_id: Str::from(&**id),
            producer_id: transaction.metadata.producer.0,
            transaction_state: Str::from_static(transaction.metadata.state.name()),
        };
        self.by_id.iter().filter(|(id, t)| filter.wants(id, t, now)).map(listed).collect()
    }

    pub(super) fn describe(&self, id: &Str) -> Described {
        let failed = |error: ErrorCode| Described {
            error_code: error.code(),
            transactional_id: id.clone(),
            ..Described::default()
        };
        if id.is_empty() {
            return failed(ErrorCode::InvalidRequest);
        }
        let Some(transaction) = self.by_id.get(&**id).filter(|t| t.pending != Some(TxnState::Dead)) else {
            return failed(ErrorCode::TransactionalIdNotFound);
        };
        let metadata = &transaction.metadata;
        let mut topics: Vec<TopicData> = Vec::new();
        for partition in &metadata.partitions {
            match topics.last_mut().filter(|topic| *topic.topic == *partition.topic) {
                Some(topic) => topic.partitions.push(partition.partition),
                None => topics
                    .push(TopicData { topic: Str::from(&*partition.topic), partitions: vec![partition.partition] }),
            }
        }
        Described {
            error_code: 0,
            transactional_id: id.clone(),
            transaction_state: Str::from_static(metadata.state.name()),
            transaction_timeout_ms: metadata.timeout_ms,
            transaction_start_time_ms: metadata.started.0,
            producer_id: metadata.producer.0,
            producer_epoch: metadata.epoch.0,
            topics,
        }
    }
}
