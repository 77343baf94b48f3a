//! Topics: which there are, and what they are made of.

use super::cluster::{At, Cluster};
use super::error::ClientError;
use crate::base::topic::is_internal;
use crate::base::{ErrorCode, Uuid};
use crate::protocol::Str;
use crate::protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use crate::protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition;
use crate::protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use crate::protocol::messages::{DescribeTopicPartitionsRequest, ListPartitionReassignmentsRequest};
use std::collections::BTreeMap;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; zero where the brokers have none.
    pub id: Uuid,
    /// Written by coordinators only.
    pub internal: bool,
    /// By index.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// From 0.
    pub index: i32,
    /// `None` while it has none.
    pub leader: Option<i32>,
    /// The leader's term; -1 where it is not told.
    pub leader_epoch: i32,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub isr: Vec<i32>,
    /// Those that may lead beside the ISR (KIP-966); `None` where brokers do not say.
    pub elr: Option<Vec<i32>>,
    /// The last ELR known; `None` where brokers do not say.
    pub last_known_elr: Option<Vec<i32>>,
}

impl From<&MetadataResponsePartition> for Partition {
    fn from(partition: &MetadataResponsePartition) -> Self {
        Self {
            index: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.clone(),
            isr: partition.isr_nodes.clone(),
            elr: None,
            last_known_elr: None,
        }
    }
}

impl From<&DescribeTopicPartitionsResponsePartition> for Partition {
    fn from(partition: &DescribeTopicPartitionsResponsePartition) -> Self {
        Self {
            index: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.clone(),
            isr: partition.isr_nodes.clone(),
            // As Kafka's client reads them: absent is none.
            elr: Some(partition.eligible_leader_replicas.clone().unwrap_or_default()),
            last_known_elr: Some(partition.last_known_elr.clone().unwrap_or_default()),
        }
    }
}

fn of_metadata(topic: &MetadataResponseTopic) -> Topic {
    let mut partitions: Vec<Partition> = topic.partitions.iter().map(Partition::from).collect();
    partitions.sort_by_key(|partition| partition.index);
    let name = topic.name.as_deref().unwrap_or_default().to_owned();
    Topic { id: topic.topic_id, internal: topic.is_internal || is_internal(&name), name, partitions }
}

impl Cluster {
    /// All topics, by name.
    ///
    /// # Errors
    /// As of a call.
    pub fn topics(&mut self) -> Result<BTreeMap<String, Topic>, ClientError> {
        self.call(|cluster| {
            let answer = cluster.metadata(None)?;
            let sound = answer.topics.iter().filter(|topic| topic.error_code == 0).map(of_metadata);
            Ok(sound.map(|topic| (topic.name.clone(), topic)).collect())
        })
    }

    /// The topics with these names.
    ///
    /// # Errors
    /// Also when one of them is not there.
    pub fn topics_named(&mut self, names: &[&str]) -> Result<BTreeMap<String, Topic>, ClientError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.call(|cluster| {
            let answer = cluster.metadata(Some(names))?;
            let mut topics = BTreeMap::new();
            for topic in &answer.topics {
                ClientError::check(topic.error_code, None)?;
                topics.insert(topic.name.as_deref().unwrap_or_default().to_owned(), of_metadata(topic));
            }
            Ok(topics)
        })
    }

    /// The topics with these names and all the brokers tell of them (DescribeTopicPartitions, else Metadata).
    ///
    /// # Errors
    /// Also when one of them is not there.
    pub fn describe_topics(&mut self, names: &[&str], at_a_time: i32) -> Result<BTreeMap<String, Topic>, ClientError> {
        match self.call(|cluster| cluster.describe_pages(names, at_a_time)) {
            Err(ClientError::Unsupported(_)) => self.topics_named(names),
            done => done,
        }
    }

    fn describe_pages(&mut self, names: &[&str], at_a_time: i32) -> Result<BTreeMap<String, Topic>, ClientError> {
        let mut sorted: Vec<&str> = names.to_vec();
        sorted.sort_unstable();
        let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let from = cursor.as_ref().map_or("", |cursor| &*cursor.topic_name);
            let request = DescribeTopicPartitionsRequest {
                topics: sorted
                    .iter()
                    .filter(|name| **name >= from)
                    .map(|name| TopicRequest { name: Str::from(*name) })
                    .collect(),
                response_partition_limit: at_a_time,
                cursor: cursor.clone(),
            };
            let answer = self.ask(At::Any, &request)?;
            for page in &answer.topics {
                ClientError::check(page.error_code, None)?;
                let name = page.name.as_deref().unwrap_or_default().to_owned();
                let topic = topics.entry(name.clone()).or_insert_with(|| Topic {
                    name,
                    id: page.topic_id,
                    internal: page.is_internal,
                    partitions: Vec::new(),
                });
                topic.partitions.extend(page.partitions.iter().map(Partition::from));
            }
            let next = answer
                .next_cursor
                .map(|next| Cursor { topic_name: next.topic_name.copied(), partition_index: next.partition_index });
            if next.is_none() || next == cursor {
                return Ok(topics);
            }
            cursor = next;
        }
    }

    /// The reassignments in progress: replicas, and of these the added and the removed ones. None where the brokers
    /// do not tell.
    ///
    /// # Errors
    /// As of a call.
    pub fn reassignments(&mut self) -> Result<BTreeMap<(String, i32), Reassignment>, ClientError> {
        let listed = self.call(|cluster| {
            let answer = cluster.ask(At::Controller, &ListPartitionReassignmentsRequest::default())?;
            ClientError::check(answer.error_code, answer.error_message.as_deref()).map(|()| answer)
        });
        let answer = match listed {
            Ok(answer) => answer,
            Err(ClientError::Unsupported(_) | ClientError::Broker(ErrorCode::ClusterAuthorizationFailed, _)) => {
                return Ok(BTreeMap::new());
            }
            Err(error) => return Err(error),
        };
        let mut found = BTreeMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let reassignment = Reassignment {
                    replicas: partition.replicas.clone(),
                    adding: partition.adding_replicas.clone(),
                    removing: partition.removing_replicas.clone(),
                };
                found.insert((topic.name.to_string(), partition.partition_index), reassignment);
            }
        }
        Ok(found)
    }
}

/// A partition on its way to other brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// All replicas for now.
    pub replicas: Vec<i32>,
    /// Those that come.
    pub adding: Vec<i32>,
    /// Those that go.
    pub removing: Vec<i32>,
}
