//! Setting the offsets of groups without members (`OffsetsUtils`).

use super::super::Streams;
use super::super::print::json;
use super::time::datetime;
use super::{Arguments, Failure, group_ids, partitions_of};
use crate::base::duration::iso_8601_ms;
use crate::base::{ErrorCode, TopicPartition};
use crate::client::offsets::{EARLIEST, LATEST};
use crate::client::{ClientError, Cluster};
use crate::protocol::json::Json;
use crate::ring::{clock, fs};
use std::collections::{BTreeMap, BTreeSet};

/// The new offset of each partition.
type Plan = BTreeMap<TopicPartition, i64>;

/// The call under way.
struct Reset<'a, 'b> {
    arguments: &'a Arguments,
    cluster: &'a mut Cluster,
    streams: &'a mut Streams<'b>,
}

pub fn reset(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let ids = group_ids(arguments, cluster)?;
    let mut reset = Reset { arguments, cluster, streams };
    let mut plans = BTreeMap::new();
    for id in ids {
        let state = match reset.cluster.describe_consumer_group(&id) {
            Ok(group) => group.state,
            Err(ClientError::Broker(ErrorCode::GroupIdNotFound, _)) => "Dead".into(),
            Err(error) => return Err(error.into()),
        };
        if !matches!(&*state, "Empty" | "Dead") {
            writeln!(
                reset.streams.out,
                "\nError: Assignments can only be reset if the group '{id}' is inactive, but the current state is \
                 {state}."
            )?;
            plans.insert(id, Plan::new());
            continue;
        }
        let plan = reset.plan(&id).map_err(without_exception)?;
        if arguments.execute && !plan.is_empty() {
            reset.cluster.commit_for_group(&id, &plan).map_err(|error| Failure::Said(error.to_string()))?;
        }
        plans.insert(id, plan);
    }
    print(arguments, &plans, streams)
}

/// Here Kafka's tool prints the message alone.
fn without_exception(failure: Failure) -> Failure {
    match failure {
        Failure::Cluster(error) => Failure::Said(error.to_string()),
        other => other,
    }
}

fn print(arguments: &Arguments, plans: &BTreeMap<String, Plan>, streams: &mut Streams<'_>) -> Result<(), Failure> {
    if arguments.connect.json {
        let row = |(group, plan): (&String, &Plan)| {
            let row = |(at, offset): (&TopicPartition, &i64)| {
                Json::Object(vec![
                    ("group", Json::Text(group.clone())),
                    ("topic", Json::Text(at.topic.to_string())),
                    ("partition", Json::Int(at.partition.into())),
                    ("offset", Json::Int(*offset)),
                ])
            };
            plan.iter().map(row).collect::<Vec<_>>()
        };
        return Ok(json(streams, &Json::Array(plans.iter().flat_map(row).collect()))?);
    }
    if arguments.export {
        let alone = arguments.group.len() == 1;
        for (group, plan) in plans {
            for (at, offset) in plan {
                if !alone {
                    write!(streams.out, "{group},")?;
                }
                writeln!(streams.out, "{},{},{offset}", at.topic, at.partition)?;
            }
        }
        return Ok(writeln!(streams.out)?);
    }
    let group_width = plans.keys().map(|id| id.chars().count()).max().unwrap_or(0).max(15);
    let topic_width = plans.values().flat_map(BTreeMap::keys).map(|at| at.topic.len()).max().unwrap_or(0).max(15);
    if !plans.is_empty() {
        let (group, topic) = ("GROUP", "TOPIC");
        write!(streams.out, "\n{group:<group_width$} {topic:<topic_width$} {:<10} NEW-OFFSET", "PARTITION")?;
    }
    for (group, plan) in plans {
        for (at, offset) in plan {
            write!(streams.out, "\n{group:<group_width$} {:<topic_width$} {:<10} {offset}", at.topic, at.partition)?;
        }
    }
    Ok(writeln!(streams.out)?)
}

