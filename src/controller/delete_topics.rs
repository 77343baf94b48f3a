//! DeleteTopics (`ControllerApis.deleteTopics`).

use super::{Decision, Refusal};
use crate::base::{ErrorCode, Uuid};
use crate::metadata::{MetadataImage, MetadataRecord, TopicImage};
use crate::protocol::Str;
use crate::protocol::messages::RemoveTopicRecord;
use crate::protocol::messages::delete_topics_request::DeleteTopicsRequest;
use crate::protocol::messages::delete_topics_response::DeletableTopicResult;
use std::collections::HashSet;
use std::sync::Arc;

/// What a request names.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Named {
    Name(Str),
    Id(Uuid),
}

/// Deletes topics by name or by id. `enabled` is `delete.topic.enable`; `version` is the request's.
pub fn delete_topics(
    image: &MetadataImage,
    request: &DeleteTopicsRequest,
    version: i16,
    enabled: bool,
) -> Decision<Vec<DeletableTopicResult>> {
    let mut decision = Decision { records: Vec::new(), response: Vec::new() };
    let mut named = Vec::new();
    for name in &request.topic_names {
        named.push(Named::Name(name.clone()));
    }
    for topic in &request.topics {
        match (&topic.name, topic.topic_id.is_zero()) {
            (Some(name), true) => named.push(Named::Name(name.clone())),
            (None, false) => named.push(Named::Id(topic.topic_id)),
            (None, true) => decision.response.push(invalid(None, "Neither topic name nor id were specified.")),
            (Some(name), false) => {
                let both = invalid(Some(name), "You may not specify both topic name and topic id.");
                decision.response.push(DeletableTopicResult { topic_id: topic.topic_id, ..both });
            }
        }
    }
    if !enabled {
        let code = if version < 3 { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
        let refusal = Refusal::new(code, "Topic deletion is disabled.");
        decision.response.extend(named.iter().map(|named| refused(named, &refusal)));
        return decision;
    }
    delete_named(image, named, &mut decision);
    decision
}

fn delete_named(image: &MetadataImage, named: Vec<Named>, decision: &mut Decision<Vec<DeletableTopicResult>>) {
    let mut seen = HashSet::new();
    let twice: HashSet<Named> = named.iter().filter(|named| !seen.insert((*named).clone())).cloned().collect();
    for named in &twice {
        let what = if matches!(named, Named::Name(_)) { "name" } else { "id" };
        let text = format!("Duplicate topic {what}.");
        decision.response.push(refused(named, &Refusal::new(ErrorCode::InvalidRequest, text)));
    }
    let mut deleted = HashSet::new();
    // Ids come first: a name that means a topic already named by its id is the one refused.
    let (ids, names): (Vec<_>, Vec<_>) = named.into_iter().partition(|named| matches!(named, Named::Id(_)));
    for named in ids.into_iter().chain(names).filter(|named| !twice.contains(named)) {
        decision.response.push(match find(image, &named) {
            Err(refusal) => refused(&named, &refusal),
            Ok(topic) if !deleted.insert(topic.id) => {
                let text = "The provided topic name maps to an ID that was already supplied.";
                let result = refused(&named, &Refusal::new(ErrorCode::InvalidRequest, text));
                DeletableTopicResult { topic_id: topic.id, ..result }
            }
            Ok(topic) => {
                decision.records.push(MetadataRecord::from(RemoveTopicRecord { topic_id: topic.id }));
                DeletableTopicResult { name: Some((&*topic.name).into()), topic_id: topic.id, ..Default::default() }
            }
        });
    }
}

fn find<'a>(image: &'a MetadataImage, named: &Named) -> Result<&'a Arc<TopicImage>, Refusal> {
    let unknown = |code, what: &str| Refusal::new(code, format!("This server does not host this {what}."));
    match named {
        Named::Name(name) => {
            image.topic_by_name(name).ok_or_else(|| unknown(ErrorCode::UnknownTopicOrPartition, "topic-partition"))
        }
        Named::Id(id) => image.topic_by_id(id).ok_or_else(|| unknown(ErrorCode::UnknownTopicId, "topic ID")),
    }
}

fn invalid(name: Option<&Str>, text: &str) -> DeletableTopicResult {
    DeletableTopicResult {
        name: name.cloned(),
        error_code: ErrorCode::InvalidRequest.code(),
        error_message: Some(text.into()),
        ..Default::default()
    }
}

fn refused(named: &Named, refusal: &Refusal) -> DeletableTopicResult {
    let (name, topic_id) = match named {
        Named::Name(name) => (Some(name.clone()), Uuid::ZERO),
        Named::Id(id) => (None, *id),
    };
    DeletableTopicResult { name, topic_id, error_code: refusal.code.code(), error_message: refusal.text() }
}
