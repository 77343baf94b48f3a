//! What a campaign runs, as its file says it.

use crate::kafka::Codec;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// A file of workloads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Runs of each workload on each server that count; one more before them warms up.
    #[serde(default = "five")]
    pub rounds: usize,
    /// The workloads, in order.
    pub workload: Vec<Workload>,
}

/// One workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// For tables and comparisons.
    pub name: String,
    /// What is asked.
    pub kind: Kind,
    /// Bytes of a batch (produce) or of a range (fetch).
    #[serde(default = "mebibyte")]
    pub size: usize,
    /// Connections, each on a partition of its own (`small`: all on one).
    #[serde(default = "four")]
    pub connections: usize,
    /// Requests in flight on each, where no rate is given.
    #[serde(default = "two")]
    pub in_flight: usize,
    /// Requests of one run.
    pub requests: u64,
    /// Requests a second (open loop); absent: closed loop.
    pub rate: Option<u64>,
    /// Required acknowledgements.
    #[serde(default = "all")]
    pub acks: i16,
    /// How batches are packed.
    pub compression: Option<Codec>,
    /// Cores of the server: 1 pins it to the first; absent: all.
    pub cores: Option<u8>,
    /// Lines of the server's file, for example `"flush.messages" = "1"` for the sync class.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// What a workload asks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Batches of `size` bytes.
    Produce,
    /// Ranges of `size` bytes, from the page cache.
    Fetch,
    /// One record of 100 bytes a request.
    Small,
}

const fn five() -> usize {
    5
}
const fn four() -> usize {
    4
}
const fn two() -> usize {
    2
}
const fn mebibyte() -> usize {
    1 << 20
}
const fn all() -> i16 {
    -1
}

impl Plan {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file, what stands in it, or a number out of its range, by name.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::parse(&text).map_err(|why| io::Error::other(format!("{}: {why}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let plan: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if plan.rounds == 0 || plan.workload.is_empty() {
            return Err("nothing to run: rounds and workloads must be at least one".to_owned());
        }
        for (index, workload) in plan.workload.iter().enumerate() {
            let name = &workload.name;
            if plan.workload[..index].iter().any(|other| other.name == *name) {
                return Err(format!("two workloads are called {name}"));
            }
            let wrong = |what: &str| Err(format!("workload {name}: {what}"));
            if workload.requests == 0 || workload.connections == 0 || workload.in_flight == 0 {
                return wrong("requests, connections and in_flight must be at least one");
            }
            if workload.rate == Some(0) {
                return wrong("rate must be at least one request a second");
            }
            if !(100..=64 << 20).contains(&workload.size) {
                return wrong("size must lie between 100 bytes and 64 MiB");
            }
            if workload.cores.is_some_and(|cores| cores != 1) {
                return wrong("cores is 1, or absent for all");
            }
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_of_this_repository_are_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
        let files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 2);
        files.iter().for_each(|file| assert!(!Plan::read(file).unwrap().workload.is_empty()));
    }

    #[test]
    fn a_wrong_plan_is_refused_by_name() {
        let workload = |more: &str| format!("[[workload]]\nname='a'\nkind='produce'\n{more}");
        let bad = [
            (String::new(), "workload"),
            (workload(""), "requests"),
            (workload("requests=0"), "workload a"),
            (workload("requests=1\nrate=0"), "rate"),
            (workload("requests=1\nsize=1"), "size"),
            (workload("requests=1\ncores=3"), "cores"),
            (workload("requests=1\nwhat=3"), "what"),
            (workload("requests=1\n") + &workload("requests=1"), "two workloads"),
            ("rounds=0\n".to_owned() + &workload("requests=1"), "rounds"),
        ];
        for (text, said) in bad {
            let why = Plan::parse(&text).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
        let plan = Plan::parse(&workload("requests=7\nproperties={'flush.messages'='1'}")).unwrap();
        assert_eq!((plan.rounds, plan.workload[0].requests, plan.workload[0].acks), (5, 7, -1));
    }
}
