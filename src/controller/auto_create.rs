//! Topics that come into being because somebody asked for them (`AutoTopicCreationManager`).

use crate::base::topic::{GROUP_METADATA_TOPIC, SHARE_GROUP_STATE_TOPIC, TRANSACTION_STATE_TOPIC, validate_topic_name};
use crate::config::{GroupConfig, ShareConfig, TransactionConfig};
use crate::protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

/// What the configuration says of the internal topics.
#[derive(Clone, Copy, Debug)]
pub struct InternalTopics<'a> {
    /// `offsets.topic.*`.
    pub groups: &'a GroupConfig,
    /// `transaction.state.log.*`.
    pub transactions: &'a TransactionConfig,
    /// `share.coordinator.state.topic.*`.
    pub share: &'a ShareConfig,
}

/// The topic that creating `name` on demand makes; `None` where no topic may have that name.
pub fn creatable(name: &str, internal: InternalTopics<'_>) -> Option<CreatableTopic> {
    let config = |name: &str, value: String| CreatableTopicConfig { name: name.into(), value: Some(value.into()) };
    let topic = |partitions, factor, configs| CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: factor,
        configs,
        ..Default::default()
    };
    match name {
        GROUP_METADATA_TOPIC => {
            let groups = internal.groups;
            let configs = vec![
                config("cleanup.policy", "compact".into()),
                config("compression.type", "producer".into()),
                config("segment.bytes", groups.offsets_topic_segment_bytes.to_string()),
            ];
            Some(topic(groups.offsets_topic_partitions, groups.offsets_topic_replication_factor, configs))
        }
        TRANSACTION_STATE_TOPIC => {
            let transactions = internal.transactions;
            let configs = vec![
                config("cleanup.policy", "compact".into()),
                config("compression.type", "uncompressed".into()),
                config("min.insync.replicas", transactions.state_log_min_isr.to_string()),
                config("segment.bytes", transactions.state_log_segment_bytes.to_string()),
                config("unclean.leader.election.enable", "false".into()),
            ];
            Some(topic(transactions.state_log_partitions, transactions.state_log_replication_factor, configs))
        }
        SHARE_GROUP_STATE_TOPIC => {
            let share = internal.share;
            let configs = vec![
                config("cleanup.policy", "delete".into()),
                config("compression.type", "producer".into()),
                config("min.insync.replicas", share.state_topic_min_isr.to_string()),
                config("retention.ms", "-1".into()),
                config("segment.bytes", share.state_topic_segment_bytes.to_string()),
            ];
            Some(topic(share.state_topic_partitions, share.state_topic_replication_factor, configs))
        }
        _ => validate_topic_name(name).is_ok().then(|| topic(-1, -1, Vec::new())),
    }
}
