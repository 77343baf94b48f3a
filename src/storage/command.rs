//! `corelog storage ...`: the commands of kafka-storage.sh.

use super::features::Features;
use super::format::{FormatRequest, Quorum, format};
use super::{info, random_uuid, scram};
use crate::base::{TimestampMs, Uuid};
use crate::config::arguments::{FormatArguments, StorageCommand};
use crate::config::{Config, ConfigError};
use crate::metadata::store::Voter;
use std::path::Path;

/// What a command prints and ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For standard output (success) or standard error.
    pub text: String,
    /// Exit code 0, else 1.
    pub success: bool,
}

/// Runs a storage command; `load` reads a properties file. Blocking.
pub fn run(command: &StorageCommand, load: &dyn Fn(&Path) -> Result<Config, ConfigError>, now: TimestampMs) -> Outcome {
    let done = match command {
        StorageCommand::RandomUuid => Ok((random_uuid().to_string(), true)),
        StorageCommand::Info(file) => load(&file.config).map(|config| info::info(&config)).map_err(|e| e.to_string()),
        StorageCommand::Format(arguments) => load(&arguments.config)
            .map_err(|e| e.to_string())
            .and_then(|config| run_format(arguments, &config, now))
            .map(|lines| (lines.join("\n"), true)),
    };
    match done {
        Ok((text, success)) => Outcome { text: text.trim_end_matches('\n').to_owned(), success },
        Err(text) => Outcome { text, success: false },
    }
}

fn run_format(arguments: &FormatArguments, config: &Config, now: TimestampMs) -> Result<Vec<String>, String> {
    let features = Features::read(arguments.release_version.as_deref(), &arguments.feature)?;
    let quorum = quorum(arguments, config)?;
    check_kraft_version(&features, arguments, &quorum)?;
    let cluster_id = arguments.cluster_id.trim();
    if cluster_id.is_empty() {
        return Err("The cluster id must not be empty".into());
    }
    let mut bootstrap = features.release.bootstrap_records(&features.others);
    for argument in &arguments.add_scram {
        if features.release.level < scram::METADATA_VERSION_MIN {
            return Err(format!(
                "SCRAM is only supported from metadata.version 3.5-IV2 on, not in {}",
                features.release.name
            ));
        }
        let (mechanism, settings) = argument.split_once('=').ok_or("add-scram must be written mechanism=[...]")?;
        bootstrap.push(scram::credential(mechanism.trim(), settings, random_uuid().0.to_vec())?);
    }
    let request = FormatRequest {
        config,
        cluster_id: cluster_id.to_owned(),
        quorum,
        release: features.release.name,
        bootstrap,
        ignore_formatted: arguments.ignore_formatted,
    };
    format(&request, now).map_err(|e| e.to_string())
}

/// Where the voters are written, by the flags and the properties file, in Kafka's words where they contradict.
fn quorum(arguments: &FormatArguments, config: &Config) -> Result<Quorum, String> {
    let voters_in_file = !config.settings.list("controller.quorum.voters").is_empty();
    if voters_in_file && (arguments.standalone || arguments.initial_controllers.is_some()) {
        return Err("You cannot specify controller.quorum.voters and format the node with --initial-controllers or \
                    --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and \
                    specify controller.quorum.bootstrap.servers instead."
            .into());
    }
    if arguments.standalone {
        return Ok(Quorum::Standalone);
    }
    if let Some(text) = &arguments.initial_controllers {
        return initial_controllers(text, config).map(Quorum::Controllers);
    }
    if voters_in_file || arguments.no_initial_controllers {
        return Ok(Quorum::NotInLog);
    }
    Err("Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
         --standalone, --initial-controllers, or --no-initial-controllers."
        .into())
}

/// Reads `id@host:port:directory,...` (`DynamicVoters`).
fn initial_controllers(text: &str, config: &Config) -> Result<Vec<Voter>, String> {
    let names = &config.listeners.controller;
    let listener = names.first().map_or("CONTROLLER", |listener| listener.name.as_str());
    let one = |text: &str| -> Option<Voter> {
        let (id, rest) = text.trim().split_once('@')?;
        let (address, directory) = rest.rsplit_once(':')?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let endpoint = (listener.to_owned(), host.to_owned(), port.parse().ok()?);
        let named = !host.is_empty();
        named.then_some(Voter {
            id: id.parse().ok().filter(|id| *id >= 0)?,
            directory_id: Uuid::parse(directory).filter(|id| !id.is_reserved())?,
            endpoints: vec![endpoint],
        })
    };
    let mut voters: Vec<Voter> = Vec::new();
    for part in text.split(',') {
        let voter = one(part).ok_or_else(|| {
            format!("Invalid value {part} for --initial-controllers: each is written id@host:port:directory")
        })?;
        if voters.iter().any(|other| other.id == voter.id || other.directory_id == voter.directory_id) {
            return Err(format!(
                "Invalid value {part} for --initial-controllers: its id or directory stands there twice"
            ));
        }
        voters.push(voter);
    }
    let own = config.node.node_id;
    if !voters.iter().any(|voter| voter.id == own) {
        return Err(format!("You cannot use --initial-controllers on this node: node {own} is none of them"));
    }
    Ok(voters)
}

/// `kraft.version` follows from where the voters are; a given one must agree.
fn check_kraft_version(features: &Features, arguments: &FormatArguments, quorum: &Quorum) -> Result<(), String> {
    let in_log = *quorum != Quorum::NotInLog || arguments.no_initial_controllers;
    match features.kraft_version {
        Some(0) if in_log => Err("Cannot set kraft.version to 0 if one of the flags --standalone, \
                                  --initial-controllers, or --no-initial-controllers is used."
            .into()),
        Some(1..) if !in_log => Err("Cannot set kraft.version to 1 unless one of the flags --standalone, \
                                     --initial-controllers, or --no-initial-controllers is used."
            .into()),
        _ => Ok(()),
    }
}
