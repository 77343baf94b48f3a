//! The one thing the broker reads of a consumer's opaque metadata: the topics it wants.

use crate::protocol::messages::ConsumerProtocolSubscription;
use crate::protocol::{Decoder, Message};
use bytes::Bytes;

/// The topics of a `consumer` protocol subscription, whatever its version; `None` when unreadable.
pub fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    if metadata.len() < 2 {
        return None;
    }
    // Later versions only append: version 0 reads the topics of all.
    let subscription = ConsumerProtocolSubscription::decode(&mut Decoder::new(metadata.slice(2..)), 0).ok()?;
    Some(subscription.topics.iter().map(|t| t.to_string()).collect())
}
