//! What each core does: connections, turns, stalls, the ring's depth, its budgets of memory.

use super::Snapshot;
use super::requests::distribution;
use crate::admin::survey::CoreFacts;
use crate::admin::text::{Kind, Text};
use crate::base::histogram::Distribution;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// One value of each core.
type OfCore = (&'static str, Kind, &'static str, fn(&CoreFacts) -> u64);

const OF_CORE: &[OfCore] = &[
    ("kafka_server_socket_server_metrics_connection_count", Kind::Gauge, "Connections open.", |c| c.connections as u64),
    ("kafka_server_socket_server_metrics_connection_creation_total", Kind::Counter, "Connections taken.", |c| {
        c.connections_taken
    }),
    (
        "corelog_connections_moved_total",
        Kind::Counter,
        "Connections that moved to the core of their partitions.",
        |c| c.connections_moved,
    ),
    (
        "corelog_partitions_moved_total",
        Kind::Counter,
        "Partitions that moved to the core whose connections ask them.",
        |c| c.partitions_moved,
    ),
    (
        "corelog_partition_moves_in_vain_total",
        Kind::Counter,
        "Times all connections waited for a partition that did not move after all.",
        |c| c.moves_in_vain,
    ),
    ("corelog_connections_refused_total", Kind::Counter, "Connections refused by a limit.", |c| c.connections_refused),
    ("corelog_core_requests_total", Kind::Counter, "Requests begun on the core.", |c| c.requests),
    ("corelog_core_hops_total", Kind::Counter, "Jobs sent to other cores.", |c| c.hops),
    ("corelog_core_batches_total", Kind::Counter, "Batches appended.", |c| c.batches),
    ("corelog_core_writes_total", Kind::Counter, "Writes that carried them.", |c| c.writes),
    ("corelog_core_flushes_total", Kind::Counter, "Flushes of logs to their devices.", |c| c.flushes),
    ("corelog_core_waiting_fetches", Kind::Gauge, "Fetches that wait for records.", |c| c.waiting_fetches as u64),
    ("corelog_uring_in_flight", Kind::Gauge, "Operations the kernel works on (queue depth).", |c| {
        c.runtime.in_flight as u64
    }),
    ("corelog_uring_receives_starved", Kind::Gauge, "Receives that wait for a buffer.", |c| {
        c.runtime.receives_starved as u64
    }),
    ("kafka_server_fetchsessioncache_numincrementalfetchsessions", Kind::Gauge, "Fetch sessions kept.", |c| {
        c.fetch_sessions.0 as u64
    }),
    ("corelog_cleaner_rounds_total", Kind::Counter, "Logs compacted.", |c| c.cleaner.rounds),
    ("corelog_cleaner_bytes_total", Kind::Counter, "Bytes read and written by compaction.", |c| c.cleaner.bytes),
    ("corelog_cleaner_bytes_freed_total", Kind::Counter, "Bytes that compaction freed.", |c| c.cleaner.bytes_freed),
    ("corelog_cleaner_running", Kind::Gauge, "Logs being compacted.", |c| c.cleaner.running as u64),
    ("kafka_log_logcleanermanager_uncleanable_partitions_count", Kind::Gauge, "Logs that cannot be compacted.", |c| {
        c.cleaner.uncleanable as u64
    }),
];

/// All of it.
pub fn write(snapshot: &Snapshot, out: &mut Text) {
    let mut up = out.family("corelog_core_up", Kind::Gauge, "1: the core answered this scrape.");
    for core in 0..snapshot.core_count {
        up.sample(&[("core", &core)], u8::from(snapshot.cores.iter().any(|facts| facts.core == core)));
    }
    for (name, kind, help, value) in OF_CORE {
        let mut family = out.family(name, *kind, help);
        snapshot.cores.iter().for_each(|core| family.sample(&[("core", &core.core)], value(core)));
    }
    let mut family = out.family(
        "corelog_core_cpu",
        Kind::Gauge,
        "The CPU its thread runs on: cores share CPUs while the load is light.",
    );
    for core in &snapshot.cores {
        if let Some(cpu) = core.runtime.cpu {
            family.sample(&[("core", &core.core)], cpu as u64);
        }
    }
    turns(&snapshot.cores, out);
    memory(&snapshot.cores, out);
}

