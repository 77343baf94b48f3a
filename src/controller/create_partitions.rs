//! CreatePartitions (`ReplicationControlManager.createPartitions`).

use super::assignment::Placer;
use super::{Decision, RECORDS_PER_REQUEST_MAX, Refusal};
use crate::base::ErrorCode;
use crate::metadata::{MetadataImage, MetadataRecord};
use crate::protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use crate::protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use std::collections::HashSet;

/// Raises partition counts; each topic by itself succeeds or fails. `start` (any number) decides where replicas begin.
pub fn create_partitions(
    image: &MetadataImage,
    request: &CreatePartitionsRequest,
    start: usize,
) -> Decision<Vec<CreatePartitionsTopicResult>> {
    let mut seen = HashSet::new();
    let twice: HashSet<&str> =
        request.topics.iter().map(|topic| &*topic.name).filter(|name| !seen.insert(*name)).collect();
    let (mut records, mut results) = (Vec::new(), Vec::new());
    let mut placer = Placer::new(image, start);
    for name in &twice {
        results.push(result(name, Some(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))));
    }
    for topic in request.topics.iter().filter(|topic| !twice.contains(&*topic.name)) {
        let refusal = match add(image, topic, &mut placer) {
            Ok(new) if records.len() + new.len() > RECORDS_PER_REQUEST_MAX => {
                let text = "Unable to perform excessively large batch operation.";
                Some(Refusal::new(ErrorCode::PolicyViolation, text))
            }
            Ok(mut new) => {
                records.append(&mut new);
                None
            }
            Err(refusal) => Some(refusal),
        };
        results.push(result(&topic.name, refusal));
    }
    if request.validate_only {
        records.clear();
    }
    Decision { records, response: results }
}

fn result(name: &str, refusal: Option<Refusal>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult {
        name: name.into(),
        error_code: refusal.as_ref().map_or(ErrorCode::None, |refusal| refusal.code).code(),
        error_message: refusal.as_ref().and_then(Refusal::text),
    }
}

fn add(
    image: &MetadataImage,
    request: &CreatePartitionsTopic,
    placer: &mut Placer<'_>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let topic = image.topic_by_name(&request.name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let present = topic.partition_count();
    let additional = request.count.saturating_sub(present);
    if additional <= 0 {
        let text = match additional {
            0 => format!("Topic already has {present} partition(s)."),
            _ => format!(
                "The topic {} currently has {present} partition(s); {} would not be an increase.",
                request.name, request.count
            ),
        };
        return Err(Refusal::new(ErrorCode::InvalidPartitions, text));
    }
    if additional as usize > RECORDS_PER_REQUEST_MAX {
        let text = "Unable to perform excessively large batch operation.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, text));
    }
    let factor = topic.partitions.values().next().map_or(1, |partition| partition.replicas.len());
    let version = image.metadata_version();
    let mut records = Vec::new();
    for index in 0..additional {
        let partition = match &request.assignments {
            None => placer.place(factor as i16)?,
            Some(given) => {
                let refused = |text: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, text);
                let assignment = given.get(index as usize).filter(|_| given.len() == additional as usize);
                let assignment = assignment.ok_or_else(|| {
                    refused(format!(
                        "Attempted to add {additional} additional partition(s), but only {} assignment(s) were \
                         specified.",
                        given.len()
                    ))
                })?;
                placer.place_manually(&assignment.broker_ids, present + index, Some(factor))?
            }
        };
        records.push(partition.record(topic.id, present + index, version).into());
    }
    Ok(records)
}
