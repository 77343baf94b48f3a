//! The metadata log at start and stop: replayed, led, this broker registered and unfenced; at the end handed over.

use super::Failure;
use crate::base::ErrorCode;
use crate::controller::{BrokerStart, register_broker, shut_down_broker, unfence_broker};
use crate::metadata::BrokerEndpoint;
use crate::metadata::store::{MetadataLog, Peeked, StoreConfig, StoreError};
use crate::ring::{clock, runtime};
use crate::shard::{Shard, SharedServices};
use std::rc::Rc;

/// Reads what there is and begins a new epoch with this node as leader.
/// `peeked` is what the checks before the start read.
pub async fn open(shard: &Shard, peeked: Option<Peeked>) -> Result<MetadataLog, Failure> {
    let config = StoreConfig::of(&shard.shared.config);
    let failed = |e: StoreError| Failure(e.to_string());
    let now = clock::now();
    let replayed = runtime::blocking(move || MetadataLog::replay(config, now, peeked)).await.map_err(failed)?;
    replayed.lead(clock::now()).await.map_err(failed)
}

/// Registers this start of the broker, fenced, then unfences it and has it lead its partitions: its epoch is the
/// offset of its own registration (KIP-631).
pub async fn register(shard: &Rc<Shard>) -> Result<(), Failure> {
    let start = broker_start(&shard.shared);
    let node = start.id;
    let registered = shard.change_metadata(move |image, now| register_broker(image, &start, now.next_offset)).await;
    let unfenced = match registered {
        Ok(_epoch) => shard.change_metadata(move |image, _| unfence_broker(image, node)).await,
        Err(e) => Err(e),
    };
    unfenced.map_err(|e: ErrorCode| Failure(format!("this broker cannot be registered in the metadata log: {e}")))
}

fn broker_start(shared: &SharedServices) -> BrokerStart {
    let protocol = |listener: &str| {
        shared.config.listeners.advertised.iter().find(|l| l.name == listener).map_or(0, |l| l.protocol.id())
    };
    let endpoint = |e: &crate::shard::Endpoint| BrokerEndpoint {
        listener: e.listener.clone(),
        host: e.host.clone(),
        port: e.port,
        security_protocol: protocol(&e.listener),
    };
    BrokerStart {
        id: shared.identity.node_id,
        incarnation_id: shared.identity.incarnation_id,
        endpoints: shared.endpoints.iter().map(endpoint).collect(),
        rack: shared.config.node.rack.clone(),
        log_dirs: shared.identity.directory_ids.clone(),
    }
}

/// The last words of a clean stop: this broker leads nothing and is fenced. Nobody is told, as nobody serves any more.
pub async fn hand_over(shard: &Shard, log: &mut MetadataLog) -> Result<(), StoreError> {
    let decision = shut_down_broker(log.image(), shard.shared.identity.node_id);
    if !decision.records.is_empty() {
        log.append(decision.records, clock::now()).await?;
    }
    Ok(())
}