fn turns(cores: &[CoreFacts], out: &mut Text) {
    let mut family = out.family(
        "corelog_reactor_turn_seconds",
        Kind::Histogram,
        "How long the turns of the loop took, sleep excluded: nothing else runs on the core meanwhile.",
    );
    for core in cores {
        distribution(&mut family, &[("core", &core.core)], &core.runtime.turns);
    }
    let busy = |turns: &Distribution| turns.sum_ns as f64 / 1e9;
    let mut family = out.family("corelog_reactor_busy_seconds_total", Kind::Counter, "Time the core did not sleep.");
    cores.iter().for_each(|core| family.sample(&[("core", &core.core)], busy(&core.runtime.turns)));
    let mut stalls: BTreeMap<String, (u64, Duration)> = BTreeMap::new();
    for stall in cores.iter().flat_map(|core| &core.runtime.stalls) {
        let sum = stalls.entry(task_name(stall.task)).or_default();
        *sum = (sum.0 + stall.count, sum.1 + stall.total);
    }
    let mut family = out.family(
        "corelog_reactor_stalls_total",
        Kind::Counter,
        "Turns longer than 10 ms, by the task that took most of it.",
    );
    stalls.iter().for_each(|(task, (count, _))| family.sample(&[("task", task)], count));
    let mut family = out.family("corelog_reactor_stall_seconds_total", Kind::Counter, "How long they took.");
    stalls.iter().for_each(|(task, (_, total))| family.sample(&[("task", task)], total.as_secs_f64()));
}

/// `corelog::shard::flush::<impl corelog::shard::Shard>::flush_dirty::{{closure}}` to `shard::flush::flush_dirty`.
fn task_name(path: &str) -> String {
    let mut name = String::new();
    let mut depth = 0;
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => name.push(c),
            _ => {}
        }
    }
    let name = name.replace("::{{closure}}", "").replace("::::", "::");
    name.strip_prefix("corelog::").unwrap_or(&name).to_owned()
}

fn memory(cores: &[CoreFacts], out: &mut Text) {
    type Of = fn(&CoreFacts) -> usize;
    let budgets: [(&str, Of, Of); 2] = [
        ("receive buffers", |c| c.runtime.receive_buffer_bytes_used, |c| c.runtime.receive_buffer_bytes_max),
        ("large frames", |c| c.runtime.large_frame_bytes_used, |c| c.runtime.large_frame_bytes_max),
    ];
    for (name, help, used) in [
        ("corelog_memory_used_bytes", "Memory in use, by budget.", true),
        ("corelog_memory_limit_bytes", "The bound of each budget.", false),
    ] {
        let mut family = out.family(name, Kind::Gauge, help);
        for (budget, now, most) in budgets {
            for core in cores {
                let labels: [(&str, &dyn Display); 2] = [("budget", &budget), ("core", &core.core)];
                family.sample(&labels, if used { now(core) } else { most(core) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_called_by_its_path_without_the_noise() {
        for (path, name) in [
            (
                "corelog::shard::flush::<impl corelog::shard::Shard>::flush_dirty::{{closure}}",
                "shard::flush::flush_dirty",
            ),
            ("corelog::network::listener::begin::{{closure}}", "network::listener::begin"),
            (
                "corelog::coordinator::shell::Coordinator<M<A>>::run::{{closure}}",
                "coordinator::shell::Coordinator::run",
            ),
            ("unknown", "unknown"),
        ] {
            assert_eq!(task_name(path), name);
        }
    }
}
