//! `corelog broker-api-versions` (`org.apache.kafka.tools.BrokerApiVersionsCommand`).

use super::print::json;
use super::{Connect, Streams, Tool, ToolError};
use crate::client::ClientError;
use crate::client::cluster::At;
use crate::protocol::ApiKey;
use crate::protocol::json::Json;
use crate::protocol::messages::ApiVersionsRequest;
use crate::protocol::messages::api_versions_response::ApiVersion;
use clap::{Args, FromArgMatches};

pub const TOOL: Tool = Tool {
    name: "broker-api-versions",
    script: "kafka-broker-api-versions.sh",
    about: "Tells which versions of each API the brokers serve",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

/// APIs of brokers and controllers among themselves, which no client misses.
const NOT_FOR_CLIENTS: [i16; 16] = [4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82];

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let mut cluster = arguments.connect.cluster("admin-1")?;
    let metadata = cluster.call(|cluster| cluster.metadata(Some(&[])))?;
    let mut items = Vec::new();
    let mut brokers: Vec<_> = metadata.brokers.iter().collect();
    brokers.sort_by_key(|broker| broker.node_id);
    for broker in brokers {
        let (id, rack) = (broker.node_id, broker.rack.as_deref().unwrap_or("null"));
        let name = format!("{}:{} (id: {id} rack: {rack} isFenced: false)", broker.host, broker.port);
        // Connecting asks for the versions.
        let request = ApiVersionsRequest {
            client_software_name: "corelog-tools".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        let asked = cluster.call(|cluster| {
            let answer = cluster.ask(At::Broker(id), &request)?;
            ClientError::check(answer.error_code, None).map(|()| answer)
        });
        match asked {
            Ok(answer) if arguments.connect.json => items.push(item(id, &answer.api_keys)),
            Ok(answer) => {
                let lines = lines(&answer.api_keys);
                writeln!(streams.out, "{name} -> (\n\t{}\n)", lines.join(",\n\t"))?;
            }
            Err(error) => writeln!(streams.out, "{name} -> ERROR: {error}")?,
        }
    }
    if arguments.connect.json {
        json(streams, &Json::Array(items))?;
    }
    Ok(())
}

/// One for each API, by number.
fn lines(apis: &[ApiVersion]) -> Vec<String> {
    let served = apis.iter().map(|api| (api.api_key, line(api)));
    let known = |key: i16| apis.iter().any(|api| api.api_key == key);
    let for_clients = |key: &ApiKey| !NOT_FOR_CLIENTS.contains(&(*key as i16));
    let missing = ApiKey::all().filter(for_clients).filter(|key| !known(*key as i16));
    let missing = missing.map(|key| (key as i16, format!("{}({}): UNSUPPORTED", key.name(), key as i16)));
    let mut all: Vec<(i16, String)> = served.chain(missing).collect();
    all.sort();
    all.into_iter().map(|(_, line)| line).collect()
}

fn line(api: &ApiVersion) -> String {
    let (low, high) = (api.min_version, api.max_version);
    let range = if low == high { low.to_string() } else { format!("{low} to {high}") };
    let Some(key) = ApiKey::from_i16(api.api_key) else { return format!("UNKNOWN({}): {range}", api.api_key) };
    let ours = key.codec_versions();
    let usable = match () {
        () if *ours.end() < low => "[unusable: node too new]".to_owned(),
        () if high < *ours.start() => "[unusable: node too old]".to_owned(),
        () => format!("[usable: {}]", high.min(*ours.end())),
    };
    format!("{}({}): {range} {usable}", key.name(), api.api_key)
}

fn item(id: i32, apis: &[ApiVersion]) -> Json {
    let api = |api: &ApiVersion| {
        let name = ApiKey::from_i16(api.api_key).map_or("UNKNOWN", ApiKey::name);
        Json::Object(vec![
            ("name", Json::Text(name.to_owned())),
            ("key", Json::Int(api.api_key.into())),
            ("minVersion", Json::Int(api.min_version.into())),
            ("maxVersion", Json::Int(api.max_version.into())),
        ])
    };
    Json::Object(vec![("broker", Json::Int(id.into())), ("apis", Json::Array(apis.iter().map(api).collect()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(api_key: i16, min_version: i16, max_version: i16) -> ApiVersion {
        ApiVersion { api_key, min_version, max_version }
    }

    #[test]
    fn lines_are_kafkas() {
        assert_eq!(line(&api(0, 0, 13)), "Produce(0): 0 to 13 [usable: 13]");
        assert_eq!(line(&api(46, 0, 0)), "ListPartitionReassignments(46): 0 [usable: 0]");
        assert_eq!(line(&api(0, 99, 100)), "Produce(0): 99 to 100 [unusable: node too new]");
        assert_eq!(line(&api(999, 0, 1)), "UNKNOWN(999): 0 to 1");
        let all = lines(&[api(1, 4, 18)]);
        assert_eq!(all[..2], ["Produce(0): UNSUPPORTED".to_owned(), "Fetch(1): 4 to 18 [usable: 18]".to_owned()]);
        assert!(!all.iter().any(|line| line.starts_with("Vote(")));
    }
}
