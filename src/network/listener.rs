//! Listening: each address is bound once, then every core accepts on it with SO_REUSEPORT.

use super::connection::Connection;
use super::idle::Connections;
use super::moving::{self, Moved, Ways};
use crate::api::ConnectionInfo;
use crate::ring::mailbox::{Receiver, Sender};
use crate::ring::net::{Listener, ListenerOptions, Stream};
use crate::ring::runtime;
use crate::shard::Shard;
use crate::shard::connection_limits::Permit;
use crate::shard::stay::Stay;
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
pub fn serve(shard: &Rc<Shard>, listeners: &[BoundListener], ways: Ways) -> std::io::Result<Rc<Connections>> {
    let served = Served { shard: shard.clone(), connections: Rc::default(), ways: ways.to };
    let connections = served.connections.clone();
    runtime::spawn(served.clone().take_in(ways.arrivals)).detach();
    let network = &shard.shared.config.network;
    let options = ListenerOptions {
        backlog: network.socket_listen_backlog_size,
        send_buffer_bytes: usize::try_from(network.socket_send_buffer_bytes).ok(),
        receive_buffer_bytes: usize::try_from(network.socket_receive_buffer_bytes).ok(),
    };
    for bound in listeners {
        let listener = Listener::bind(bound.address, options)?;
        runtime::spawn(served.clone().accept(listener, bound.name.clone())).detach();
    }
    if let Ok(max_idle @ 1..) = u64::try_from(shard.shared.config.network.connections_max_idle_ms) {
        let sweep = connections.clone().sweep_idle(shard.clone(), Duration::from_millis(max_idle));
        runtime::spawn(sweep).detach();
    }
    Ok(connections)
}

/// What one core serves its connections with.
#[derive(Clone)]
struct Served {
    shard: Rc<Shard>,
    connections: Rc<Connections>,
    ways: Arc<[Sender<Moved>]>,
}

impl Served {
    async fn accept(self, listener: Listener, name: Arc<str>) {
        loop {
            let accepted = async { Some(listener.accept().await) };
            let stopped = async {
                self.shard.until_stopping().await;
                None
            };
            match future::or(stopped, accepted).await {
                None => return,
                Some(Ok((stream, peer))) => self.begin(stream, peer, &name),
                Some(Err(e)) => self.shard.shared.log_limits.warn(
                    "accept",
                    &format!("cannot accept connections on {name}: {e}"),
                    self.shard.now().mono,
                ),
            }
        }
    }

    fn begin(&self, stream: Stream, peer: SocketAddr, name: &Arc<str>) {
        let shard = &self.shard;
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
            traffic: Default::default(),
        };
        shard.stats.connections_taken.set(shard.stats.connections_taken.get() + 1);
        self.go_on(stream, info, Stay::connection(shard.index), permit);
    }

    /// Takes in connections that other cores send.
    async fn take_in(self, mut arrivals: Receiver<Moved>) {
        while let Some(moved) = arrivals.recv().await {
            if self.shard.is_stopping() {
                continue;
            }
            let (detached, info, stay, permit) = moved.arrive(&self.shard);
            self.shard.stats.connections_moved.set(self.shard.stats.connections_moved.get() + 1);
            self.go_on(Stream::attach(detached), info, stay, permit);
        }
    }

    /// Serves a connection until it ends or leaves for another core.
    fn go_on(&self, stream: Stream, info: ConnectionInfo, stay: Stay, permit: Permit) {
        let connection = Connection::new(stream, info, stay, self.shard.now().mono);
        self.connections.add(&connection);
        let (shard, ways) = (self.shard.clone(), self.ways.clone());
        runtime::spawn(async move {
            let open = &shard.stats.connections;
            open.set(open.get() + 1);
            let left = connection.clone().serve(shard.clone()).await;
            open.set(open.get() - 1);
            if let Some((to, detached)) = left {
                let moved = Moved::leaving(&shard, &connection.info, detached, stay.at(to), permit);
                moving::send(&ways, to, moved);
            }
        })
        .detach();
    }
}
