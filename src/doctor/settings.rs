//! The kernel settings of `tuning/sysctl.d` against those of this machine, by the same rules as `scripts/tune.sh`.

use super::ReadFile;
use std::path::PathBuf;

const WANTED: &str = include_str!("../../tuning/sysctl.d/90-corelog.conf");

/// One setting, now and wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `vm.swappiness`.
    pub key: String,
    /// The value now; `None` where the kernel shows none.
    pub now: Option<String>,
    /// The value in `tuning/`.
    pub wanted: String,
    /// Whether the value now will do.
    pub fits: bool,
}

/// Each setting of `tuning/sysctl.d`.
pub fn compared(read: ReadFile) -> impl Iterator<Item = Setting> {
    let lines = WANTED.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    lines.map(move |(key, wanted)| {
        let (key, wanted) = (key.trim().to_owned(), wanted.trim().to_owned());
        let now = value(read, &key);
        let bytes = key.strip_suffix("_ratio").and_then(|base| number(&value(read, &format!("{base}_bytes"))?));
        // Bytes that are set stand in place of the ratio: the second profile, or an administrator's choice.
        let fits = bytes.is_some_and(|bytes| bytes > 0) || now.as_deref().is_some_and(|now| fits(&key, now, &wanted));
        Setting { key, now, wanted, fits }
    })
}

/// A setting's value with single blanks.
pub fn value(read: ReadFile, key: &str) -> Option<String> {
    let path = PathBuf::from("/proc/sys").join(key.replace('.', "/"));
    let text = read(&path).ok()?;
    Some(String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" "))
}

fn number(text: &str) -> Option<u64> {
    text.rsplit(' ').next()?.parse().ok()
}

fn fits(key: &str, now: &str, wanted: &str) -> bool {
    let at_least = || number(now).zip(number(wanted)).is_some_and(|(now, wanted)| now >= wanted);
    match key {
        "vm.dirty_background_ratio" => number(now).is_some_and(|ratio| (1..10).contains(&ratio)),
        "vm.dirty_ratio" => number(now).is_some_and(|ratio| (60..=80).contains(&ratio)),
        // Of three numbers the last counts.
        "net.ipv4.tcp_rmem" | "net.ipv4.tcp_wmem" | "net.core.somaxconn" | "vm.max_map_count" => at_least(),
        _ if key.ends_with("_max") || key.ends_with("backlog") => at_least(),
        _ => now == wanted,
    }
}
