//! Telling of groups: offsets, members, state.

use super::super::Streams;
use super::super::print::{joined, json, number, text};
use super::rows::{OffsetRow, ends, offset_rows};
use super::{Arguments, Failure, group_ids};
use crate::base::TopicPartition;
use crate::client::Cluster;
use crate::client::groups::{Group, Member};
use crate::protocol::json::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;

/// What stands where there is nothing.
const MISSING: &str = "-";

pub fn describe(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let mut groups = Vec::new();
    for id in group_ids(arguments, cluster)? {
        groups.push(cluster.describe_consumer_group(&id)?);
    }
    let mut items = Vec::new();
    for group in &groups {
        if arguments.members || arguments.state.is_some() {
            match (arguments.connect.json, arguments.members) {
                (true, _) => items.push(group_item(group, &[])),
                (false, true) => print_members(group, arguments.verbose, streams)?,
                (false, false) => print_state(group, arguments.verbose, streams)?,
            }
            continue;
        }
        let committed = cluster.committed(&group.id)?;
        let assigned = group.members.iter().flat_map(|member| member.assignment.iter().cloned());
        let ends = ends(cluster, assigned.chain(committed.keys().cloned()))?;
        let rows = offset_rows(group, &committed, &ends);
        match arguments.connect.json {
            true => items.push(group_item(group, &rows)),
            false => print_offsets(group, &rows, arguments.verbose, streams)?,
        }
    }
    if arguments.connect.json {
        json(streams, &Json::Array(items))?;
    }
    Ok(())
}

/// Says what the state means, and whether there is something to print.
fn tell_state(group: &Group, rows: usize, streams: &mut Streams<'_>) -> io::Result<bool> {
    let id = &group.id;
    match &*group.state {
        "Dead" => writeln!(streams.out, "\nError: Consumer group '{id}' does not exist.")?,
        "Empty" => writeln!(streams.err, "\nConsumer group '{id}' has no active members.")?,
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            writeln!(streams.err, "\nWarning: Consumer group '{id}' is rebalancing.")?;
        }
        _ => {}
    }
    Ok(group.state != "Dead" && rows > 0)
}

fn or_missing<T: Display>(value: Option<T>) -> String {
    value.map_or(MISSING.to_owned(), |value| value.to_string())
}

/// A row begins with a line break; the columns' widths are fixed but for these.
fn widest<'a>(texts: impl Iterator<Item = &'a str>, least: usize) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0).max(least)
}

fn print_offsets(group: &Group, rows: &[OffsetRow], verbose: bool, streams: &mut Streams<'_>) -> io::Result<()> {
    if !tell_state(group, rows.len(), streams)? {
        return Ok(());
    }
    let reader = |row: &OffsetRow| match &row.reader {
        Some(reader) => reader.clone(),
        None => (MISSING.into(), MISSING.into(), MISSING.into()),
    };
    let readers: Vec<_> = rows.iter().map(reader).collect();
    let group_width = widest(std::iter::once(&*group.id), 15);
    let topic_width = widest(rows.iter().map(|row| &*row.at.topic), 15);
    let id_width = widest(readers.iter().map(|(id, ..)| &**id), 15);
    let host_width = widest(readers.iter().map(|(_, host, _)| &**host), 15);
    let mut line = |cells: [&str; 10]| {
        let [group, topic, partition, epoch, offset, end, lag, id, host, client] = cells;
        write!(streams.out, "\n{group:<group_width$} {topic:<topic_width$} {partition:<10} ")?;
        if verbose {
            write!(streams.out, "{epoch:<15} ")?;
        }
        write!(streams.out, "{offset:<15} {end:<15} {lag:<15} {id:<id_width$} {host:<host_width$} {client}")
    };
    line([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ])?;
    for (row, (id, host, client)) in rows.iter().zip(&readers) {
        let committed = row.committed.as_ref();
        line([
            &group.id,
            &row.at.topic,
            &row.at.partition.to_string(),
            &or_missing(committed.and_then(|committed| committed.leader_epoch)),
            &or_missing(committed.map(|committed| committed.offset)),
            &or_missing(row.end),
            &or_missing(row.lag()),
            id,
            host,
            client,
        ])?;
    }
    writeln!(streams.out)
}

/// `t:0,1;u:3`
fn assignment(partitions: &BTreeSet<TopicPartition>) -> String {
    if partitions.is_empty() {
        return MISSING.to_owned();
    }
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for at in partitions {
        topics.entry(&at.topic).or_default().push(at.partition);
    }
    let topics: Vec<String> = topics.iter().map(|(topic, all)| format!("{topic}:{}", joined(all))).collect();
    topics.join(";")
}

