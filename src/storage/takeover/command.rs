//! `corelog takeover`.

use super::check::{self, Subject};
use super::look;
use super::report::Report;
use super::topic_configs::TopicConfigs;
use super::zookeeper;
use crate::base::TimestampMs;
use crate::config::tool_arguments::TakeoverArguments;
use crate::config::{Config, ConfigError};
use crate::ring::fs;
use std::path::Path;

/// What the command prints and whether nothing stands against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// For standard output.
    pub lines: Vec<String>,
    /// Exit code 0, else 1.
    pub clear: bool,
}

/// Runs it; `load` reads a properties file. Blocking.
///
/// # Errors
/// A sentence: it could not be asked at all.
pub fn run(
    arguments: &TakeoverArguments,
    load: &dyn Fn(&Path) -> Result<Config, ConfigError>,
    now: TimestampMs,
) -> Result<Takeover, String> {
    let mut report = Report::default();
    let config = match arguments.config.as_deref().map(load) {
        Some(Ok(config)) => Some(config),
        Some(Err(error)) => {
            report.against(error.to_string());
            None
        }
        None => None,
    };
    let subject = match &config {
        Some(config) => Subject::of(config),
        None if arguments.dirs.is_empty() && arguments.config.is_none() => {
            return Err("name the log directories, or a properties file with --config".into());
        }
        None => Subject::dirs(arguments.dirs.clone()),
    };
    let named = |dir: &std::path::PathBuf| {
        subject.dirs.iter().any(|known| fs::canonical(known).ok() == fs::canonical(dir).ok())
    };
    if let Some(other) = arguments.dirs.iter().find(|dir| !named(dir)) {
        report.against(format!("{} is not in log.dirs of the properties file", other.display()));
    }
    check::check(&subject, &mut report);
    if arguments.check || !report.is_clear() {
        return Ok(ended(report, "nothing stands against a take-over", "it cannot be taken over like this"));
    }
    let (Some(config), Some(file)) = (&config, &arguments.config) else {
        return Err("--config is needed: the properties file says who the node is".into());
    };
    let look = look::look(&subject.dirs, &mut Report::default());
    if look.dirs.iter().any(look::DirLook::is_zookeeper_era) {
        let configs = match (&arguments.topic_configs, arguments.no_topic_configs) {
            (Some(path), _) => TopicConfigs::read(path)?,
            (None, true) => TopicConfigs::default(),
            (None, false) => {
                return Err(
                    "--topic-configs FILE is needed, or --no-topic-configs if no topic had a configuration of \
                            its own: ZooKeeper held them, and without them retention may delete what was meant to stay"
                        .into(),
                );
            }
        };
        zookeeper::convert(config, &look, &configs, now, &mut report)?;
    }
    report.done(format!("start the node with: corelog {}", file.display()));
    Ok(ended(report, "the directories are ready", ""))
}

fn ended(report: Report, clear: &str, against: &str) -> Takeover {
    let is_clear = report.is_clear();
    let mut lines = report.lines().to_vec();
    lines.push(if is_clear { clear.to_owned() } else { against.to_owned() });
    Takeover { lines, clear: is_clear }
}
