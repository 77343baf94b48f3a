//! `idle`: what connections cost on which nothing happens.

use super::{Ground, Measured, Unit, Work};
use crate::interrupt;
use crate::load::{Gate, histogram};
use crate::schedule::Share;
use crate::target::Target;
use crate::wire::Connection;
use corelog::protocol::ApiKey;
use corelog::protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// From the last connection to when nothing is measured to happen.
const SETTLE: Duration = Duration::from_secs(5);

/// Flags of `idle`.
#[derive(clap::Args, Clone, Debug)]
pub struct Idle {
    /// Connections, each of which asked for the server's versions, and then nothing.
    #[arg(long, default_value_t = 1000)]
    connections: u64,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

impl Work for Idle {
    fn load(&self, on: &Target, _: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let before = on.gauge.read()?.rss_bytes;
        let (_, count) = share.part(self.connections);
        let mut connections = Vec::with_capacity(count as usize);
        let mut latency = histogram()?;
        for _ in 0..count {
            interrupt::check()?;
            let begun = Instant::now();
            let mut connection = Connection::open(on.address)?;
            connection.send(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default())?;
            let reply: ApiVersionsResponse = connection.receive()?.parse()?;
            if reply.error_code != 0 {
                return Err(io::Error::other(format!("ApiVersions was answered with error {}", reply.error_code)));
            }
            let _ = latency.record(begun.elapsed().as_nanos() as u64);
            connections.push(connection);
        }
        gate.connected()?;
        // What came with the connections is over: buffers that go back after some seconds too.
        pause(SETTLE)?;
        gate.measuring()?;
        let begun = Instant::now();
        pause(Duration::from_secs_f64(self.seconds.max(0.1)))?;
        let seconds = begun.elapsed().as_secs_f64();
        let (requests, figures) = (count, BTreeMap::from([("connections".to_owned(), self.connections as f64)]));
        let measured = Measured { requests, records: 0, bytes: 0, seconds, latency, figures };
        let after = on.gauge.read()?.rss_bytes;
        Ok(match before.zip(after) {
            Some((before, after)) => measured.with("rss_growth_mb", (after as f64 - before as f64) / 1e6),
            None => measured,
        })
    }

    fn unit(&self) -> Unit {
        Unit::Time
    }

    fn divides(&self) -> bool {
        true
    }

    fn open_loop(&self) -> bool {
        true
    }
}

/// Sleeps, unless Ctrl-C comes.
pub fn pause(time: Duration) -> io::Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        interrupt::check()?;
        std::thread::sleep(end.saturating_duration_since(Instant::now()).min(Duration::from_millis(200)));
    }
    Ok(())
}