impl Reset<'_, '_> {
    /// Where a group's offsets go.
    fn plan(&mut self, id: &str) -> Result<Plan, Failure> {
        let partitions = self.partitions(id)?;
        self.check(&partitions)?;
        let at = |timestamp: i64| partitions.iter().map(|at| (at.clone(), timestamp)).collect::<Plan>();
        let arguments = self.arguments;
        if let Some(offset) = arguments.to_offset {
            return self.within_the_log(at(offset));
        }
        if arguments.to_earliest {
            return self.offsets(&at(EARLIEST));
        }
        if arguments.to_latest {
            return self.offsets(&at(LATEST));
        }
        if let Some(by) = arguments.shift_by {
            let committed = self.cluster.committed(id)?;
            let mut wanted = Plan::new();
            for at in &partitions {
                let Some(committed) = committed.get(at) else {
                    return Err(Failure::Usage(format!(
                        "Cannot shift offset for partition {at} since there is no current committed offset"
                    )));
                };
                wanted.insert(at.clone(), committed.offset.saturating_add(by));
            }
            return self.within_the_log(wanted);
        }
        if let Some(text) = &arguments.to_datetime {
            let time = datetime(text).ok_or_else(|| Failure::Said(format!("Unparseable date: \"{text}\"")))?;
            return self.at_time(&at(time));
        }
        if let Some(text) = &arguments.by_duration {
            let wrong = || Failure::Said(format!("Text cannot be parsed to a Duration: {text}"));
            let back = iso_8601_ms(text).ok_or_else(wrong)?;
            return self.at_time(&at(clock::now().wall.0.saturating_sub(back)));
        }
        if arguments.from_file.is_some() {
            let mut plans = self.plans_of_file()?;
            let Some(plan) = plans.remove(id) else {
                writeln!(self.streams.out, "\nError: No reset plan for group {id} found")?;
                return Ok(Plan::new());
            };
            return self.within_the_log(plan);
        }
        if arguments.to_current {
            let committed = self.cluster.committed(id)?;
            let (with, without): (Vec<_>, Vec<_>) = partitions.into_iter().partition(|at| committed.contains_key(at));
            let mut plan = self.offsets(&without.into_iter().map(|at| (at, LATEST)).collect())?;
            plan.extend(with.into_iter().filter_map(|at| Some((at.clone(), committed.get(&at)?.offset))));
            return Ok(plan);
        }
        Err(Failure::Usage(
            "Option '[reset-offsets]' requires one of the following scenarios: [[to-offset], [shift-by], \
             [to-datetime], [by-duration], [to-earliest], [to-latest], [to-current], [from-file]]"
                .into(),
        ))
    }

    /// The partitions whose offsets are to be set.
    fn partitions(&mut self, id: &str) -> Result<BTreeSet<TopicPartition>, Failure> {
        if self.arguments.all_topics {
            return Ok(self.cluster.committed(id)?.into_keys().collect());
        }
        if self.arguments.topic.is_empty() && self.arguments.from_file.is_none() {
            let why = "One of the reset scopes should be defined: --all-topics, --topic.";
            return Err(Failure::Usage(why.into()));
        }
        let mut found = BTreeSet::new();
        for topic in &self.arguments.topic {
            if topic.contains(':') {
                found.extend(partitions_of(topic)?);
                continue;
            }
            for topic in self.cluster.topics_named(&[topic])?.values() {
                found.extend(topic.partitions.iter().map(|one| TopicPartition::new(&*topic.name, one.index)));
            }
        }
        Ok(found)
    }

    /// That all are there and have leaders.
    fn check(&mut self, partitions: &BTreeSet<TopicPartition>) -> Result<(), Failure> {
        let topics: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
        let topics = self.cluster.topics_named(&topics.into_iter().collect::<Vec<_>>())?;
        let find = |at: &TopicPartition| {
            let partitions = topics.get(&*at.topic).map(|topic| &topic.partitions);
            partitions.and_then(|all| all.iter().find(|one| one.index == at.partition))
        };
        let names = |all: Vec<&TopicPartition>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let absent: Vec<_> = partitions.iter().filter(|at| find(at).is_none()).collect();
        if !absent.is_empty() {
            return Err(Failure::Said(format!("The partitions \"{}\" do not exist", names(absent))));
        }
        let led = |at: &&TopicPartition| find(at).is_some_and(|one| one.leader.is_none());
        let leaderless: Vec<_> = partitions.iter().filter(led).collect();
        if !leaderless.is_empty() {
            return Err(Failure::Said(format!("The partitions \"{}\" have no leader", names(leaderless))));
        }
        Ok(())
    }

