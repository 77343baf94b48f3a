//! The metadata log at start: replayed, led, this broker registered and unfenced.

use super::Failure;
use crate::base::ErrorCode;
use crate::controller::Decision;
use crate::metadata::features::REGISTERED;
use crate::metadata::store::{MetadataLog, StoreConfig};
use crate::metadata::{MetadataImage, MetadataRecord};
use crate::protocol::Str;
use crate::protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
use crate::protocol::messages::{RegisterBrokerRecord, UnfenceBrokerRecord};
use crate::ring::{clock, runtime};
use crate::shard::{Circumstances, Shard, SharedServices};
use std::rc::Rc;
use std::sync::Arc;

/// Reads what there is and begins a new epoch with this node as leader.
pub async fn open(shard: &Shard) -> Result<MetadataLog, Failure> {
    let config = StoreConfig::of(&shard.shared.config);
    let failed = |e: crate::metadata::store::StoreError| Failure(e.to_string());
    let now = clock::now();
    let replayed = runtime::blocking(move || MetadataLog::replay(config, now)).await.map_err(failed)?;
    replayed.lead(clock::now()).await.map_err(failed)
}

/// Registers this start of the broker, fenced, then unfences it: its epoch is the offset of its own
/// registration (KIP-631).
pub async fn register(shard: &Rc<Shard>) -> Result<(), Failure> {
    let shared = shard.shared.clone();
    let registered = shard.change_metadata(move |image, now| registration(&shared, image, now)).await;
    let node = shard.shared.identity.node_id;
    let unfenced = match registered {
        Ok(epoch) => {
            let record = UnfenceBrokerRecord { id: node.0, epoch };
            shard.change_metadata(move |_, _| Decision { records: vec![record.into()], response: () }).await
        }
        Err(e) => Err(e),
    };
    unfenced.map_err(|e: ErrorCode| Failure(format!("this broker cannot be registered in the metadata log: {e}")))
}

fn registration(shared: &Arc<SharedServices>, _: &MetadataImage, now: &Circumstances) -> Decision<i64> {
    let identity = &shared.identity;
    let epoch = now.next_offset.0;
    let protocol = |listener: &str| {
        shared.config.listeners.advertised.iter().find(|l| l.name == listener).map_or(0, |l| l.protocol.id())
    };
    let mut log_dirs = identity.directory_ids.clone();
    log_dirs.sort_unstable();
    let record = RegisterBrokerRecord {
        broker_id: identity.node_id.0,
        incarnation_id: identity.incarnation_id,
        broker_epoch: epoch,
        end_points: shared
            .endpoints
            .iter()
            .map(|e| BrokerEndpoint {
                name: Str::from(&*e.listener),
                host: Str::from(&*e.host),
                port: e.port,
                security_protocol: protocol(&e.listener),
            })
            .collect(),
        features: REGISTERED
            .iter()
            .map(|f| BrokerFeature { name: f.name.into(), min_supported_version: f.min, max_supported_version: f.max })
            .collect(),
        rack: shared.config.node.rack.as_deref().map(Str::from),
        fenced: true,
        log_dirs,
        ..RegisterBrokerRecord::default()
    };
    Decision { records: vec![MetadataRecord::from(record)], response: epoch }
}
