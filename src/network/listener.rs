//! Listening: each address is bound once, then every core accepts on it with SO_REUSEPORT.

use super::connection::Connection;
use super::idle::Connections;
use crate::api::ConnectionInfo;
use crate::ring::net::{Listener, ListenerOptions, Stream};
use crate::ring::runtime;
use crate::shard::Shard;
use futures_lite::future;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Who everyone is on a PLAINTEXT listener.
const ANONYMOUS: &str = "User:ANONYMOUS";

/// A named listener's address, as bound.
#[derive(Clone, Debug)]
pub struct BoundListener {
    /// `PLAINTEXT`, `INTERNAL` ...
    pub name: Arc<str>,
    /// Where it listens; the port is the real one.
    pub address: SocketAddr,
}

/// Accepts on all `listeners` on this core until the broker stops, and serves what connects.
pub fn serve(shard: &Rc<Shard>, listeners: &[BoundListener]) -> std::io::Result<Rc<Connections>> {
    let connections = Rc::new(Connections::default());
    let network = &shard.shared.config.network;
    let options = ListenerOptions {
        backlog: network.socket_listen_backlog_size,
        send_buffer_bytes: usize::try_from(network.socket_send_buffer_bytes).ok(),
        receive_buffer_bytes: usize::try_from(network.socket_receive_buffer_bytes).ok(),
    };
    for bound in listeners {
        let listener = Listener::bind(bound.address, options)?;
        runtime::spawn(accept(shard.clone(), connections.clone(), listener, bound.name.clone())).detach();
    }
    if let Ok(max_idle @ 1..) = u64::try_from(shard.shared.config.network.connections_max_idle_ms) {
        let sweep = connections.clone().sweep_idle(shard.clone(), Duration::from_millis(max_idle));
        runtime::spawn(sweep).detach();
    }
    Ok(connections)
}

async fn accept(shard: Rc<Shard>, connections: Rc<Connections>, listener: Listener, name: Arc<str>) {
    loop {
        let accepted = async { Some(listener.accept().await) };
        let stopped = async {
            shard.until_stopping().await;
            None
        };
        match future::or(stopped, accepted).await {
            None => return,
            Some(Ok((stream, peer))) => begin(&shard, &connections, stream, peer, &name),
            Some(Err(e)) => {
                shard.shared.log_limits.warn(
                    "accept",
                    &format!("cannot accept connections on {name}: {e}"),
                    shard.now().mono,
                );
            }
        }
    }
}

fn begin(shard: &Rc<Shard>, connections: &Rc<Connections>, stream: Stream, peer: SocketAddr, name: &Arc<str>) {
    let Some(permit) = shard.shared.connection_limits.admit(peer.ip().to_canonical()) else {
        let text = format!("connection from {peer} refused: max.connections or max.connections.per.ip is reached");
        shard.shared.log_limits.warn("limit", &text, shard.now().mono);
        shard.stats.connections_refused.set(shard.stats.connections_refused.get() + 1);
        return;
    };
    let info = ConnectionInfo {
        listener: name.clone(),
        peer,
        software: RefCell::default(),
        principal: ANONYMOUS.into(),
        ending: Default::default(),
    };
    let connection = Connection::new(stream, info, shard.now().mono);
    connections.add(&connection);
    shard.stats.connections_taken.set(shard.stats.connections_taken.get() + 1);
    let shard = shard.clone();
    runtime::spawn(async move {
        let open = &shard.stats.connections;
        open.set(open.get() + 1);
        connection.serve(shard.clone()).await;
        open.set(open.get() - 1);
        drop(permit);
    })
    .detach();
}
