//! `corelog configs` (`kafka.admin.ConfigCommand`).

mod entities;
mod quotas;
mod resources;

use super::connect::load;
use super::{Connect, Streams, Tool, ToolError};
use crate::client::configs::Change;
use crate::client::{ClientError, Cluster};
use clap::{ArgAction, ArgMatches, Args, FromArgMatches};
use entities::Entities;
use std::path::PathBuf;

pub const TOOL: Tool = Tool {
    name: "configs",
    script: "kafka-configs.sh",
    about: "Describes and alters configurations of topics, brokers, groups, clients and users",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, matches, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// Not there: a broker passes on what controllers must know
    #[arg(long, hide = true)]
    bootstrap_controller: Option<String>,
    /// Alter the configurations of an entity
    #[arg(long)]
    alter: bool,
    /// Describe the configurations of an entity, or of all of its type
    #[arg(long)]
    describe: bool,
    /// Describe all configurations, also static ones and defaults
    #[arg(long)]
    all: bool,
    /// topics, clients, users, brokers, broker-loggers, ips, client-metrics or groups
    #[arg(long, value_name = "TYPE")]
    entity_type: Vec<String>,
    /// The name of the entity
    #[arg(long, value_name = "NAME")]
    entity_name: Vec<String>,
    /// The default of all clients, users, brokers or ips instead of one by name
    #[arg(long, action = ArgAction::Count)]
    entity_default: u8,
    /// Values to set; brackets hold commas together: k1=v1,k2=[v1,v2]
    #[arg(long, value_name = "k=v,...")]
    add_config: Option<String>,
    /// A properties file of values to set
    #[arg(long, value_name = "FILE")]
    add_config_file: Option<PathBuf>,
    /// Values to take away
    #[arg(long, value_name = "k1,k2", value_delimiter = ',')]
    delete_config: Vec<String>,
    /// The topic
    #[arg(long)]
    topic: Option<String>,
    /// The client's id
    #[arg(long)]
    client: Option<String>,
    /// The default of all clients
    #[arg(long)]
    client_defaults: bool,
    /// The user
    #[arg(long)]
    user: Option<String>,
    /// The default of all users
    #[arg(long)]
    user_defaults: bool,
    /// The broker's id
    #[arg(long)]
    broker: Option<String>,
    /// The default of all brokers
    #[arg(long)]
    broker_defaults: bool,
    /// The id of the broker whose loggers are meant
    #[arg(long)]
    broker_logger: Option<String>,
    /// The IP address
    #[arg(long)]
    ip: Option<String>,
    /// The default of all IP addresses
    #[arg(long)]
    ip_defaults: bool,
    /// The group
    #[arg(long)]
    group: Option<String>,
    /// The subscription to metrics of clients
    #[arg(long)]
    client_metrics: Option<String>,
}

