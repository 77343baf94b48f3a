//! `corelog groups` (`org.apache.kafka.tools.GroupsCommand`).

use super::print::json;
use super::{Connect, Streams, Tool, ToolError};
use crate::client::groups::Listing;
use crate::protocol::json::Json;
use clap::{Args, FromArgMatches};

pub const TOOL: Tool = Tool {
    name: "groups",
    script: "kafka-groups.sh",
    about: "Lists groups of all types",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// List the groups
    #[arg(long)]
    list: bool,
    /// Only groups of this type: classic, consumer, share or streams
    #[arg(long, value_name = "TYPE")]
    group_type: Option<String>,
    /// Only groups of this protocol
    #[arg(long)]
    protocol: Option<String>,
    /// Only groups of consumers, also classic and simple ones
    #[arg(long)]
    consumer: bool,
    /// Only share groups
    #[arg(long)]
    share: bool,
    /// Only streams groups
    #[arg(long)]
    streams: bool,
}

impl Arguments {
    fn takes(&self, group: &Listing) -> bool {
        let protocol = self.protocol.as_ref().is_none_or(|wanted| *wanted == group.protocol);
        match &self.group_type {
            Some(kind) => protocol && group.kind.eq_ignore_ascii_case(kind),
            None if self.protocol.is_some() => protocol,
            None if self.consumer => matches!(&*group.protocol, "consumer" | "") || group.kind == "Consumer",
            None if self.share => group.kind == "Share",
            None if self.streams => group.kind == "Streams",
            None => true,
        }
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    if !arguments.list {
        return Err(ToolError::Usage("Command must include exactly one action: --list".into()));
    }
    let filters = [arguments.consumer, arguments.share, arguments.streams];
    let named = arguments.group_type.is_some() || arguments.protocol.is_some();
    if filters.iter().filter(|given| **given).count() + usize::from(named) > 1 {
        return Err(ToolError::Usage(
            "Only one of --consumer, --share, --streams, or --group-type can be given".into(),
        ));
    }
    if let Some(kind) = &arguments.group_type {
        if !["classic", "consumer", "share", "streams"].contains(&&*kind.to_ascii_lowercase()) {
            return Err(ToolError::Usage("--group-type must be a valid group type.".into()));
        }
    }
    let groups = match arguments.connect.cluster("adminclient-1")?.list_groups() {
        Ok(groups) => groups.into_iter().filter(|group| arguments.takes(group)).collect::<Vec<_>>(),
        Err(error) => {
            writeln!(streams.out, "Error while executing groups command : {error}")?;
            return Err(ToolError::Told);
        }
    };
    if arguments.connect.json {
        let item = |group: &Listing| {
            Json::Object(vec![
                ("group", Json::Text(group.id.clone())),
                ("type", Json::Text(group.kind.clone())),
                ("protocol", Json::Text(group.protocol.clone())),
                ("state", Json::Text(group.state.clone())),
            ])
        };
        return Ok(json(streams, &Json::Array(groups.iter().map(item).collect()))?);
    }
    let cells = groups.iter().flat_map(|group| [&group.id, &group.kind, &group.protocol]);
    let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(20);
    writeln!(streams.out, "{:<width$} {:<width$} {:<width$}", "GROUP", "TYPE", "PROTOCOL")?;
    for group in &groups {
        writeln!(streams.out, "{:<width$} {:<width$} {:<width$} ", group.id, group.kind, group.protocol)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{ArgMatches, Command};

    fn arguments(line: &str) -> Arguments {
        let command = Arguments::augment_args(Command::new("groups"));
        let matches: ArgMatches = command.try_get_matches_from(line.split_whitespace()).unwrap();
        Arguments::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn filters_take_what_kafkas_take() {
        let group = |kind: &str, protocol: &str| Listing {
            id: "g".into(),
            kind: kind.into(),
            protocol: protocol.into(),
            state: "Stable".into(),
        };
        let all =
            [group("Classic", "consumer"), group("Classic", ""), group("Classic", "connect"), group("Share", "share")];
        let taken = |line: &str| all.iter().filter(|group| arguments(line).takes(group)).count();
        assert_eq!(taken("groups --list"), 4);
        assert_eq!(taken("groups --list --consumer"), 2);
        assert_eq!(taken("groups --list --share"), 1);
        assert_eq!(taken("groups --list --group-type classic --protocol connect"), 1);
        assert_eq!(taken("groups --list --protocol connect"), 1);
    }
}
