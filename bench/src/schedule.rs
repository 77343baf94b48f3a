//! When requests are sent: a schedule (open loop), or as answers come (closed loop); and a node's share of it.

use crate::load::Length;
use std::time::Duration;

/// Flags of every workload that sends requests.
#[derive(clap::Args, Clone, Debug)]
pub struct Schedule {
    /// Requests a second in all, by a schedule that does not wait for answers; without it each workload has its own rate.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "closed")]
    pub rate: Option<u64>,
    /// Closed loop instead: each connection keeps some requests in flight.
    #[arg(long)]
    pub closed: bool,
    /// How many, in the closed loop.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub in_flight: u32,
    /// Connections; without it each workload has its own number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: Option<u32>,
    /// Seconds that are measured; a quarter more before them warms up.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Requests that are measured, instead of seconds.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,
}

/// What a workload takes where the flags say nothing.
#[derive(Clone, Copy)]
pub struct Usual {
    /// Requests a second.
    pub rate: u64,
    /// Connections.
    pub connections: u32,
}

/// Which part of a load this process drives.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Share {
    /// Counted from 0.
    pub index: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Its part of `count` things: from where, and how many.
    pub const fn part(self, count: u64) -> (u64, u64) {
        let first = count * self.index / self.of;
        (first, count * (self.index + 1) / self.of - first)
    }
}

/// What one process does.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The number of its first connection in the whole load.
    pub first: u64,
    /// Its connections.
    pub connections: usize,
    /// The connections of the whole load.
    pub all_connections: u64,
    /// Requests in flight on each.
    pub in_flight: usize,
    /// Requests a second; `None` is the closed loop.
    pub rate: Option<u64>,
    /// How much.
    pub length: Length,
}

impl Schedule {
    /// Connections of the whole load.
    pub fn all_connections(&self, usual: Usual) -> u32 {
        self.connections.unwrap_or(usual.connections)
    }

    /// Requests a second of the whole load; `None` is the closed loop.
    pub fn all_rate(&self, usual: Usual) -> Option<u64> {
        (!self.closed).then(|| self.rate.unwrap_or(usual.rate))
    }

    /// What the process with this share does.
    pub fn pace(&self, usual: Usual, share: Share) -> Pace {
        let all_connections = u64::from(self.all_connections(usual));
        let (first, connections) = share.part(all_connections);
        let length = match self.requests {
            Some(n) => Length::Requests(share.part(n).1.max(1)),
            None => Length::Time(self.duration()),
        };
        let rate = self.all_rate(usual).map(|rate| share.part(rate).1.max(1));
        Pace {
            first,
            connections: connections as usize,
            all_connections,
            in_flight: self.in_flight as usize,
            rate,
            length,
        }
    }

    /// The measured seconds.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.01, 1e6))
    }

    /// About how many requests there will be in all; a guess in the closed loop by time.
    pub fn requests_about(&self, usual: Usual) -> u64 {
        let by_time = || (self.all_rate(usual).unwrap_or(usual.rate) as f64 * self.seconds) as u64;
        self.requests.unwrap_or_else(by_time) * 5 / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        schedule: Schedule,
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        let usual = Usual { rate: 1000, connections: 7 };
        let schedule = Only::parse_from(["x", "--requests", "101"]).schedule;
        let parts: Vec<Pace> = (0..3).map(|index| schedule.pace(usual, Share { index, of: 3 })).collect();
        assert_eq!(parts.iter().map(|p| p.connections).sum::<usize>(), 7);
        assert_eq!(parts.iter().map(|p| p.rate.unwrap()).sum::<u64>(), 1000);
        let requests = parts.iter().map(|p| if let Length::Requests(n) = p.length { n } else { 0 });
        assert_eq!(requests.sum::<u64>(), 101);
        assert_eq!(parts.iter().map(|p| p.first).collect::<Vec<_>>(), [0, 2, 4]);
    }

    #[test]
    fn the_open_loop_is_the_default() {
        let usual = Usual { rate: 1000, connections: 7 };
        let rate = |flags: &[&str]| Only::parse_from([&["x"], flags].concat()).schedule.all_rate(usual);
        assert_eq!((rate(&[]), rate(&["--rate", "5"]), rate(&["--closed"])), (Some(1000), Some(5), None));
        assert!(Only::try_parse_from(["x", "--rate", "5", "--closed"]).is_err());
        assert!(Only::try_parse_from(["x", "--rate", "0"]).is_err());
    }
}
