//! Creating, altering and deleting.

use super::super::Streams;
use super::{Arguments, Failure, chosen_that_exist};
use crate::base::ErrorCode;
use crate::client::cluster::At;
use crate::client::{ClientError, Cluster};
use crate::protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use crate::protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use crate::protocol::messages::delete_topics_request::DeleteTopicState;
use crate::protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use std::collections::BTreeSet;

/// How long the broker may take before it answers, in ms.
const TIMEOUT_MS: i32 = 30_000;

pub fn create(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let name = arguments.topic.as_deref().unwrap_or_default();
    let assignment = arguments.replica_assignment.as_deref().map_or(Ok(Vec::new()), assignment)?;
    let configs = configs(&arguments.config)?;
    if name.contains(['.', '_']) {
        writeln!(
            streams.out,
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both."
        )?;
    }
    if arguments.replication_factor.is_some_and(|factor| !(1..=i32::from(i16::MAX)).contains(&factor)) {
        return Err(Failure::Said(format!("The replication factor must be between 1 and {} inclusive", i16::MAX)));
    }
    if arguments.partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Failure::Said("The partitions must be greater than 0".into()));
    }
    let numbered = assignment.iter().zip(0..);
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: arguments.partitions.unwrap_or(-1),
        replication_factor: arguments.replication_factor.and_then(|factor| i16::try_from(factor).ok()).unwrap_or(-1),
        assignments: numbered
            .map(|(brokers, index)| CreatableReplicaAssignment { partition_index: index, broker_ids: brokers.clone() })
            .collect(),
        configs: configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig { name: name.into(), value: Some(value.into()) })
            .collect(),
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, validate_only: false };
    let done = cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &request)?;
        answer.topics.iter().try_for_each(|topic| ClientError::check(topic.error_code, topic.error_message.as_deref()))
    });
    match done {
        Ok(()) => Ok(writeln!(streams.out, "Created topic {name}.")?),
        Err(ClientError::Broker(ErrorCode::TopicAlreadyExists, _)) if arguments.if_not_exists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub fn alter(arguments: &Arguments, cluster: &mut Cluster) -> Result<(), Failure> {
    let assignment = arguments.replica_assignment.as_deref().map_or(Ok(Vec::new()), assignment)?;
    let topics = chosen_that_exist(arguments, cluster)?;
    if topics.is_empty() {
        return Ok(());
    }
    let topic = |topic: &crate::client::topics::Topic| CreatePartitionsTopic {
        name: topic.name.as_str().into(),
        count: arguments.partitions.unwrap_or_default(),
        // What is assigned counts from the first partition; those that are there stay where they are.
        assignments: (!assignment.is_empty()).then(|| {
            let new = assignment.iter().skip(topic.partitions.len());
            new.map(|brokers| CreatePartitionsAssignment { broker_ids: brokers.clone() }).collect()
        }),
    };
    let request = CreatePartitionsRequest {
        topics: topics.iter().map(topic).collect(),
        timeout_ms: TIMEOUT_MS,
        validate_only: false,
    };
    cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &request)?;
        answer.results.iter().try_for_each(|topic| ClientError::check(topic.error_code, topic.error_message.as_deref()))
    })?;
    Ok(())
}

pub fn delete(arguments: &Arguments, cluster: &mut Cluster) -> Result<(), Failure> {
    let topics = chosen_that_exist(arguments, cluster)?;
    if topics.is_empty() {
        return Ok(());
    }
    let state = |topic: &crate::client::topics::Topic| DeleteTopicState {
        name: Some(topic.name.as_str().into()),
        ..DeleteTopicState::default()
    };
    let request = DeleteTopicsRequest {
        topics: topics.iter().map(state).collect(),
        timeout_ms: TIMEOUT_MS,
        ..DeleteTopicsRequest::default()
    };
    cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &request)?;
        let mut topics = answer.responses.iter();
        topics.try_for_each(|topic| ClientError::check(topic.error_code, topic.error_message.as_deref()))
    })?;
    Ok(())
}

/// `key=value` with blanks round the sign.
fn configs(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| {
        let (key, value) = text.split_once('=').map(|(key, value)| (key.trim(), value.trim()))?;
        (!key.is_empty() && !value.is_empty() && !value.contains('=')).then(|| (key.to_owned(), value.to_owned()))
    };
    let wrong = "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".";
    given.iter().map(pair).collect::<Option<_>>().ok_or_else(|| Failure::Said(wrong.into()))
}

/// `0:1,1:2`: the brokers of each partition.
fn assignment(text: &str) -> Result<Vec<Vec<i32>>, Failure> {
    let mut partitions: Vec<Vec<i32>> = Vec::new();
    for list in text.split(',').filter(|list| !list.is_empty()) {
        let brokers: Result<Vec<i32>, _> = list.split(':').map(|id| id.trim().parse::<i32>()).collect();
        let brokers = brokers.map_err(|_| Failure::Said(format!("For input string: \"{list}\"")))?;
        let mut seen = BTreeSet::new();
        let twice: Vec<String> = brokers.iter().filter(|id| !seen.insert(**id)).map(ToString::to_string).collect();
        if !twice.is_empty() {
            let twice = twice.join(",");
            return Err(Failure::Said(format!("Partition replica lists may not contain duplicate entries: {twice}")));
        }
        if partitions.first().is_some_and(|first| first.len() != brokers.len()) {
            let index = partitions.len();
            return Err(Failure::Said(format!("Partition {index} has different replication factor: {brokers:?}")));
        }
        partitions.push(brokers);
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T>(result: Result<T, Failure>) -> String {
        match result {
            Err(Failure::Said(why)) => why,
            _ => String::new(),
        }
    }

    #[test]
    fn assignments_are_lists_of_brokers_of_one_length_without_repetition() {
        assert_eq!(assignment("0:1,1:2").ok(), Some(vec![vec![0, 1], vec![1, 2]]));
        assert!(said(assignment("0:0")).contains("duplicate entries: 0"));
        assert!(said(assignment("0:1,2")).contains("Partition 1 has different replication factor"));
        assert!(said(assignment("a")).contains("a"));
    }

    #[test]
    fn configurations_need_a_key_and_a_value() {
        assert_eq!(configs(&["a = b".into()]).ok(), Some(vec![("a".into(), "b".into())]));
        for wrong in ["a", "a=", "=b", "a=b=c"] {
            assert!(said(configs(&[wrong.into()])).contains("key=val"), "{wrong}");
        }
    }
}
