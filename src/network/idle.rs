//! Closing connections nobody uses: `connections.max.idle.ms`.

use super::connection::Connection;
use crate::ring::runtime;
use crate::shard::Shard;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Sweeps per idle time: a connection lives at most a tenth longer than configured. One timer a
/// core, however many connections, so that an idle broker stays idle.
const SWEEPS: u32 = 10;

/// The live connections of one core.
#[derive(Default)]
pub struct Connections {
    open: RefCell<Vec<Weak<Connection>>>,
}

impl Connections {
    /// Remembers a connection; ended ones are swept out when the list would grow.
    pub fn add(&self, connection: &Rc<Connection>) {
        let mut open = self.open.borrow_mut();
        if open.len() == open.capacity() {
            open.retain(|c| c.strong_count() > 0);
        }
        open.push(Rc::downgrade(connection));
    }

    /// Closes what has been idle for `max_idle`, for ever.
    pub async fn sweep_idle(self: Rc<Self>, shard: Rc<Shard>, max_idle: Duration) {
        loop {
            runtime::sleep(max_idle / SWEEPS).await;
            let now = shard.now().mono;
            for connection in self.live() {
                if connection.idle_since().is_some_and(|since| now.since(since) >= max_idle) {
                    connection.close();
                }
            }
        }
    }

    /// Closes all: the broker stops.
    pub fn close_all(&self) {
        self.live().iter().for_each(|c| c.close());
    }

    fn live(&self) -> Vec<Rc<Connection>> {
        self.open.borrow().iter().filter_map(Weak::upgrade).collect()
    }
}
