//! Metadata (key 3, v0-13): brokers, topics, leaders; creates topics on demand (KIP-4, 516).

use super::RequestContext;
use super::reply::Close;
use super::topic_view::{CLUSTER_OPERATIONS, TOPIC_OPERATIONS, View, raw};
use crate::base::topic::{is_internal, validate_topic_name};
use crate::base::{ErrorCode, Uuid};
use crate::metadata::TopicImage;
use crate::protocol::Str;
use crate::protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use std::collections::HashSet;

/// In v0 no topics means all of them.
const EMPTY_MEANS_ALL: i16 = 0;
/// Up to here a replica that is not in service is left out and reported as an error.
const HIDES_OFFLINE: i16 = 0;
/// From here a leader without the client's listener is told apart from no leader.
const LISTENER_ERRORS_FROM: i16 = 6;
/// From here topics may be asked for by id.
const IDS_FROM: i16 = 12;
/// From here the response as a whole has an error, too.
const ERROR_FROM: i16 = 13;
/// Up to here the response can say what the client may do to the cluster.
const CLUSTER_OPERATIONS_UPTO: i16 = 10;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: MetadataRequest) -> Result<MetadataResponse, Close> {
    let image = ctx.shard.image();
    let view = View { image: &image, listener: &ctx.connection.listener };
    let named = request.topics.as_deref().filter(|topics| !(ctx.api_version == EMPTY_MEANS_ALL && topics.is_empty()));
    let mut topics = match named {
        None => image.topics().map(|topic| describe(ctx, view, topic)).collect(),
        Some(named) => match wrongly_named(named, ctx.api_version) {
            Some(error) => return Ok(refused(named, ctx.api_version, error)),
            None => asked(ctx, view, named, request.allow_auto_topic_creation),
        },
    };
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.error_code != ErrorCode::UnknownTopicId.code()) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    let brokers = view.live_brokers().map(|(broker, endpoint)| MetadataResponseBroker {
        node_id: broker.id.0,
        host: (&*endpoint.host).into(),
        port: i32::from(endpoint.port),
        rack: broker.rack.as_deref().map(Into::into),
    });
    let operations = request.include_cluster_authorized_operations && ctx.api_version <= CLUSTER_OPERATIONS_UPTO;
    Ok(MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some((&*ctx.shard.shared.identity.cluster_id).into()),
        controller_id: view.controller(ctx.shard.random_u64()).0,
        topics,
        cluster_authorized_operations: if operations { CLUSTER_OPERATIONS } else { i32::MIN },
        ..Default::default()
    })
}

/// Versions 10 and 11 have the fields of later ones and not their meaning. Later ones want names where no ids are: Apache
/// Kafka fails inside.
fn wrongly_named(topics: &[MetadataRequestTopic], version: i16) -> Option<ErrorCode> {
    let (unnamed, by_id) = (topics.iter().any(|t| t.name.is_none()), topics.iter().any(|t| !t.topic_id.is_zero()));
    match version < IDS_FROM {
        true => (unnamed || by_id).then_some(ErrorCode::InvalidRequest),
        false => (unnamed && !by_id).then_some(ErrorCode::UnknownServerError),
    }
}

fn refused(topics: &[MetadataRequestTopic], version: i16, error: ErrorCode) -> MetadataResponse {
    let topic = |asked: &MetadataRequestTopic| {
        let name = asked.name.clone().unwrap_or_default();
        MetadataResponseTopic { name: Some(name), topic_id: asked.topic_id, ..failed(None, error) }
    };
    let error_code = if version >= ERROR_FROM { error.code() } else { 0 };
    MetadataResponse { topics: topics.iter().map(topic).collect(), error_code, ..Default::default() }
}

fn failed(name: Option<Str>, error: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: error.code(),
        is_internal: name.as_deref().is_some_and(is_internal),
        name,
        ..Default::default()
    }
}

/// The topics a request names, each once. Where it has ids, its names do not count (as in Kafka).
fn asked(
    ctx: &RequestContext,
    view: View<'_>,
    named: &[MetadataRequestTopic],
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::new();
    let ids: Vec<Uuid> = named.iter().map(|t| t.topic_id).filter(|id| !id.is_zero() && seen.insert(*id)).collect();
    if !ids.is_empty() {
        let by_id = |id: &Uuid| match view.image.topic_by_id(id) {
            Some(topic) => describe(ctx, view, topic),
            None => MetadataResponseTopic { topic_id: *id, ..failed(None, ErrorCode::UnknownTopicId) },
        };
        return ids.iter().map(by_id).collect();
    }
    let may_create = may_create && ctx.shard.shared.config.topics.auto_create;
    let (mut seen, mut to_create) = (HashSet::new(), Vec::new());
    let names = named.iter().filter_map(|topic| topic.name.as_ref()).filter(|name| seen.insert(&***name));
    let mut topics = Vec::new();
    for name in names {
        topics.push(match view.image.topic_by_name(name) {
            Some(topic) => describe(ctx, view, topic),
            None if validate_topic_name(name).is_err() => failed(Some(name.clone()), ErrorCode::InvalidTopicException),
            None => {
                if may_create {
                    to_create.push(name.copied());
                }
                failed(Some(name.clone()), ErrorCode::UnknownTopicOrPartition)
            }
        });
    }
    if !to_create.is_empty() {
        ctx.shard.create_on_demand(to_create);
    }
    topics
}

fn describe(ctx: &RequestContext, view: View<'_>, topic: &TopicImage) -> MetadataResponseTopic {
    let hides = ctx.api_version == HIDES_OFFLINE;
    let partitions = topic.partitions.iter().map(|(index, partition)| {
        let leader = view.leader(partition, ctx.api_version >= LISTENER_ERRORS_FROM);
        let shown = |ids| if hides { view.reachable(ids) } else { raw(ids) };
        let (replicas, isr) = (shown(&partition.replicas), shown(&partition.isr));
        let hidden = replicas.len() < partition.replicas.len() || isr.len() < partition.isr.len();
        let error = if leader.error.is_ok() && hidden { ErrorCode::ReplicaNotAvailable } else { leader.error };
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index: *index,
            leader_id: leader.id.0,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: replicas,
            isr_nodes: isr,
            offline_replicas: view.offline_replicas(partition),
        }
    });
    MetadataResponseTopic {
        name: Some((&*topic.name).into()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        ..Default::default()
    }
}
