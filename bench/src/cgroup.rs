//! A memory cgroup for a process, version 1 or 2 of the interface, whichever the machine has. Needs root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A group of our own; removed on drop, when its processes have ended.
pub struct MemoryGroup {
    dir: PathBuf,
}

impl MemoryGroup {
    /// A group that may hold `bytes`, page cache included.
    pub fn new(bytes: u64) -> io::Result<Self> {
        let name = format!("corelog-bench-{}", std::process::id());
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

    /// Bytes the group holds now.
    pub fn used(&self) -> io::Result<u64> {
        let names = ["memory.current", "memory.usage_in_bytes"];
        let text = names.iter().find_map(|name| fs::read_to_string(self.dir.join(name)).ok());
        let text = text.ok_or_else(|| io::Error::other("the memory group does not tell what it holds"))?;
        text.trim().parse().map_err(io::Error::other)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
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
