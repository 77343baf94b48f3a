//! ElectLeaders (`ReplicationControlManager.electLeaders`): on one node only a partition that nobody leads can change.

use super::{Decision, RECORDS_PER_REQUEST_MAX, Refusal};
use crate::base::{BrokerId, ErrorCode};
use crate::metadata::{MetadataImage, MetadataRecord, PartitionRegistration};
use crate::protocol::messages::PartitionChangeRecord;
use crate::protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use crate::protocol::messages::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};

/// Which replicas may lead (`ElectionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Election {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica, where nobody leads.
    Unclean,
}

/// Elects leaders for the partitions named, or for all; those of all that need none are left out of the answer.
pub fn elect_leaders(image: &MetadataImage, request: &ElectLeadersRequest) -> Decision<ElectLeadersResponse> {
    // Nothing asked for is nothing wrong, whatever the type.
    if request.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
        return Decision::unchanged(ElectLeadersResponse::default());
    }
    let election = match request.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        unknown => {
            let text = format!("Unknown election type {unknown}");
            return refused(request, &Refusal::new(ErrorCode::InvalidRequest, text));
        }
    };
    let mut records = Vec::new();
    let mut elect = |topic: &str, partition: i32| match elect_leader(image, topic, partition, election) {
        Ok(record) => {
            records.push(record);
            result(partition, None)
        }
        Err(refusal) => result(partition, Some(refusal)),
    };
    let results = match &request.topic_partitions {
        Some(named) => named
            .iter()
            .map(|topic| ReplicaElectionResult {
                topic: topic.topic.clone(),
                partition_result: topic.partitions.iter().map(|index| elect(&topic.topic, *index)).collect(),
            })
            .collect(),
        None => image
            .topics()
            .map(|topic| {
                let all = topic.partitions.keys().map(|index| elect(&topic.name, *index));
                let needed = |result: &PartitionResult| result.error_code != ErrorCode::ElectionNotNeeded.code();
                ReplicaElectionResult { topic: (&*topic.name).into(), partition_result: all.filter(needed).collect() }
            })
            .collect(),
    };
    if records.len() > RECORDS_PER_REQUEST_MAX {
        return refused(request, &ErrorCode::PolicyViolation.into());
    }
    Decision { records, response: ElectLeadersResponse { replica_election_results: results, ..Default::default() } }
}

fn refused(request: &ElectLeadersRequest, refusal: &Refusal) -> Decision<ElectLeadersResponse> {
    let topic = |topic: &TopicPartitions| ReplicaElectionResult {
        topic: topic.topic.clone(),
        partition_result: topic.partitions.iter().map(|index| result(*index, Some(refusal.clone()))).collect(),
    };
    Decision::unchanged(ElectLeadersResponse {
        error_code: refusal.code.code(),
        replica_election_results: request.topic_partitions.iter().flatten().map(topic).collect(),
        ..Default::default()
    })
}

fn result(partition_id: i32, refusal: Option<Refusal>) -> PartitionResult {
    PartitionResult {
        partition_id,
        error_code: refusal.as_ref().map_or(ErrorCode::None, |refusal| refusal.code).code(),
        error_message: refusal.as_ref().and_then(Refusal::text),
    }
}

fn elect_leader(
    image: &MetadataImage,
    topic_name: &str,
    index: i32,
    election: Election,
) -> Result<MetadataRecord, Refusal> {
    let unknown = |what: String| Refusal::new(ErrorCode::UnknownTopicOrPartition, what);
    let topic = image.topic_by_name(topic_name).ok_or_else(|| unknown(format!("No such topic as {topic_name}")))?;
    let partition =
        topic.partition(index).ok_or_else(|| unknown(format!("No such partition as {topic_name}-{index}")))?;
    let needed = match election {
        Election::Preferred => partition.replicas.first() != Some(&partition.leader),
        Election::Unclean => partition.leader == BrokerId::NONE,
    };
    if !needed {
        let text = "Leader election not needed for topic partition.";
        return Err(Refusal::new(ErrorCode::ElectionNotNeeded, text));
    }
    let change = match election {
        Election::Preferred => preferred(image, partition),
        Election::Unclean => unclean(image, partition),
    }?;
    Ok(PartitionChangeRecord { partition_id: index, topic_id: topic.id, ..change }.into())
}

fn is_active(image: &MetadataImage, id: BrokerId) -> bool {
    image.broker(id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
}

fn preferred(image: &MetadataImage, partition: &PartitionRegistration) -> Result<PartitionChangeRecord, Refusal> {
    let first = partition.replicas.first().copied();
    let able = first.filter(|id| partition.isr.contains(id) && is_active(image, *id));
    match able {
        Some(id) => Ok(PartitionChangeRecord { leader: id.0, ..Default::default() }),
        None => Err(Refusal::new(ErrorCode::PreferredLeaderNotAvailable, "The preferred leader was not available.")),
    }
}

/// What the replica holds becomes the partition: nobody is left who could know more.
fn unclean(image: &MetadataImage, partition: &PartitionRegistration) -> Result<PartitionChangeRecord, Refusal> {
    let in_sync = partition.isr.iter().chain(&partition.elr).chain(&partition.replicas).copied();
    let Some(id) = in_sync.into_iter().find(|id| is_active(image, *id)) else {
        let text = "Eligible topic partition leaders are not available.";
        return Err(Refusal::new(ErrorCode::EligibleLeadersNotAvailable, text));
    };
    let mut change = PartitionChangeRecord { leader: id.0, ..Default::default() };
    if partition.isr != [id] {
        change.isr = Some(vec![id.0]);
    }
    if !partition.elr.is_empty() {
        change.eligible_leader_replicas = Some(Vec::new());
    }
    if !partition.last_known_elr.is_empty() {
        change.last_known_elr = Some(Vec::new());
    }
    Ok(change)
}
