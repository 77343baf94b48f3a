//! `corelog features` (`org.apache.kafka.tools.FeatureCommand`).

mod known;

use super::print::{json, number};
use super::{Connect, Streams, Tool, ToolError};
use crate::client::cluster::At;
use crate::client::{ClientError, Cluster};
use crate::metadata::image::METADATA_VERSION;
use crate::protocol::json::Json;
use crate::protocol::messages::update_features_request::FeatureUpdateKey;
use crate::protocol::messages::{ApiVersionsRequest, UpdateFeaturesRequest};
use crate::storage::features::Release;
use clap::{Args, FromArgMatches, Subcommand};
use std::collections::BTreeMap;

pub const TOOL: Tool = Tool {
    name: "features",
    script: "kafka-features.sh",
    about: "Describes the cluster's features, and changes their levels",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Describes the features and their levels
    Describe(Describe),
    /// Raises features
    Upgrade(Change),
    /// Lowers features
    Downgrade(Change),
    /// Lowers features to nothing
    Disable(Disable),
    /// The levels that belong to a release
    VersionMapping(VersionMapping),
    /// What levels of features need
    FeatureDependencies(known::Dependencies),
}

#[derive(Debug, Args)]
struct Describe {
    /// The node to ask; any when absent
    #[arg(long)]
    node_id: Option<i32>,
}

#[derive(Debug, Args)]
struct Change {
    /// Deprecated: the metadata.version, as 3.9-IV0
    #[arg(long)]
    metadata: Option<String>,
    /// The release to which all features go
    #[arg(long)]
    release_version: Option<String>,
    /// A feature and its level: metadata.version=30
    #[arg(long, value_name = "feature=level")]
    feature: Vec<String>,
    /// Only say whether it can be done
    #[arg(long)]
    dry_run: bool,
    /// With downgrade: also where metadata is lost
    #[arg(long, id = "unsafe")]
    unsafe_downgrade: bool,
}

#[derive(Debug, Args)]
struct Disable {
    /// The feature
    #[arg(long)]
    feature: Vec<String>,
    /// Only say whether it can be done
    #[arg(long)]
    dry_run: bool,
    /// Also where metadata is lost
    #[arg(long, id = "unsafe")]
    unsafe_downgrade: bool,
}

#[derive(Debug, Args)]
struct VersionMapping {
    /// The release; the newest when absent
    #[arg(long)]
    release_version: Option<String>,
}

/// What becomes of the features.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Upgrade,
    Downgrade,
    Disable,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Disable => "disable",
        }
    }

    /// Of the request: 1 up, 2 down, 3 down whatever is lost.
    fn kind(self, unsafe_downgrade: bool) -> i8 {
        match (self, unsafe_downgrade) {
            (Self::Upgrade, _) => 1,
            (_, false) => 2,
            (_, true) => 3,
        }
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let connect = &arguments.connect;
    let cluster = || connect.cluster("adminclient-1");
    match &arguments.command {
        None => Err(ToolError::Usage(
            "a command is needed: describe, upgrade, downgrade, disable, version-mapping or feature-dependencies"
                .into(),
        )),
        Some(Action::Describe(describe)) => tell(&mut cluster()?, describe.node_id, connect.json, streams),
        Some(Action::Upgrade(change)) => {
            if change.unsafe_downgrade {
                return Err(ToolError::Usage("unrecognized arguments: '--unsafe'".into()));
            }
            let levels = levels(change, Verb::Upgrade, streams)?;
            update(&mut cluster()?, Verb::Upgrade, &levels, (false, change.dry_run), streams)
        }
        Some(Action::Downgrade(change)) => {
            let levels = levels(change, Verb::Downgrade, streams)?;
            let how = (change.unsafe_downgrade, change.dry_run);
            update(&mut cluster()?, Verb::Downgrade, &levels, how, streams)
        }
        Some(Action::Disable(disable)) => {
            let mut levels = BTreeMap::new();
            for feature in &disable.feature {
                once(&mut levels, feature, 0)?;
            }
            let how = (disable.unsafe_downgrade, disable.dry_run);
            update(&mut cluster()?, Verb::Disable, &levels, how, streams)
        }
        Some(Action::VersionMapping(mapping)) => known::mapping(mapping.release_version.as_deref(), streams),
        Some(Action::FeatureDependencies(asked)) => known::dependencies(asked, streams),
    }
}

/// `3.9-IV0` for levels of metadata.version, the number for those of others.
fn level_text(feature: &str, level: i16) -> String {
    match Release::by_level(level) {
        _ if feature != METADATA_VERSION => level.to_string(),
        Some(release) => release.name.to_owned(),
        None => format!("UNKNOWN {level}"),
    }
}