/// What goes wrong: a line that cannot be, or a cluster that says no.
enum Failure {
    Argument(String),
    Cluster(ClientError),
    Output(std::io::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Cluster(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

/// An action on a cluster.
struct Call<'a> {
    arguments: &'a Arguments,
    entities: &'a Entities,
    cluster: Cluster,
}

fn run(arguments: &Arguments, matches: &ArgMatches, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    if arguments.bootstrap_controller.is_some() {
        let why = "--bootstrap-controller is not there: use --bootstrap-server, a broker passes the request on";
        return Err(ToolError::Usage(why.into()));
    }
    if arguments.alter == arguments.describe {
        return Err(ToolError::Usage("Command must include exactly one action: --describe, --alter".into()));
    }
    if arguments.describe && (arguments.add_config.is_some() || !arguments.delete_config.is_empty()) {
        let why = "Option \"[describe]\" can't be used with option \"[add-config]\" or \"[delete-config]\"";
        return Err(ToolError::Usage(why.into()));
    }
    let done = entities::read(arguments, matches).and_then(|entities| {
        let cluster = arguments.connect.cluster("adminclient-1").map_err(|error| match error {
            ToolError::Usage(why) | ToolError::Failed(why) => Failure::Argument(why),
            ToolError::Output(error) => Failure::Output(error),
            ToolError::Told => Failure::Argument(String::new()),
        })?;
        let mut call = Call { arguments, entities: &entities, cluster };
        match arguments.alter {
            true => call.alter(streams),
            false => call.describe(streams),
        }
    });
    match done {
        Ok(()) => Ok(()),
        Err(Failure::Output(error)) => Err(error.into()),
        Err(Failure::Argument(why)) => Err(ToolError::Failed(why)),
        Err(Failure::Cluster(ClientError::Unsupported(why))) => Err(ToolError::Failed(why)),
        Err(Failure::Cluster(error)) => {
            let line: Vec<String> = std::env::args().skip(2).collect();
            Err(ToolError::Failed(format!(
                "Error while executing config command with args '{}'\n\
                 java.util.concurrent.ExecutionException: {}",
                line.join(" "),
                error.with_exception()
            )))
        }
    }
}

impl Call<'_> {
    fn describe(&mut self, streams: &mut Streams<'_>) -> Result<(), Failure> {
        match self.entities.kind().resource() {
            Some(resource) => self.describe_resources(resource, streams),
            None => self.describe_quotas_and_credentials(streams),
        }
    }

    fn alter(&mut self, streams: &mut Streams<'_>) -> Result<(), Failure> {
        if self.entities.kinds.len() != self.entities.names.len() {
            return Err(Failure::Argument("An entity name must be specified for every entity type".into()));
        }
        let changes = self.changes()?;
        let (kind, name) = (self.entities.kind(), self.entities.name().unwrap_or_default().to_owned());
        match kind.resource() {
            Some(resource) => self.alter_resource(resource, &name, &changes)?,
            None => self.alter_quotas_or_credentials(&changes)?,
        }
        let plural = kind.name();
        let one = plural.strip_suffix('s').unwrap_or(plural);
        match name.is_empty() {
            false => writeln!(streams.out, "Completed updating config for {one} {name}.")?,
            true => writeln!(streams.out, "Completed updating default config for {plural} in the cluster.")?,
        }
        Ok(())
    }

    /// What to take away, then what to set.
    fn changes(&self) -> Result<Vec<Change>, Failure> {
        let mut set = Vec::new();
        if let Some(file) = &self.arguments.add_config_file {
            let told = |error| match error {
                ToolError::Failed(why) => Failure::Argument(why),
                _ => Failure::Argument(format!("{} cannot be read", file.display())),
            };
            set.extend(load(file).map_err(told)?);
        }
        if let Some(text) = &self.arguments.add_config {
            set.extend(pairs(text).ok_or_else(|| {
                Failure::Argument(
                    "requirement failed: Invalid entity config: all configs to be added must be in the format \
                     \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas."
                        .into(),
                )
            })?);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '.' | '_' | '-');
        if let Some((key, _)) = set.iter().find(|(key, _)| !key.chars().all(allowed)) {
            return Err(Failure::Argument(format!("Invalid character found for config key: {key}")));
        }
        let gone = self.arguments.delete_config.iter().map(|key| (key.trim().to_owned(), None));
        Ok(gone.chain(set.into_iter().map(|(key, value)| (key, Some(value)))).collect())
    }
}

/// `k1=v1,k2=[v1,v2]`: neither commas nor signs inside brackets count.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    outside_brackets(text, ',')
        .into_iter()
        .map(|pair| match outside_brackets(pair, '=')[..] {
            [key, value] => Some((key.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned())),
            _ => None,
        })
        .collect()
}

/// Splits at each `sign` that is not in brackets.
fn outside_brackets(text: &str, sign: char) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == sign && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_values_together() {
        let read =
            |text| pairs(text).map(|pairs| pairs.into_iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>());
        assert_eq!(read("a=1, b = 2").unwrap(), ["a:1", "b:2"]);
        assert_eq!(read("a=[1,2],b=").unwrap(), ["a:1,2", "b:"]);
        assert_eq!(read("S=[iterations=8192,password=x]").unwrap(), ["S:iterations=8192,password=x"]);
        assert_eq!(read("a"), None);
        assert_eq!(read("a=1=2"), None);
    }
}
