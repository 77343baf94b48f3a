//! What the controller decides: pure functions of the image and a request. A decision is records for the metadata log
//! and an answer that holds once they are applied; `metadata::store` persists, the shards publish.

mod alter_configs;
mod assignment;
mod auto_create;
mod broker;
mod client_quotas;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elect_leaders;
mod features;
mod producer_ids;
mod scram;
#[cfg(test)]
mod tests;
mod topic_config;
mod unregister_broker;

pub use alter_configs::{AlterContext, Alteration, KeyChange, SET, alter_configs, apply_log_levels};
pub use assignment::check_manual_assignment;
pub use auto_create::{InternalTopics, creatable};
pub use broker::{
    BrokerStart, assign_directory, change_cordoned_dirs, change_log_dirs, register_broker, shut_down_broker,
    unfence_broker,
};
pub use client_quotas::{QuotaEntity, alter_client_quotas};
pub use create_partitions::create_partitions;
pub use create_topics::{TopicContext, create_topics};
pub use delete_topics::delete_topics;
pub use elect_leaders::elect_leaders;
pub use features::update_features;
pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdRange, allocate_producer_ids};
pub use scram::alter_scram_credentials;
pub use unregister_broker::unregister_broker;

use crate::base::ErrorCode;
use crate::metadata::MetadataRecord;

/// The most records one request of a user may cause (`MAX_RECORDS_PER_USER_OP`).
pub const RECORDS_PER_REQUEST_MAX: usize = 10_000;

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

/// Why one thing of a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kafka's error code.
    pub code: ErrorCode,
    /// The reason in words; `None` where the code says it all.
    pub message: Option<String>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// `error_message` of a response.
    pub fn text(&self) -> Option<crate::protocol::Str> {
        self.message.as_deref().map(Into::into)
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}