fn tell(cluster: &mut Cluster, node: Option<i32>, as_json: bool, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    if let Some(id) = node.filter(|id| *id < 0) {
        return Err(ToolError::Failed(format!("Invalid node id {id}: must be non-negative.")));
    }
    let request = ApiVersionsRequest {
        client_software_name: "corelog".into(),
        client_software_version: env!("CARGO_PKG_VERSION").into(),
        ..Default::default()
    };
    let answer = cluster.call(|cluster| {
        if node.is_some() {
            cluster.metadata(Some(&[]))?;
        }
        let answer = cluster.ask(node.map_or(At::Any, At::Broker), &request)?;
        ClientError::check(answer.error_code, None).map(|()| answer)
    })?;
    let mut supported: Vec<_> = answer.supported_features.iter().collect();
    supported.sort_by(|a, b| a.name.cmp(&b.name));
    let epoch = (answer.finalized_features_epoch >= 0).then_some(answer.finalized_features_epoch);
    let mut items = Vec::new();
    for feature in supported {
        let finalized = answer.finalized_features.iter().find(|it| it.name == feature.name);
        let finalized = finalized.map_or(0, |it| it.max_version_level);
        let [least, most, now] =
            [feature.min_version, feature.max_version, finalized].map(|level| level_text(&feature.name, level));
        if !as_json {
            let epoch = epoch.map_or("-".to_owned(), |epoch| epoch.to_string());
            writeln!(
                streams.out,
                "Feature: {:<40}  SupportedMinVersion: {least:<15}  SupportedMaxVersion: {most:<15}  \
                 FinalizedVersionLevel: {now:<15}  Epoch: {epoch}",
                feature.name,
            )?;
        }
        items.push(Json::Object(vec![
            ("feature", Json::Text(feature.name.to_string())),
            ("supportedMinVersion", Json::Int(feature.min_version.into())),
            ("supportedMaxVersion", Json::Int(feature.max_version.into())),
            ("finalizedVersionLevel", Json::Int(finalized.into())),
            ("epoch", number(epoch)),
        ]));
    }
    if as_json {
        json(streams, &Json::Array(items))?;
    }
    Ok(())
}

fn once(levels: &mut BTreeMap<String, i16>, feature: &str, level: i16) -> Result<(), ToolError> {
    match levels.insert(feature.to_owned(), level) {
        None => Ok(()),
        Some(_) => Err(ToolError::Failed(format!("Feature {feature} was specified more than once."))),
    }
}

/// The levels that the flags ask for.
fn levels(change: &Change, verb: Verb, streams: &mut Streams<'_>) -> Result<BTreeMap<String, i16>, ToolError> {
    let mut levels = BTreeMap::new();
    if let Some(text) = &change.release_version {
        if change.metadata.is_some() || !change.feature.is_empty() {
            let why = "Can not specify `release-version` with other feature flags.";
            return Err(ToolError::Failed(why.into()));
        }
        let release = Release::by_name(text).map_err(ToolError::Failed)?;
        levels.insert(METADATA_VERSION.to_owned(), release.level);
        // Nothing is raised to 0.
        let due = known::levels_of(release).filter(|(_, level)| verb != Verb::Upgrade || *level > 0);
        levels.extend(due.map(|(feature, level)| (feature.to_owned(), level)));
        return Ok(levels);
    }
    if let Some(text) = &change.metadata {
        writeln!(streams.out, " `metadata` flag is deprecated and may be removed in a future release.")?;
        levels.insert(METADATA_VERSION.to_owned(), Release::by_name(text).map_err(ToolError::Failed)?.level);
    }
    for text in &change.feature {
        let (feature, level) = known::name_and_level(text)?;
        once(&mut levels, feature, level)?;
    }
    Ok(levels)
}

/// `how`: whatever is lost; only to see whether it could be done.
fn update(
    cluster: &mut Cluster,
    verb: Verb,
    levels: &BTreeMap<String, i16>,
    how: (bool, bool),
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let (unsafe_downgrade, dry_run) = how;
    if levels.is_empty() {
        return Err(ToolError::Failed(format!("You must specify at least one feature to {}", verb.word())));
    }
    if let Some(level) = levels.values().find(|level| verb == Verb::Upgrade && **level < 1) {
        let why = "The downgradeType flag should be set to SAFE or UNSAFE when the provided maxVersionLevel:";
        return Err(ToolError::Failed(format!("{why}{level} is < 1.")));
    }
    let key = |(feature, level): (&String, &i16)| FeatureUpdateKey {
        feature: feature.as_str().into(),
        max_version_level: *level,
        upgrade_type: verb.kind(unsafe_downgrade),
        ..Default::default()
    };
    let request = UpdateFeaturesRequest {
        timeout_ms: 30_000,
        feature_updates: levels.iter().map(key).collect(),
        validate_only: dry_run,
    };
    let answer = cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &request)?;
        // Of the codes only those that pass are errors of the call; the others are told of each feature.
        match ClientError::of(answer.error_code, answer.error_message.as_deref()) {
            Some(error) if error.is_retriable() => Err(error),
            _ => Ok(answer),
        }
    });
    let whole = match &answer {
        Ok(answer) => ClientError::of(answer.error_code, answer.error_message.as_deref()),
        Err(error) => Some(error.clone()),
    };
    let mut failed = 0;
    for (feature, level) in levels {
        let results = answer.iter().flat_map(|answer| &answer.results);
        let own = results
            .filter(|result| *result.feature == **feature)
            .find_map(|result| ClientError::of(result.error_code, result.error_message.as_deref()));
        let to = if verb == Verb::Disable { String::new() } else { format!(" to {level}") };
        match own.or(whole.clone()) {
            Some(error) => {
                let can = if dry_run { "Can" } else { "Could" };
                writeln!(streams.out, "{can} not {} {feature}{to}. {error}", verb.word())?;
                failed += 1;
            }
            None => {
                let was = if dry_run { "can be" } else { "was" };
                writeln!(streams.out, "{feature} {was} {}d{to}.", verb.word())?;
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(ToolError::Failed(format!("{failed} out of {} operation(s) failed.", levels.len()))),
    }
}
