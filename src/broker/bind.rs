//! Addresses: resolved and bound once without SO_REUSEPORT, so that a taken port stops the start
//! with a sentence instead of sharing it with a stranger.

use super::Failure;
use crate::config::ListenerConfig;
use crate::network::BoundListener;
use crate::ring::net;
use crate::shard::Endpoint;
use std::net::SocketAddr;

/// Binds every listener; port 0 becomes the port the kernel chose.
pub fn bind(listeners: &[ListenerConfig]) -> Result<Vec<BoundListener>, Failure> {
    let mut bound = Vec::new();
    for listener in listeners {
        let addresses = net::resolve(&listener.host, listener.port)
            .map_err(|e| Failure(format!("listeners={listener}: the address cannot be resolved: {e}")))?;
        let address: SocketAddr = net::reserve(&addresses).map_err(|e| {
            Failure(format!("listeners={listener}: cannot listen: {e}. Is another broker running on this port?"))
        })?;
        bound.push(BoundListener { name: listener.name.as_str().into(), address });
    }
    Ok(bound)
}

/// What clients are told: the advertised endpoints, with the real port where 0 was asked for.
pub fn endpoints(advertised: &[ListenerConfig], bound: &[BoundListener]) -> Vec<Endpoint> {
    let real_port = |name: &str| bound.iter().find(|b| &*b.name == name).map_or(0, |b| b.address.port());
    advertised
        .iter()
        .map(|a| Endpoint {
            listener: a.name.as_str().into(),
            host: a.host.as_str().into(),
            port: if a.port == 0 { real_port(&a.name) } else { a.port },
        })
        .collect()
}
