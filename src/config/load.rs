//! From the text of a file and the overrides to a [`Config`].

use super::settings::Settings;
use super::{Config, properties, providers, rules};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What reading a configuration may ask of the machine.
pub struct Outside<'a> {
    /// A file's content, for the providers.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// An environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// This machine's name, which a listener without a host advertises.
    pub hostname: &'a dyn Fn() -> String,
}

impl Outside<'_> {
    /// A machine without files and variables, called localhost.
    pub const NOTHING: Outside<'static> = Outside {
        read_file: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
        env: &|_| None,
        hostname: &|| String::new(),
    };
}

/// What the user gave.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The properties file and its bytes.
    pub file: Option<(PathBuf, Vec<u8>)>,
    /// `--override key=value`, in order: the last of a key wins.
    pub overrides: Vec<(String, String)>,
}

/// Why there is no [`Config`]: one sentence for each thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The sentences.
    pub sentences: Vec<String>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentences.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl From<Vec<String>> for ConfigError {
    fn from(sentences: Vec<String>) -> Self {
        Self { sentences }
    }
}

impl From<String> for ConfigError {
    fn from(sentence: String) -> Self {
        Self { sentences: vec![sentence] }
    }
}

/// The defaults of a node started without a properties file, where they differ from Kafka's.
const WITHOUT_FILE: &[(&str, &str)] = &[
    ("listeners", "PLAINTEXT://127.0.0.1:9092"),
    ("log.dirs", "./data"),
    ("offsets.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.replication.factor", "1"),
];

/// What Kafka demands of a file and a standalone node may leave out.
const STANDALONE: &[(&str, &str)] =
    &[("node.id", "1"), ("process.roles", "broker,controller"), ("controller.listener.names", "CONTROLLER")];

impl Given {
    /// Reads, expands, types and checks it all.
    pub fn config(self, outside: &Outside) -> Result<Config, ConfigError> {
        let (given, properties_file) = self.merged(outside)?;
        let mut warnings = Vec::new();
        let given = rules::map_old_keys(given, &mut warnings);
        let mut errors = rules::refusals(&given, &mut warnings);
        let mut settings = match Settings::new(&given) {
            Ok(settings) => settings,
            Err(wrong) => {
                errors.extend(wrong);
                return Err(errors.into());
            }
        };
        let absent: &[_] = if properties_file.is_none() { WITHOUT_FILE } else { &[] };
        for (name, text) in STANDALONE.iter().chain(absent) {
            let log_dir_given = *name == "log.dirs" && settings.is_given("log.dir");
            if !settings.is_given(name) && !log_dir_given {
                settings.put(name, text)?;
            }
        }
        errors.extend(rules::contradictions(&settings));
        warnings.extend(rules::warnings(&settings));
        let config = Config::from_settings(settings, properties_file);
        if let Ok(config) = &config {
            errors.extend(rules::loopback(&config.settings, &config.listeners));
        }
        match config {
            Ok(mut config) if errors.is_empty() => {
                config.listeners.name_host(outside.hostname);
                warnings.append(&mut config.warnings);
                config.warnings = warnings;
                Ok(config)
            }
            Ok(_) => Err(errors.into()),
            Err(wrong) => {
                errors.extend(wrong);
                Err(errors.into())
            }
        }
    }

    fn merged(self, outside: &Outside) -> Result<(BTreeMap<String, String>, Option<PathBuf>), ConfigError> {
        let mut properties_file = None;
        let mut given = BTreeMap::new();
        if let Some((path, bytes)) = self.file {
            given = properties::parse(&bytes).map_err(|reason| format!("{}: {reason}", path.display()))?;
            properties_file = Some(path);
        }
        given.extend(self.overrides);
        providers::expand(&mut given, outside)?;
        Ok((given, properties_file))
    }
}

#[cfg(test)]
mod tests;
