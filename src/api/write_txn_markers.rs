//! WriteTxnMarkers (key 27, v1-2): the end of transactions, written to partitions: another coordinator's, or that of a
//! hanging transaction by an administrator (KIP-98, 664).

use super::RequestContext;
use super::reply::Close;
use crate::base::local::join_all;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, TopicIdPartition};
use crate::coordinator::group::TxnEnd;
use crate::coordinator::transaction::bumps_epochs;
use crate::metadata::MetadataImage;
use crate::protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use crate::protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use crate::protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use crate::record::control::EndTxnMarker;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: WriteTxnMarkersRequest) -> Result<WriteTxnMarkersResponse, Close> {
    let image = ctx.shard.image();
    let asked: Vec<_> = request
        .markers
        .iter()
        .map(|marker| Box::pin(ctx.shard.end_transaction_in(end_of(marker), known(&image, marker))))
        .collect();
    // All at once: each core has its part before any has answered.
    let answers = join_all(asked).await;
    let mut markers = Vec::with_capacity(answers.len());
    for (marker, answers) in request.markers.iter().zip(answers) {
        let mut result = unknown(marker);
        for ((topic, partition), error) in answers {
            if let Some(place) = result.topics.get_mut(topic).and_then(|t| t.partitions.get_mut(partition)) {
                place.error_code = error.code();
            }
        }
        markers.push(result);
    }
    Ok(WriteTxnMarkersResponse { markers })
}

fn end_of(marker: &WritableTxnMarker) -> TxnEnd {
    TxnEnd {
        producer: ProducerId(marker.producer_id),
        epoch: ProducerEpoch(marker.producer_epoch),
        marker: EndTxnMarker { commit: marker.transaction_result, coordinator_epoch: marker.coordinator_epoch },
        raised: bumps_epochs(i16::from(marker.transaction_version)),
    }
}

/// The partitions there are, under their places in the request.
fn known(image: &MetadataImage, marker: &WritableTxnMarker) -> Vec<((usize, usize), TopicIdPartition)> {
    let mut known = Vec::new();
    for (at, topic) in marker.topics.iter().enumerate() {
        let Some(found) = image.topic_by_name(&topic.name) else { continue };
        for (place, &partition) in topic.partition_indexes.iter().enumerate() {
            if found.partition(partition).is_some() {
                known.push(((at, place), TopicIdPartition { topic_id: found.id, partition }));
            }
        }
    }
    known
}

/// The answer as long as nothing was written.
fn unknown(marker: &WritableTxnMarker) -> WritableTxnMarkerResult {
    let partition = |&partition_index: &i32| WritableTxnMarkerPartitionResult {
        partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
    };
    let topic = |topic: &WritableTxnMarkerTopic| WritableTxnMarkerTopicResult {
        name: topic.name.clone(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    };
    WritableTxnMarkerResult { producer_id: marker.producer_id, topics: marker.topics.iter().map(topic).collect() }
}
