//! Addresses: resolved and bound once without SO_REUSEPORT, so that a taken port stops the start
//! with a sentence instead of sharing it with a stranger.

use super::Failure;
use crate::config::ListenerConfig;
use crate::network::BoundListener;
use crate::ring::net::{self, Reservation};
use crate::shard::Endpoint;

/// Addresses held until all cores listen on them.
pub struct Held {
    /// The listeners, with their real ports.
    pub listeners: Vec<BoundListener>,
    _reservations: Vec<Reservation>,
}

/// Binds every listener; port 0 becomes the port the kernel chose.
pub fn bind(listeners: &[ListenerConfig]) -> Result<Held, Failure> {
    let mut bound = Vec::new();
    let mut reservations = Vec::new();
    for listener in listeners {
        let address = net::resolve(&listener.host, listener.port)
            .map_err(|e| Failure(format!("listeners={listener}: the address cannot be resolved: {e}")))?;
        let reservation = net::reserve(address)
            .map_err(|e| Failure(format!("listeners={listener}: {e}. Is another broker running on this port?")))?;
        bound.push(BoundListener { name: listener.name.as_str().into(), address: reservation.address() });
        reservations.push(reservation);
    }
    Ok(Held { listeners: bound, _reservations: reservations })
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
