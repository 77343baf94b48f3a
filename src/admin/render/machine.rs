//! The process, the machine, the log directories.

use super::{DirFacts, Snapshot};
use crate::admin::text::{Kind, Text};

/// All of it.
pub fn write(snapshot: &Snapshot, out: &mut Text) {
    let m = &snapshot.machine;
    out.counter("process_cpu_seconds_total", "CPU time of the broker, user and system.", m.cpu_seconds);
    let started = snapshot.started.0 as f64 / 1000.0;
    out.gauge("process_start_time_seconds", "When the broker was started, since 1970.", started);
    let uptime = (snapshot.now.0 - snapshot.started.0).max(0) as f64 / 1000.0;
    out.gauge("corelog_uptime_seconds", "How long the broker runs.", uptime);
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Resident memory of the broker.", m.resident_bytes),
        ("process_open_fds", "Descriptors open.", m.open_files),
        ("process_max_fds", "Descriptors that may be open.", m.open_files_max),
        ("corelog_memory_pooled_bytes", "Large buffers kept for their next use.", snapshot.pooled_idle_bytes as u64),
        ("corelog_machine_memory_bytes", "Memory of the machine.", m.memory_bytes),
        ("corelog_machine_memory_available_bytes", "What of it can be had.", m.memory_available_bytes),
        ("corelog_machine_page_cache_bytes", "Page cache and buffers.", m.cached_bytes),
        ("corelog_machine_dirty_bytes", "Pages not yet written back.", m.dirty_bytes),
        ("corelog_machine_writeback_bytes", "Pages being written back.", m.writeback_bytes),
        ("corelog_machine_dirty_limit_bytes", "Writers wait from here on (vm.dirty_ratio).", m.dirty_limit_bytes),
        (
            "corelog_machine_dirty_background_limit_bytes",
            "Pages are written back from here on (vm.dirty_background_ratio).",
            m.dirty_background_limit_bytes,
        ),
        (
            "kafka_log_logmanager_remaininglogstorecover",
            "Logs this start has to recover yet.",
            snapshot.left_to_recover.0 as u64,
        ),
        ("corelog_recovery_remaining_bytes", "Bytes of them to be checked.", snapshot.left_to_recover.1),
    ] {
        out.gauge(name, help, value);
    }
    dirs(&snapshot.dirs, out);
}

fn dirs(dirs: &[DirFacts], out: &mut Text) {
    let failed = dirs.iter().filter(|dir| dir.failed).count();
    out.gauge("kafka_log_logmanager_offlinelogdirectorycount", "Log directories that failed.", failed);
    let of_dir: [(&str, &str, fn(&DirFacts) -> u64); 4] = [
        ("kafka_log_logmanager_logdirectoryoffline", "1: the directory failed.", |d| u64::from(d.failed)),
        ("corelog_log_dir_full", "1: writes found the disk full.", |d| u64::from(d.full)),
        ("corelog_log_dir_free_bytes", "Free bytes of its file system.", |d| d.free_bytes),
        ("corelog_log_dir_total_bytes", "All bytes of its file system.", |d| d.total_bytes),
    ];
    for (name, help, value) in of_dir {
        let mut family = out.family(name, Kind::Gauge, help);
        dirs.iter().for_each(|dir| family.sample(&[("logDirectory", &dir.path)], value(dir)));
    }
}
