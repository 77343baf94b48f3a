//! What all tools are told: which brokers, which properties, which form of output.

use super::ToolError;
use crate::client::{Cluster, Options};
use crate::config::properties;
use crate::ring::fs;
use clap::{ArgAction, Args};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The arguments of every tool.
#[derive(Clone, Debug, Args)]
pub struct Connect {
    /// The brokers to ask, one that answers is enough: host1:9092,host2:9092
    #[arg(long, visible_alias = "broker-list", value_name = "host:port,...")]
    pub bootstrap_server: Option<String>,
    /// A properties file for the connection, with Kafka's names
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    /// Gone since Kafka 3.0: use --bootstrap-server
    #[arg(long, hide = true)]
    pub zookeeper: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print the release of Kafka whose tool this is, and our own
    #[arg(long, action = ArgAction::SetTrue)]
    pub version: bool,
}

impl Connect {
    /// The properties of `--command-config`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn properties(&self) -> Result<BTreeMap<String, String>, ToolError> {
        self.command_config.as_deref().map_or(Ok(BTreeMap::new()), load)
    }

    /// The cluster to ask.
    ///
    /// # Errors
    /// No brokers given, or properties that cannot work.
    pub fn cluster(&self, client_id: &str) -> Result<Cluster, ToolError> {
        self.cluster_with(client_id, &self.properties()?)
    }

    /// The cluster to ask, with these properties.
    ///
    /// # Errors
    /// As of [`Self::cluster`].
    pub fn cluster_with(&self, client_id: &str, properties: &BTreeMap<String, String>) -> Result<Cluster, ToolError> {
        Ok(Cluster::new(Options::of(self.servers()?, client_id, properties)?))
    }

    fn servers(&self) -> Result<&str, ToolError> {
        if self.zookeeper.is_some() {
            return Err(ToolError::Usage(
                "--zookeeper is gone since Kafka 3.0: name a broker with --bootstrap-server host:port".into(),
            ));
        }
        let missing = || ToolError::Usage("--bootstrap-server must be specified".into());
        self.bootstrap_server.as_deref().ok_or_else(missing)
    }
}

/// Reads a properties file.
///
/// # Errors
/// A sentence that names the file.
pub fn load(path: &Path) -> Result<BTreeMap<String, String>, ToolError> {
    let told = |why: String| ToolError::Failed(format!("{}: {why}", path.display()));
    let bytes = fs::read(path).map_err(|e| told(e.to_string()))?;
    properties::parse(&bytes).map_err(told)
}

/// Reads `key=value` arguments; a key alone has the empty value (`CommandLineUtils.parseKeyValueArgs`).
pub fn key_values(arguments: &[String]) -> BTreeMap<String, String> {
    let pair = |argument: &String| {
        let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
        (key.to_owned(), value.to_owned())
    };
    arguments.iter().map(pair).collect()
}
