//! The machine a figure belongs to.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What stands in every result.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    /// Version of the kernel.
    pub kernel: String,
    /// Model of the first CPU.
    pub cpu: String,
    /// CPUs the campaign may use.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// File system of the servers' directories.
    pub file_system: String,
    /// Settings of the kernel that matter, as they are.
    pub sysctl: BTreeMap<String, String>,
}

const SYSCTL: &[&str] = &[
    "vm.swappiness",
    "vm.dirty_background_ratio",
    "vm.dirty_ratio",
    "vm.dirty_background_bytes",
    "vm.dirty_bytes",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

impl Machine {
    /// This one, for servers below `dir`. What the kernel does not tell stays empty.
    pub fn here(dir: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: String, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).map(str::to_owned);
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
        };
        let kib = after(read("/proc/meminfo"), "MemTotal");
        let setting = |name: &&str| {
            let value = read(&format!("/proc/sys/{}", name.replace('.', "/")));
            ((*name).to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: after(read("/proc/cpuinfo"), "model name"),
            cpus: crate::cpu::allowed_count(),
            memory_bytes: kib.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) << 10,
            file_system: corelog::ring::fs::fs_kind(dir).map(|kind| kind.to_string()).unwrap_or_default(),
            sysctl: SYSCTL.iter().map(setting).filter(|(_, value)| !value.is_empty()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_memory_and_a_file_system() {
        let machine = Machine::here(&std::env::temp_dir());
        assert!(!machine.kernel.is_empty() && machine.cpus > 0 && machine.memory_bytes > 1 << 20, "{machine:?}");
        assert!(!machine.file_system.is_empty() && machine.sysctl.contains_key("vm.swappiness"), "{machine:?}");
    }
}
