//! Log directories that get nothing new (`cordoned.log.dirs`, KIP-1066), and how logs move between directories (KIP-113).

use super::dynamic::Dynamic;
use super::settings::Settings;
use std::path::{Path, PathBuf};

/// All of `log.dirs`, in `cordoned.log.dirs`.
const ALL: &str = "*";
/// A key of running brokers alone.
const MOVE_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// What is in force of the keys above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirSettings {
    /// `num.replica.alter.log.dirs.threads`: logs that move at once in the whole broker; as many as there are
    /// directories, where nothing is set.
    pub moves_max: usize,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`: what they copy, together.
    pub move_bytes_per_second: u64,
    /// The directories that are cordoned, as `log.dirs` has them.
    pub cordoned: Vec<PathBuf>,
}

impl LogDirSettings {
    pub(super) fn of(log_dirs: &[PathBuf], settings: &Settings, dynamic: Dynamic<'_>) -> Self {
        let named = settings.list("cordoned.log.dirs");
        let is_cordoned = |dir: &&PathBuf| named.iter().any(|name| name == ALL || Path::new(name) == dir.as_path());
        let rate = dynamic.levels().into_iter().find_map(|(map, _)| map.get(MOVE_RATE));
        let threads = settings.int("num.replica.alter.log.dirs.threads").and_then(|n| usize::try_from(n).ok());
        Self {
            moves_max: threads.unwrap_or(log_dirs.len()),
            move_bytes_per_second: rate.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX),
            cordoned: log_dirs.iter().filter(is_cordoned).cloned().collect(),
        }
    }
}

/// Only directories of `log.dirs` can be cordoned, or all of them.
pub(super) fn check_cordoned(log_dirs: &[PathBuf], settings: &Settings) -> Result<(), String> {
    let named = settings.list("cordoned.log.dirs");
    if named.iter().any(|dir| dir == ALL) {
        let alone = "When cordoned.log.dirs is set to *, it must not contain other values";
        return if named.len() == 1 { Ok(()) } else { Err(alone.to_owned()) };
    }
    let is_unknown = |dir: &&String| !log_dirs.iter().any(|known| known.as_os_str() == dir.as_str());
    let unknown: Vec<&str> = named.iter().filter(is_unknown).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
        unknown.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let given: BTreeMap<_, _> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::new(&given).unwrap()
    }

    #[test]
    fn directories_are_cordoned_by_name_or_all() {
        let dirs = [PathBuf::from("/a"), PathBuf::from("/b")];
        let of = |text: &str| LogDirSettings::of(&dirs, &settings(&[("cordoned.log.dirs", text)]), Dynamic::NONE);
        assert_eq!(of("").cordoned, Vec::<PathBuf>::new());
        assert_eq!(of("/b").cordoned, [PathBuf::from("/b")]);
        assert_eq!(of("*").cordoned, dirs);
        let check = |text: &str| check_cordoned(&dirs, &settings(&[("cordoned.log.dirs", text)]));
        assert_eq!(check("/a,/b"), Ok(()));
        assert_eq!(check("*"), Ok(()));
        assert!(check("*,/a").unwrap_err().contains("must not contain other values"));
        assert!(check("/a,/c,/d").unwrap_err().ends_with("Missing entries : /c, /d"));
    }

    #[test]
    fn as_many_logs_move_as_there_are_directories_unless_told() {
        let dirs = [PathBuf::from("/a"), PathBuf::from("/b"), PathBuf::from("/c")];
        let free = LogDirSettings::of(&dirs, &settings(&[]), Dynamic::NONE);
        assert_eq!((free.moves_max, free.move_bytes_per_second), (3, u64::MAX));
        let one = LogDirSettings::of(&dirs, &settings(&[("num.replica.alter.log.dirs.threads", "1")]), Dynamic::NONE);
        assert_eq!(one.moves_max, 1);
    }
}
