//! What a handler knows of the request beside its body.

use super::traffic::Traffic;
use crate::base::{BrokerId, Now};
use crate::protocol::{ApiKey, Message, Str};
use crate::shard::Shard;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// One request's surroundings. Kept with the request until it is answered.
pub struct RequestContext {
    /// The core that accepted the connection.
    pub shard: Rc<Shard>,
    /// The connection it came on.
    pub connection: Rc<ConnectionInfo>,
    /// Which API.
    pub api_key: ApiKey,
    /// Its version; inside the range the table serves.
    pub api_version: i16,
    /// `client.id` of the request header.
    pub client_id: Option<Str>,
    /// When the request was read.
    pub now: Now,
}

/// What stays the same for all requests of one connection.
pub struct ConnectionInfo {
    /// The name of the listener it arrived on (`PLAINTEXT`, `INTERNAL` ...): it decides which
    /// advertised endpoint the client is told.
    pub listener: Arc<str>,
    /// The client's address.
    pub peer: SocketAddr,
    /// The library's name and version, as ApiVersions told them.
    pub software: RefCell<Option<(String, String)>>,
    /// Who the client is; `User:ANONYMOUS` on a PLAINTEXT listener.
    pub principal: Arc<str>,
    /// What is done when it ends.
    pub ending: Ending,
    /// Whose partitions it reads and writes.
    pub traffic: Traffic,
}

/// What is done when a connection ends, by a key of whoever wants it done.
#[derive(Default)]
pub struct Ending(RefCell<HashMap<u64, Box<dyn FnOnce()>>>);

impl Ending {
    /// Has `work` done under `key`, in place of what was to be done under it.
    pub fn add(&self, key: u64, work: impl FnOnce() + 'static) {
        self.0.borrow_mut().insert(key, Box::new(work));
    }

    /// True where nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// There is nothing to be done under `key`.
    pub fn forget(&self, key: u64) {
        self.0.borrow_mut().remove(&key);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.get_mut().drain().for_each(|(_, work)| work());
    }
}

impl RequestContext {
    /// Counts the errors that an answer carries.
    pub fn count_errors<M: Message>(&self, response: &M) {
        response.errors(&mut |error| self.shard.stats.apis.failed(self.api_key, error));
    }

    /// This node's id, host and port as clients of this listener are told.
    pub fn own_endpoint(&self) -> Option<(BrokerId, Arc<str>, u16)> {
        let shared = &self.shard.shared;
        let endpoint = shared.endpoint(&self.connection.listener)?;
        Some((shared.identity.node_id, endpoint.host.clone(), endpoint.port))
    }

    /// The client's id or the empty string, as Kafka logs it.
    pub fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or("")
    }
}
