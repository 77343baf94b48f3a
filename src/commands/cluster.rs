//! `corelog cluster` (`org.apache.kafka.tools.ClusterTool`).

use super::print::{json, text};
use super::{Connect, Streams, Tool, ToolError};
use crate::client::ClientError;
use crate::client::cluster::At;
use crate::protocol::json::Json;
use crate::protocol::messages::describe_cluster_response::DescribeClusterBroker;
use crate::protocol::messages::{DescribeClusterRequest, UnregisterBrokerRequest};
use clap::{Args, FromArgMatches, Subcommand};

pub const TOOL: Tool = Tool {
    name: "cluster",
    script: "kafka-cluster.sh",
    about: "Tells a cluster's id and its brokers, and takes brokers out of it",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Action>,
    /// Print the release of Kafka whose tool this is, and our own
    #[arg(long)]
    version: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tells the cluster's id
    ClusterId(Plain),
    /// Takes a broker out of the cluster
    Unregister(Unregister),
    /// Lists where brokers listen
    ListEndpoints(ListEndpoints),
}

#[derive(Debug, Args)]
struct Plain {
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Args)]
struct Unregister {
    #[command(flatten)]
    connect: Connect,
    /// The broker's id
    #[arg(long, short)]
    id: i32,
}

#[derive(Debug, Args)]
struct ListEndpoints {
    #[command(flatten)]
    connect: Connect,
    /// Also brokers that are fenced
    #[arg(long)]
    include_fenced_brokers: bool,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    match &arguments.command {
        Some(Action::ClusterId(plain)) => cluster_id(&plain.connect, streams),
        Some(Action::Unregister(unregister)) => take_out(unregister, streams),
        Some(Action::ListEndpoints(list)) => endpoints(list, streams),
        None => Err(ToolError::Usage("one of cluster-id, unregister, list-endpoints is needed".into())),
    }
}

fn cluster_id(connect: &Connect, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let mut cluster = connect.cluster("adminclient-1")?;
    let answer = cluster.call(|cluster| cluster.metadata(Some(&[])))?;
    let id = answer.cluster_id.as_deref();
    match (connect.json, id) {
        (true, _) => json(streams, &Json::Object(vec![("clusterId", text(id))]))?,
        (false, Some(id)) => writeln!(streams.out, "Cluster ID: {id}")?,
        (false, None) => writeln!(streams.out, "No cluster ID found. The Kafka version is probably too old.")?,
    }
    Ok(())
}

fn take_out(unregister: &Unregister, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let id = unregister.id;
    let mut cluster = unregister.connect.cluster("adminclient-1")?;
    let done = cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &UnregisterBrokerRequest { broker_id: id })?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())
    });
    match done {
        Ok(()) => writeln!(streams.out, "Broker {id} is no longer registered.")?,
        Err(ClientError::Unsupported(_)) => {
            writeln!(streams.out, "The target cluster does not support the broker unregistration API.")?;
        }
        Err(error) => return Err(ToolError::Failed(error.with_exception())),
    }
    Ok(())
}

fn endpoints(list: &ListEndpoints, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let mut cluster = list.connect.cluster("adminclient-1")?;
    let request = DescribeClusterRequest { include_fenced_brokers: list.include_fenced_brokers, ..Default::default() };
    let answer = cluster.call(|cluster| {
        let answer = cluster.ask(At::Any, &request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref()).map(|()| answer)
    });
    let answer = match answer {
        Err(ClientError::Unsupported(why)) => return Ok(writeln!(streams.out, "{why}")?),
        other => other?,
    };
    let state = |broker: &DescribeClusterBroker| if broker.is_fenced { "fenced" } else { "unfenced" };
    if list.connect.json {
        let item = |broker: &DescribeClusterBroker| {
            Json::Object(vec![
                ("id", Json::Int(broker.broker_id.into())),
                ("host", Json::Text(broker.host.to_string())),
                ("port", Json::Int(broker.port.into())),
                ("rack", text(broker.rack.as_deref())),
                ("state", Json::Text(state(broker).to_owned())),
            ])
        };
        return Ok(json(streams, &Json::Array(answer.brokers.iter().map(item).collect()))?);
    }
    let hosts = answer.brokers.iter().map(|broker| broker.host.len()).max().unwrap_or(100);
    let racks = answer.brokers.iter().filter_map(|broker| broker.rack.as_deref()).map(str::len).max().unwrap_or(10);
    let mut row = |cells: [&str; 6]| {
        let [id, host, port, rack, state, kind] = cells;
        writeln!(streams.out, "{id:<10} {host:<hosts$} {port:<10} {rack:<racks$} {state:<10} {kind:<15}")
    };
    row(["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"])?;
    for broker in &answer.brokers {
        let (id, port) = (broker.broker_id.to_string(), broker.port.to_string());
        row([&id, &broker.host, &port, broker.rack.as_deref().unwrap_or("null"), state(broker), "broker"])?;
    }
    Ok(())
}
