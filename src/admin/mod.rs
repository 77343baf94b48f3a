//! The admin listener: `/metrics` for Prometheus and `/health`, over a small HTTP server on the first core's ring.
//!
//! Metrics are plain fields of each core. A scrape asks each core once, by mail; the core copies its fields in slices,
//! between which others have their turn; the text is written on the blocking pool. Names are those of the well-known
//! Kafka exporters (the JMX exporter's `kafka_server_*`, kafka_exporter's `kafka_consumergroup_*`) where there is a
//! counterpart, else they begin with `corelog_`.

mod coordinators;
mod groups;
mod health;
mod http;
mod machine;
mod render;
mod server;
mod survey;
mod text;

use crate::base::TimestampMs;
use crate::shard::Shard;
use std::cell::Cell;
use std::rc::Rc;

/// What the broker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Logs are being opened, perhaps recovered; clients are not served yet.
    Starting,
    /// Clients are served.
    Serving,
    /// No more requests are taken.
    Stopping,
}

/// What the admin listener is told of the broker. Lives on the first core.
pub struct Admin {
    shard: Rc<Shard>,
    started: TimestampMs,
    serving: Cell<bool>,
    /// One scrape at a time; others wait for their turn.
    scraping: crate::base::local::Lock,
}

impl Admin {
    /// Serves the listener of `corelog.admin.listener`, if there is one, until the process ends. Returns at once; an
    /// address that cannot be had is told in the log, and the broker goes on.
    pub fn start(shard: &Rc<Shard>) -> Rc<Self> {
        let admin = Rc::new(Self {
            shard: shard.clone(),
            started: shard.now().wall,
            serving: Cell::new(false),
            scraping: crate::base::local::Lock::default(),
        });
        if let Some(address) = shard.shared.config.admin_listener.clone() {
            crate::ring::runtime::spawn(server::run(admin.clone(), address)).detach();
        }
        admin
    }

    /// The broker serves clients from now on.
    pub fn set_serving(&self) {
        self.serving.set(true);
    }

    fn phase(&self) -> Phase {
        match self.serving.get() {
            _ if self.shard.is_stopping() => Phase::Stopping,
            true => Phase::Serving,
            false => Phase::Starting,
        }
    }
}
