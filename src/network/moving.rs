//! A connection on its way from one core to another: between two requests, with nothing in flight.

use crate::api::ConnectionInfo;
use crate::api::Traffic;
use crate::ring::mailbox::{self, Receiver, Sender};
use crate::ring::net::Detached;
use crate::shard::connection_limits::Permit;
use crate::shard::fetch_session::Session;
use crate::shard::stay::Stay;
use crate::shard::{Shard, ShardIndex};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

/// What travels.
pub struct Moved {
    pub(super) detached: Detached,
    pub(super) stay: Stay,
    pub(super) permit: Permit,
    listener: Arc<str>,
    peer: SocketAddr,
    software: Option<(String, String)>,
    principal: Arc<str>,
    session: Option<(i32, Session)>,
}

/// One core's end: where connections arrive, and the way to all cores.
pub struct Ways {
    pub(super) arrivals: Receiver<Moved>,
    pub(super) to: Arc<[Sender<Moved>]>,
}

impl Ways {
    /// One for each of `cores`, in their order.
    pub fn among(cores: usize) -> Vec<Self> {
        let (to, arrivals): (Vec<_>, Vec<_>) = (0..cores).map(|_| mailbox::channel()).unzip();
        let to: Arc<[_]> = to.into();
        arrivals.into_iter().map(|arrivals| Self { arrivals, to: to.clone() }).collect()
    }
}

impl Moved {
    /// `info`'s connection leaves `shard`, and its fetch session with it.
    pub fn leaving(shard: &Shard, info: &ConnectionInfo, detached: Detached, stay: Stay, permit: Permit) -> Self {
        let session = info.traffic.session();
        let session = session.and_then(|id| Some((id, shard.fetch_sessions.borrow_mut().take(id)?)));
        Self {
            detached,
            stay,
            permit,
            listener: info.listener.clone(),
            peer: info.peer,
            software: info.software.borrow().clone(),
            principal: info.principal.clone(),
            session,
        }
    }

    /// What its requests are told of it on `shard`, where it arrives.
    pub fn arrive(self, shard: &Shard) -> (Detached, ConnectionInfo, Stay, Permit) {
        // Where the id is taken, or there is no room, the client is told so at its next fetch and opens another.
        let put = |(id, session)| shard.fetch_sessions.borrow_mut().put(id, session).then_some(id);
        let session = self.session.and_then(put);
        let info = ConnectionInfo {
            listener: self.listener,
            peer: self.peer,
            software: RefCell::new(self.software),
            principal: self.principal,
            ending: Default::default(),
            traffic: Traffic::arrived(session),
        };
        (self.detached, info, self.stay, self.permit)
    }
}

/// Sends a connection to core `to`. Where that has left, the broker stops: the connection ends.
pub fn send(ways: &[Sender<Moved>], to: ShardIndex, moved: Moved) {
    if let Some(way) = ways.get(to.0) {
        drop(way.send(moved));
    }
}
