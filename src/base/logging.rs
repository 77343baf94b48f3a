//! The log and its levels, which change while the broker runs (`LoggingController`). A logger is a module of the source,
//! written with dots: `corelog.shard.mover`; `root` stands for all that has no level of its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The logger whose level all others have that were given none.
pub const ROOT: &str = "root";

/// The levels a logger may have, as Kafka's error text has them.
pub const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// The parts of the broker that write to the log.
const LOGGERS: &[&str] = &[
    "corelog",
    "corelog.admin",
    "corelog.api",
    "corelog.base",
    "corelog.broker",
    "corelog.commands",
    "corelog.coordinator",
    "corelog.log",
    "corelog.metadata",
    "corelog.network",
    "corelog.partition",
    "corelog.ring",
    "corelog.shard",
    "corelog.storage",
];

/// The process has one log, so its levels are the process's too.
static CONTROL: OnceLock<Control> = OnceLock::new();

struct Control {
    filter: reload::Handle<Targets, Registry>,
    levels: Mutex<Levels>,
}

/// The level of each logger that was given one, by Kafka's names of both.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Levels(BTreeMap<String, &'static str>);

/// Begins to write the log to standard output, from INFO up.
pub fn init() {
    let levels = Levels(BTreeMap::from([(ROOT.to_owned(), "INFO")]));
    let (filter, handle) = reload::Layer::new(levels.targets());
    let lines = fmt::layer().with_target(false).with_ansi(false);
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = CONTROL.set(Control { filter: handle, levels: Mutex::new(levels) });
    }
}

/// True for a logger there is: a part of the broker, or something inside of one.
pub fn exists(logger: &str) -> bool {
    let inside =
        |known: &&str| logger.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    logger == ROOT || LOGGERS.iter().any(|known| inside(&known))
}

/// All loggers with the level each has.
pub fn levels() -> BTreeMap<String, &'static str> {
    CONTROL.get().map(|control| control.lock().shown()).unwrap_or_default()
}

/// Gives a logger a level, one of [`LEVELS`], or takes it away.
pub fn set(logger: &str, level: Option<&str>) {
    let Some(control) = CONTROL.get() else { return };
    let mut levels = control.lock();
    match level {
        None => drop(levels.0.remove(logger)),
        Some(level) => {
            let Some(level) = LEVELS.into_iter().find(|known| *known == level) else { return };
            levels.0.insert(logger.to_owned(), level);
        }
    }
    let told = level.map_or("is its parent's".to_owned(), |level| format!("is {level}"));
    if control.filter.reload(levels.targets()).is_ok() {
        tracing::warn!("the log level of {logger} {told} from now on");
    }
}

impl Control {
    fn lock(&self) -> std::sync::MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Levels {
    fn targets(&self) -> Targets {
        let own = self.0.iter().filter(|(logger, _)| *logger != ROOT);
        let own = own.map(|(logger, level)| (logger.replace('.', "::"), level_of(level)));
        Targets::new().with_default(self.0.get(ROOT).map_or(Level::INFO, |level| level_of(level))).with_targets(own)
    }

    fn shown(&self) -> BTreeMap<String, &'static str> {
        let all = LOGGERS.iter().map(|logger| (*logger).to_owned()).chain(self.0.keys().cloned());
        all.map(|logger| (logger.clone(), self.level(&logger))).collect()
    }

    /// Its own, or that of the nearest around it.
    fn level(&self, logger: &str) -> &'static str {
        let mut name = logger;
        loop {
            if let Some(level) = self.0.get(name) {
                return level;
            }
            name = match name.rsplit_once('.') {
                Some((around, _)) => around,
                None if name == ROOT => return "INFO",
                None => ROOT,
            };
        }
    }
}

fn level_of(name: &str) -> Level {
    match name {
        "TRACE" => Level::TRACE,
        "DEBUG" => Level::DEBUG,
        "WARN" => Level::WARN,
        "ERROR" | "FATAL" => Level::ERROR,
        _ => Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_has_its_own_level_or_that_of_the_nearest_around_it() {
        let levels = Levels(BTreeMap::from([(ROOT.to_owned(), "WARN"), ("corelog.shard".to_owned(), "DEBUG")]));
        let table =
            [("corelog.shard.mover", "DEBUG"), ("corelog.shard", "DEBUG"), ("corelog.log", "WARN"), (ROOT, "WARN")];
        for (logger, level) in table {
            assert_eq!(levels.level(logger), level, "{logger}");
        }
        let targets = levels.targets();
        assert!(targets.would_enable("corelog::shard::mover", &Level::DEBUG));
        assert!(!targets.would_enable("corelog::log", &Level::INFO));
        assert_eq!(levels.shown().get("corelog.api"), Some(&"WARN"));
    }

    #[test]
    fn only_parts_of_the_broker_are_loggers() {
        for (logger, there) in [("root", true), ("corelog.shard.mover", true), ("corelogs", false), ("kafka", false)] {
            assert_eq!(exists(logger), there, "{logger}");
        }
    }

    /// Whoever writes to the log can be told to write more, or less.
    #[test]
    fn every_part_that_writes_to_the_log_is_a_logger() {
        fn writes(path: &std::path::Path) -> bool {
            if path.is_dir() {
                return std::fs::read_dir(path).unwrap().any(|entry| writes(&entry.unwrap().path()));
            }
            let macros = ["info!", "warn!", "error!", "debug!", "trace!"];
            let text = std::fs::read_to_string(path).unwrap_or_default();
            macros.iter().any(|name| text.contains(&format!("tracing::{name}")))
        }
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for part in std::fs::read_dir(&src).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            let name = format!("corelog.{}", part.file_name().unwrap().to_string_lossy());
            assert!(!writes(&part) || LOGGERS.contains(&name.as_str()), "{name} writes to the log");
        }
    }
}
