//! Deleting groups, and offsets of groups.

use super::super::Streams;
use super::{Arguments, Failure, group_ids, partitions_of};
use crate::base::{ErrorCode, TopicPartition};
use crate::client::{ClientError, Cluster};
use std::collections::{BTreeMap, BTreeSet};

pub fn groups(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for id in group_ids(arguments, cluster)? {
        match cluster.delete_group(&id) {
            Ok(()) => done.push(format!("'{id}'")),
            Err(error) => failed.push((id, error)),
        }
    }
    let done = done.join(", ");
    if failed.is_empty() {
        writeln!(streams.out, "Deletion of requested consumer groups ({done}) was successful.")?;
        return Ok(());
    }
    writeln!(streams.out, "\nError: Deletion of some consumer groups failed:")?;
    for (id, error) in failed {
        writeln!(streams.out, "* Group '{id}' could not be deleted due to: {}", error.with_exception())?;
    }
    if !done.is_empty() {
        writeln!(streams.out, "\nThese consumer groups were deleted successfully: {done}")?;
    }
    Ok(())
}

pub fn offsets(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let group = arguments.group.first().map(String::as_str).unwrap_or_default();
    let mut results: BTreeMap<TopicPartition, Option<ClientError>> = BTreeMap::new();
    let mut partitions = BTreeSet::new();
    for topic in &arguments.topic {
        if topic.contains(':') {
            partitions.extend(partitions_of(topic)?);
            continue;
        }
        match cluster.topics_named(&[topic]) {
            Ok(topics) => partitions.extend(topics.values().flat_map(|topic| {
                topic.partitions.iter().map(|partition| TopicPartition::new(&*topic.name, partition.index))
            })),
            Err(error) => drop(results.insert(TopicPartition::new(&**topic, -1), Some(error))),
        }
    }
    let whole = match cluster.delete_offsets(group, &partitions) {
        Ok(done) => {
            let worst = done.values().find_map(|result| result.clone().err());
            results.extend(done.into_iter().map(|(at, result)| (at, result.err())));
            worst
        }
        Err(error) => {
            results.extend(partitions.iter().map(|at| (at.clone(), Some(error.clone()))));
            Some(error)
        }
    };
    use ErrorCode as E;
    match whole.as_ref().map(|error| (error, error.code())) {
        None => writeln!(streams.out, "Request succeeded for deleting offsets from group {group}.")?,
        Some((
            error,
            Some(E::InvalidGroupId | E::GroupIdNotFound | E::GroupAuthorizationFailed | E::NonEmptyGroup),
        )) => {
            writeln!(streams.out, "\nError: {error}")?;
        }
        Some((_, Some(E::GroupSubscribedToTopic | E::TopicAuthorizationFailed | E::UnknownTopicOrPartition))) => {
            writeln!(streams.out, "\nError: Encountered some partition-level error, see the follow-up details.")?;
        }
        Some((_, code)) => {
            let unsupported = matches!(whole, Some(ClientError::Unsupported(_)));
            let unknown = if unsupported { ErrorCode::UnsupportedVersion } else { ErrorCode::UnknownServerError };
            let code = code.unwrap_or(unknown);
            writeln!(streams.out, "\nError: Encountered some unknown error: {code}")?;
        }
    }
    let width = results.keys().map(|at| at.topic.len()).max().unwrap_or(0).max(15);
    write!(streams.out, "\n{:<width$} {:<10} {:<15}", "TOPIC", "PARTITION", "STATUS")?;
    for (at, error) in results {
        let partition = if at.partition < 0 { "-".to_owned() } else { at.partition.to_string() };
        let status = error.map_or("Successful".to_owned(), |error| format!("Error: {}", error.with_exception()));
        write!(streams.out, "\n{:<width$} {partition:<10} {status:<15}", at.topic)?;
    }
    Ok(writeln!(streams.out)?)
}
