//! The process and the machine, from `/proc`. Blocking.

use crate::ring::fs;
use crate::ring::process::limits;
use std::path::Path;

/// What the machine says at one moment. What it does not tell is 0.
#[derive(Clone, Debug, Default)]
pub struct MachineFacts {
    /// CPU time of the process, seconds.
    pub cpu_seconds: f64,
    /// Resident memory of the process.
    pub resident_bytes: u64,
    /// Descriptors open now.
    pub open_files: u64,
    /// How many may be.
    pub open_files_max: u64,
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// What of it could be had without swapping.
    pub memory_available_bytes: u64,
    /// Page cache and buffers.
    pub cached_bytes: u64,
    /// Pages that wait to be written back.
    pub dirty_bytes: u64,
    /// Pages being written back.
    pub writeback_bytes: u64,
    /// From here on writers are made to wait.
    pub dirty_limit_bytes: u64,
    /// From here on pages are written back.
    pub dirty_background_limit_bytes: u64,
}

/// Asks the machine.
pub fn ask() -> MachineFacts {
    let text =
        |path: &str| fs::read(Path::new(path)).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let (meminfo, vmstat) = (text("/proc/meminfo"), text("/proc/vmstat"));
    let kib = |name: &str| field(&meminfo, name) * 1024;
    let pages = |name: &str| field(&vmstat, name) * 4096;
    MachineFacts {
        cpu_seconds: limits::cpu_time().map_or(0.0, |time| time.as_secs_f64()),
        resident_bytes: limits::resident_bytes().unwrap_or(0),
        open_files: limits::open_files_now().unwrap_or(0),
        open_files_max: limits::open_files().unwrap_or(0),
        memory_bytes: kib("MemTotal:"),
        memory_available_bytes: kib("MemAvailable:"),
        cached_bytes: kib("Cached:") + kib("Buffers:"),
        dirty_bytes: pages("nr_dirty"),
        writeback_bytes: pages("nr_writeback"),
        dirty_limit_bytes: pages("nr_dirty_threshold"),
        dirty_background_limit_bytes: pages("nr_dirty_background_threshold"),
    }
}

/// The number behind `name` in lines of `name number ...`; 0 where there is none.
fn field(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().map(str::split_whitespace);
    let line = lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()).flatten());
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_its_memory_and_its_limits() {
        let facts = ask();
        assert!(
            facts.resident_bytes > 0 && facts.open_files > 0 && facts.open_files_max >= facts.open_files,
            "{facts:?}"
        );
        assert!(facts.memory_bytes > facts.memory_available_bytes && facts.dirty_limit_bytes > 0, "{facts:?}");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "nr_dirty_threshold 7\nnr_dirty 5\nCached:  12 kB\n";
        assert_eq!((field(text, "nr_dirty"), field(text, "Cached:"), field(text, "nr")), (5, 12, 0));
    }
}