    /// Looks offsets up; all or none.
    fn offsets(&mut self, wanted: &Plan) -> Result<Plan, Failure> {
        let found = self.cluster.list_offsets(wanted, false)?;
        found.into_iter().map(|(at, found)| Ok((at, found?.offset))).collect()
    }

    /// By time; the end where no record is that young.
    fn at_time(&mut self, wanted: &Plan) -> Result<Plan, Failure> {
        let mut found = self.offsets(wanted)?;
        let late: Vec<TopicPartition> =
            found.iter().filter(|(_, offset)| **offset < 0).map(|(at, _)| at.clone()).collect();
        for at in &late {
            writeln!(
                self.streams.out,
                "\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
                at.partition, at.topic
            )?;
        }
        found.extend(self.offsets(&late.into_iter().map(|at| (at, LATEST)).collect())?);
        Ok(found)
    }

    /// Moves what lies outside of the partitions to their ends.
    fn within_the_log(&mut self, mut wanted: Plan) -> Result<Plan, Failure> {
        let at = |timestamp: i64| wanted.keys().map(|at| (at.clone(), timestamp)).collect::<Plan>();
        let (starts, ends) = (at(EARLIEST), at(LATEST));
        let (starts, ends) = (self.offsets(&starts)?, self.offsets(&ends)?);
        for (at, offset) in &mut wanted {
            let (start, end) = (starts.get(at).copied().unwrap_or(0), ends.get(at).copied().unwrap_or(*offset));
            let (which, bound) = match *offset {
                wanted if wanted > end => ("higher than latest", end),
                wanted if wanted < start => ("lower than earliest", start),
                _ => continue,
            };
            writeln!(
                self.streams.err,
                "WARN New offset ({offset}) is {which} offset for topic partition {at}. Value will be set to {bound}"
            )?;
            *offset = bound;
        }
        Ok(wanted)
    }

    /// `topic,partition,offset` where one group is given, else with the group in front.
    fn plans_of_file(&self) -> Result<BTreeMap<String, Plan>, Failure> {
        let Some(file) = &self.arguments.from_file else { return Ok(BTreeMap::new()) };
        let bytes = fs::read(file).map_err(|e| Failure::Said(format!("{}: {e}", file.display())))?;
        let text = String::from_utf8_lossy(&bytes);
        let alone = match &self.arguments.group[..] {
            [group] => Some(group.as_str()),
            _ => None,
        };
        plans(&text, alone).map_err(|line| Failure::Said(format!("{}: no reset plan: {line}", file.display())))
    }
}

/// The error is the first line that cannot be read.
fn plans(text: &str, alone: Option<&str>) -> Result<BTreeMap<String, Plan>, String> {
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        let (group, topic, partition, offset) = match (&fields[..], alone) {
            ([topic, partition, offset], Some(group)) => (group, topic, partition, offset),
            ([group, topic, partition, offset], _) => (*group, topic, partition, offset),
            _ => return Err(line.to_owned()),
        };
        let (Ok(partition), Ok(offset)) = (partition.parse::<i32>(), offset.parse::<i64>()) else {
            return Err(line.to_owned());
        };
        plans.entry(group.to_owned()).or_default().insert(TopicPartition::new(*topic, partition), offset);
    }
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_with_and_without_groups() {
        let read = plans("t,0,5\n\"u\",1,6\n", Some("g")).unwrap();
        assert_eq!(read["g"].len(), 2);
        assert_eq!(read["g"][&TopicPartition::new("u", 1)], 6);
        assert_eq!(plans("a,t,0,5\nb,t,0,6\n", None).unwrap().len(), 2);
        assert_eq!(plans("t,0,5", None), Err("t,0,5".into()));
        assert_eq!(plans("t,x,5", Some("g")), Err("t,x,5".into()));
    }
}