fn print_members(group: &Group, verbose: bool, streams: &mut Streams<'_>) -> io::Result<()> {
    // Kafka's tool prints the heading also of a group without members.
    tell_state(group, group.members.len(), streams)?;
    writeln!(streams.out)?;
    let members = &group.members;
    let group_width = if members.is_empty() { 15 } else { widest(std::iter::once(&*group.id), 15) };
    let id_width = widest(members.iter().map(|member| &*member.id), 15);
    let instance = |member: &Member| member.instance_id.clone().unwrap_or_default();
    let instances: Vec<String> = members.iter().map(instance).collect();
    let with_instance = instances.iter().any(|instance| !instance.is_empty());
    let instance_width = widest(instances.iter().map(String::as_str), 17);
    let host_width = widest(members.iter().map(|member| &*member.host), 15);
    let client_width = widest(members.iter().map(|member| &*member.client_id), 15);
    let current: Vec<String> = members.iter().map(|member| assignment(&member.assignment)).collect();
    let target: Vec<String> = members.iter().map(|member| assignment(&member.target)).collect();
    let current_width = widest(current.iter().map(String::as_str), 20);
    let target_width = widest(target.iter().map(String::as_str), 20);
    let has = |upgraded| members.iter().any(|member| member.upgraded == Some(upgraded));
    let mixed = has(true) && has(false);
    let mut line = |cells: [&str; 11]| {
        let [group, id, instance, host, client, count, epoch, current, target_epoch, target, upgraded] = cells;
        write!(streams.out, "{group:<group_width$} {id:<id_width$} ")?;
        if with_instance {
            write!(streams.out, "{instance:<instance_width$} ")?;
        }
        write!(streams.out, "{host:<host_width$} {client:<client_width$} {count:<15} ")?;
        if verbose {
            write!(streams.out, "{epoch:<15} {current:<current_width$} {target_epoch:<15} {target:<target_width$}")?;
            if mixed {
                write!(streams.out, " {upgraded}")?;
            }
        }
        writeln!(streams.out)
    };
    line([
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        "CURRENT-EPOCH",
        "CURRENT-ASSIGNMENT",
        "TARGET-EPOCH",
        "TARGET-ASSIGNMENT",
        "UPGRADED",
    ])?;
    for ((member, instance), (current, target)) in members.iter().zip(&instances).zip(current.iter().zip(&target)) {
        line([
            &group.id,
            &member.id,
            instance,
            &member.host,
            &member.client_id,
            &member.assignment.len().to_string(),
            &or_missing(member.epoch),
            current,
            &or_missing(group.target_epoch),
            target,
            &or_missing(member.upgraded),
        ])?;
    }
    Ok(())
}

fn print_state(group: &Group, verbose: bool, streams: &mut Streams<'_>) -> io::Result<()> {
    if !tell_state(group, 1, streams)? {
        return Ok(());
    }
    let (id, endpoint) = &group.coordinator;
    let coordinator = format!("{}:{}  ({id})", endpoint.host, endpoint.port);
    let coordinator_width = widest(std::iter::once(&*coordinator), 25);
    let group_width = widest(std::iter::once(&*group.id), 15);
    let assignor = if group.assignor.is_empty() { MISSING } else { &group.assignor };
    let mut line = |cells: [&str; 7]| {
        let [group, coordinator, assignor, state, epoch, target_epoch, members] = cells;
        write!(streams.out, "\n{group:<group_width$} {coordinator:<coordinator_width$} {assignor:<20} {state:<20} ")?;
        if verbose {
            write!(streams.out, "{epoch:<15} {target_epoch:<25} ")?;
        }
        write!(streams.out, "{members}")
    };
    line([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ])?;
    line([
        &group.id,
        &coordinator,
        assignor,
        &group.state,
        &or_missing(group.epoch),
        &or_missing(group.target_epoch),
        &group.members.len().to_string(),
    ])?;
    writeln!(streams.out)
}

fn group_item(group: &Group, rows: &[OffsetRow]) -> Json {
    let row = |row: &OffsetRow| {
        Json::Object(vec![
            ("topic", Json::Text(row.at.topic.to_string())),
            ("partition", Json::Int(row.at.partition.into())),
            ("offset", number(row.committed.as_ref().map(|committed| committed.offset))),
            ("leaderEpoch", number(row.committed.as_ref().and_then(|committed| committed.leader_epoch))),
            ("logEndOffset", number(row.end)),
            ("lag", number(row.lag())),
            ("memberId", text(row.reader.as_ref().map(|(id, ..)| &**id))),
        ])
    };
    let member = |member: &Member| {
        Json::Object(vec![
            ("memberId", Json::Text(member.id.clone())),
            ("instanceId", text(member.instance_id.as_deref())),
            ("clientId", Json::Text(member.client_id.clone())),
            ("host", Json::Text(member.host.clone())),
            ("epoch", number(member.epoch)),
            ("assignment", Json::Array(member.assignment.iter().map(|at| Json::Text(at.to_string())).collect())),
        ])
    };
    Json::Object(vec![
        ("group", Json::Text(group.id.clone())),
        ("type", Json::Text(group.kind.to_owned())),
        ("state", Json::Text(group.state.clone())),
        ("coordinator", Json::Int(group.coordinator.0.into())),
        ("assignor", Json::Text(group.assignor.clone())),
        ("epoch", number(group.epoch)),
        ("members", Json::Array(group.members.iter().map(member).collect())),
        ("offsets", Json::Array(rows.iter().map(row).collect())),
    ])
}
