//! UnregisterBroker (`ReplicationControlManager.unregisterBroker`): a broker that is gone for good is forgotten.

use super::{Decision, Refusal};
use crate::base::{BrokerId, ErrorCode};
use crate::metadata::MetadataImage;
use crate::protocol::messages::UnregisterBrokerRecord;

/// Forgets broker `id`. `own` is this node: it does not forget itself while it runs (Apache Kafka would serve nothing
/// from then on until it is started again).
pub fn unregister_broker(image: &MetadataImage, id: BrokerId, own: BrokerId) -> Decision<Result<(), Refusal>> {
    let Some(broker) = image.broker(id) else {
        let text = format!("Broker ID {id} is not currently registered");
        return Decision::unchanged(Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, text)));
    };
    if id == own {
        let text = format!("Broker {id} is this node: stop it instead");
        return Decision::unchanged(Err(Refusal::new(ErrorCode::InvalidRequest, text)));
    }
    // It led nothing and was in no in-sync set: this node made itself the only one when it started.
    let record = UnregisterBrokerRecord { broker_id: id.0, broker_epoch: broker.epoch };
    Decision { records: vec![record.into()], response: Ok(()) }
}
