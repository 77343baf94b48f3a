//! A memory cgroup for a process, version 1 or 2 of the interface, whichever the machine has. Needs root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A group of our own; removed on drop, when its processes have ended.
pub struct MemoryGroup {
    dir: PathBuf,
}

impl MemoryGroup {
    /// A group that may hold `bytes`, page cache included.
    pub fn new(bytes: u64) -> io::Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("corelog-bench-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let (root, limit) = root()?;
        let dir = root.join(name);
        fs::create_dir(&dir)?;
        let group = Self { dir };
        fs::write(group.dir.join(limit), bytes.to_string())?;
        Ok(group)
    }

    /// The file to which a process writes its id, or 0 for itself, to be in the group.
    pub fn entrance(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}

/// What a group used.
pub struct Usage {
    /// Seconds of CPU time.
    pub cpu: f64,
    /// Of these in user mode, where the group tells.
    pub user: Option<f64>,
    /// And in the kernel.
    pub system: Option<f64>,
    /// Memory charged to it, page cache included, where it is a group of memory too.
    pub memory_bytes: Option<u64>,
}

impl Usage {
    /// Of the group whose directory this is, of either version of the interface.
    ///
    /// # Errors
    /// A directory that tells no CPU time.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let number = |name: &str| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok();
        let memory_bytes = number("memory.current").or_else(|| number("memory.usage_in_bytes"));
        let stat = fs::read_to_string(dir.join("cpu.stat")).unwrap_or_default();
        let micros = |key: &str| {
            let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
            Some(line.parse::<u64>().ok()? as f64 / 1e6)
        };
        if let Some(cpu) = micros("usage_usec") {
            return Ok(Self { cpu, user: micros("user_usec"), system: micros("system_usec"), memory_bytes });
        }
        let nanos = |name: &str| number(name).map(|nanos| nanos as f64 / 1e9);
        let cpu = nanos("cpuacct.usage");
        let cpu = cpu.ok_or_else(|| io::Error::other(format!("{} tells no CPU time", dir.display())))?;
        Ok(Self { cpu, user: nanos("cpuacct.usage_user"), system: nanos("cpuacct.usage_sys"), memory_bytes })
    }
}

/// Where groups with a memory limit are made, and the name of the limit.
fn root() -> io::Result<(&'static Path, &'static str)> {
    let v1 = Path::new("/sys/fs/cgroup/memory");
    if v1.join("memory.limit_in_bytes").exists() {
        return Ok((v1, "memory.limit_in_bytes"));
    }
    let v2 = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_to_string(v2.join("cgroup.controllers")).unwrap_or_default();
    if !controllers.split_whitespace().any(|name| name == "memory") {
        return Err(io::Error::other("there is no memory cgroup here"));
    }
    fs::write(v2.join("cgroup.subtree_control"), "+memory")?;
    Ok((v2, "memory.max"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_a_group_tell_what_was_used() {
        let dir = std::env::temp_dir().join(format!("bench-cgroup-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        assert!(Usage::of(&dir).is_err());
        fs::write(dir.join("cpuacct.usage"), "1500000000\n").unwrap();
        let usage = Usage::of(&dir).unwrap();
        assert_eq!((usage.cpu, usage.user, usage.memory_bytes), (1.5, None, None));
        fs::write(dir.join("cpu.stat"), "usage_usec 2500000\nuser_usec 500000\nsystem_usec 2000000\n").unwrap();
        fs::write(dir.join("memory.current"), "77\n").unwrap();
        let usage = Usage::of(&dir).unwrap();
        assert_eq!((usage.cpu, usage.user, usage.system, usage.memory_bytes), (2.5, Some(0.5), Some(2.0), Some(77)));
        fs::remove_dir_all(&dir).unwrap();
    }
}
