//! `kafka-storage.sh info`: which log directories there are and whose they are.

use super::all_dirs;
use super::format::read_meta;
use crate::config::Config;
use crate::log::dir::{self, DirState};
use crate::ring::fs;

/// The report, and whether all is well.
pub(super) fn info(config: &Config) -> (String, bool) {
    let mut dirs = all_dirs(config);
    dirs.sort();
    let (mut found, mut metas, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for path in dirs {
        let shown = path.display().to_string();
        if !fs::exists(&path) {
            problems.push(format!("{shown} does not exist"));
            continue;
        }
        found.push(shown.clone());
        match dir::state_of(&path) {
            Err(error) => problems.push(format!("{shown}: {error}")),
            Ok(DirState::Formatted) => match read_meta(&path) {
                Ok(meta) => metas.push((shown, meta)),
                Err(error) => problems.push(error.to_string()),
            },
            Ok(DirState::Empty | DirState::Unformatted | DirState::HoldsTopics) => {
                problems.push(format!("{shown} is not formatted."));
            }
        }
    }
    let first = metas.first().map(|(_, meta)| meta.clone());
    for (shown, meta) in &metas {
        let same = first.as_ref().is_none_or(|f| f.cluster_id == meta.cluster_id && f.node_id == meta.node_id);
        if !same {
            problems.push(format!("{shown} belongs to another cluster or node: {meta}"));
        }
    }
    let mut report = section("Found log director", found, "y:", "ies:");
    if let Some(meta) = first {
        report.push_str(&format!("Found metadata: {meta}\n\n"));
    }
    let well = problems.is_empty();
    report.push_str(&section("Found problem", problems, ":", "s:"));
    (report, well)
}

fn section(title: &str, lines: Vec<String>, one: &str, many: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let ending = if lines.len() == 1 { one } else { many };
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("{title}{ending}\n{lines}\n")
}
