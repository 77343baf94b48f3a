//! ShareAcknowledge (key 79, v1-2): a member's word on records it holds (KIP-932, KIP-1222).

use super::RequestContext;
use super::reply::Close;
use super::share_member::{self, Acknowledged, Member, batch, session_error, told};
use crate::base::ErrorCode;
use crate::protocol::messages::share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
use crate::protocol::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};
use crate::shard::share::session::{FINAL_EPOCH, INITIAL_EPOCH, SessionError, SessionId};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: ShareAcknowledgeRequest) -> Result<ShareAcknowledgeResponse, Close> {
    let taken = Member::of(ctx, request.group_id.as_ref(), request.member_id.as_ref())
        .and_then(|who| Ok((session(ctx, &who, request.share_session_epoch)?, who)));
    let (ending, who) = match taken {
        Ok(taken) => taken,
        Err(error) => return Ok(ShareAcknowledgeResponse { error_code: error.code(), ..Default::default() }),
    };
    let outcomes = share_member::acknowledge(ctx, &who, asked(&request), request.is_renew_ack).await;
    if let Some(session) = ending {
        share_member::end_session(ctx, &who, session);
    }
    let mut outcomes = outcomes.into_iter();
    let topics = request.topics.iter().map(|topic| ShareAcknowledgeTopicResponse {
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| {
                let outcome = outcomes.next().unwrap_or(Err(ErrorCode::UnknownServerError.into()));
                let (error_code, error_message) = told(outcome);
                let partition_index = partition.partition_index;
                PartitionData { partition_index, error_code, error_message, ..Default::default() }
            })
            .collect(),
    });
    Ok(ShareAcknowledgeResponse {
        acquisition_lock_timeout_ms: ctx.shard.share_settings(&who.group).record_lock_duration_ms,
        responses: topics.collect(),
        ..Default::default()
    })
}

/// Steps the session on; it comes back where this request is its last.
fn session(ctx: &RequestContext, who: &Member, epoch: i32) -> Result<Option<SessionId>, ErrorCode> {
    let mut sessions = ctx.shard.share_queues.sessions.borrow_mut();
    match epoch {
        INITIAL_EPOCH => Err(ErrorCode::InvalidShareSessionEpoch),
        FINAL_EPOCH => {
            let session = sessions.get(&who.group, &who.member).ok_or(session_error(SessionError::NotFound))?;
            Ok(Some(session.id))
        }
        epoch => {
            sessions.advance(&who.group, &who.member, epoch, &[], &[]).map_err(session_error)?;
            Ok(None)
        }
    }
}

fn asked(request: &ShareAcknowledgeRequest) -> Vec<Acknowledged> {
    let mut asked = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let batches = partition.acknowledgement_batches.iter();
            asked.push(Acknowledged {
                id: share_member::partition(topic.topic_id, partition.partition_index),
                batches: batches.map(|b| batch(b.first_offset, b.last_offset, &b.acknowledge_types)).collect(),
            });
        }
    }
    asked
}
