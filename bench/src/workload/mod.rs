//! The workloads: each a file with its flags and what it does, and a line in [`workloads!`] below. The flags serve as a
//! subcommand, and as the keys of a campaign's file.

mod batches;
mod member;
mod paced;
mod tail;

use crate::floor::Floor;
use crate::how::With;
use crate::load::{self, Gate};
use crate::schedule::Share;
use crate::target::Target;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::io;

/// What a workload made before it began.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// Its topics; deleted afterwards.
    pub topics: Vec<String>,
}

/// What a workload does, and how it is counted.
pub trait Work: Sync {
    /// Makes what the load stands on: topics, data.
    ///
    /// # Errors
    /// The server's answers.
    fn prepare(&self, _on: &Target) -> io::Result<Ground> {
        Ok(Ground::default())
    }

    /// One run, or one node's share of it. Tells the gate when it is connected, and when it is warm.
    ///
    /// # Errors
    /// The server's answers, connections, `Interrupted` after Ctrl-C.
    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured>;

    /// What CPU time is divided by.
    fn unit(&self) -> Unit;

    /// The bare loop on one core that does as little as can be for the same load.
    ///
    /// # Errors
    /// A load that cannot be made.
    fn floor(&self) -> io::Result<Option<Floor>> {
        Ok(None)
    }

    /// Bytes that one run puts into the page cache, about.
    fn written_bytes(&self) -> u64 {
        0
    }

    /// Lines of the file of servers of our own.
    fn properties(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// Whether several nodes can share it.
    fn divides(&self) -> bool {
        false
    }

    /// Whether requests come by a schedule.
    fn open_loop(&self) -> bool;

    /// Whether the server is restarted between `prepare` and `load`.
    fn restarts(&self) -> bool {
        false
    }
}

/// What the CPU time of a server is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// GB of payload.
    Bytes,
    /// Requests.
    Requests,
    /// Seconds: the part of a core.
    Time,
    /// Nothing: what the whole took.
    Whole,
}

/// What one run, or one node's share of it, came to.
#[derive(Clone)]
pub struct Measured {
    /// Requests that were answered.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of payload: of requests (produce), of replies (fetch).
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
    /// What else there is to say of it, by name.
    pub figures: BTreeMap<String, f64>,
}

impl Measured {
    /// Of a load whose requests carry `bytes` and `records` each.
    pub fn of(outcome: load::Outcome, bytes: u64, records: u64) -> Self {
        let requests = outcome.replies;
        Self {
            requests,
            records: requests * records,
            bytes: requests * bytes,
            seconds: outcome.elapsed.as_secs_f64(),
            latency: outcome.latency,
            figures: BTreeMap::new(),
        }
    }

    /// With one more thing to say.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.to_owned(), value);
        self
    }

    /// What another node did beside this.
    ///
    /// # Errors
    /// Histograms of other precision.
    pub fn merge(&mut self, other: Self) -> io::Result<()> {
        self.requests += other.requests;
        self.records += other.records;
        self.bytes += other.bytes;
        self.seconds = self.seconds.max(other.seconds);
        self.latency.add(other.latency).map_err(io::Error::other)?;
        other.figures.into_iter().for_each(|(name, value)| {
            self.figures.entry(name).or_insert(value);
        });
        Ok(())
    }
}

/// Declares the modules and the enum of all workloads.
macro_rules! workloads {
    ($($(#[doc = $doc:literal])+ $(#[command($command:meta)])? $module:ident :: $name:ident,)+) => {
        $(mod $module;)+

        /// The workloads.
        #[derive(clap::Subcommand, Clone, Debug)]
        pub enum Workload {
            $($(#[doc = $doc])+ $(#[command($command)])? $name(With<$module::$name>),)+
        }

        impl Workload {
            /// What it does.
            pub fn work(&self) -> &dyn Work {
                match self {
                    $(Self::$name(with) => &with.work,)+
                }
            }

            /// How, and on what, it runs.
            pub fn how(&self) -> crate::how::Both<'_> {
                match self {
                    $(Self::$name(with) => with.both(),)+
                }
            }
        }
    };
}

workloads! {
    /// Batches, to a partition for each connection.
    produce::Produce,
    /// Ranges of logs: from the page cache (catch-up), or from the disk (cold).
    fetch::Fetch,
    /// Single records of 100 bytes to one partition, over many connections.
    small::Small,
    /// Batches to very many partitions in turn.
    partitions::Partitions,
    /// Connections that are open and silent.
    idle::Idle,
    /// Single records and their consumer, who waits at the end of the log: from when a record was due to its arrival.
    #[command(visible_alias = "tail")]
    end_to_end::EndToEnd,
    /// The tail, alone and beside somebody who reads old data from the disk.
    cold::Cold,
    /// The tail, alone and beside logs that are being cleaned.
    compaction::Compaction,
    /// Heartbeats of members of groups.
    heartbeats::Heartbeats,
    /// Commits of offsets.
    commits::Commits,
    /// A group that rebalances.
    rebalance::Rebalance,
    /// A start after which commits of offsets are loaded.
    loading::Loading,
    /// Transactions: produce to some partitions, commit.
    transactions::Transactions,
}
