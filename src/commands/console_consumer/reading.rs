//! Where the records come from: one partition, all of some topics, or what a group assigns.

use super::super::pattern::Pattern;
use super::super::{Streams, ToolError};
use super::arguments::Arguments;
use crate::base::{Instant, TopicPartition};
use crate::client::consumer::member::MemberConfig;
use crate::client::consumer::{ConsumedRecord, Consumer, ConsumerConfig, Member, Reset};
use crate::client::offsets::{EARLIEST, LATEST};
use crate::ring::clock;
use crate::ring::plain::{stopped, wait};
use crate::ring::process::Signals;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A consumer, perhaps a member of a group.
pub struct Reading {
    consumer: Consumer,
    member: Option<Member>,
    wanted: Wanted,
    /// How long to wait for a record.
    patience: Option<Duration>,
    auto_commit: Option<Duration>,
    commit_due: Instant,
    /// When to look for new partitions or topics.
    refresh_due: Instant,
    refresh_interval: Duration,
    _signals: Signals,
}

/// What is read.
enum Wanted {
    Partition,
    Topic(String),
    Pattern(Pattern),
}

impl Reading {
    /// Connects and finds the first partitions.
    pub fn begin(arguments: &Arguments) -> Result<Self, ToolError> {
        let properties = arguments.properties()?;
        let settings = Settings { properties: &properties };
        let config = settings.consumer()?;
        let cluster = arguments.connect.cluster_with("console-consumer", &properties)?;
        let wanted = match (&arguments.topic, &arguments.include, arguments.partition) {
            (Some(_), _, Some(_)) => Wanted::Partition,
            (Some(topic), ..) => Wanted::Topic(topic.clone()),
            (None, pattern, _) => Wanted::Pattern(Pattern::whole(pattern.as_deref().unwrap_or_default())?),
        };
        let member = properties.get("group.id").map(|group| settings.member(group)).transpose()?;
        let commits = member.is_some() && settings.flag("enable.auto.commit", true);
        let interval = settings.ms("auto.commit.interval.ms", 5_000)?;
        let now = clock::mono();
        let mut reading = Self {
            consumer: Consumer::new(cluster, config),
            member,
            wanted,
            patience: arguments.timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
            auto_commit: commits.then_some(interval),
            commit_due: now.plus(interval),
            refresh_due: now,
            refresh_interval: settings.ms("metadata.max.age.ms", 300_000)?,
            _signals: Signals::install()?,
        };
        if let (Some(topic), Some(partition)) = (&arguments.topic, arguments.partition) {
            let at = TopicPartition::new(topic.as_str(), partition);
            let offset = reading.first_offset(arguments, &at)?;
            reading.consumer.assign([(at, Some(offset))].into());
        }
        Ok(reading)
    }

    /// Where `--offset` and `--from-beginning` point in a partition.
    fn first_offset(&mut self, arguments: &Arguments, at: &TopicPartition) -> Result<i64, ToolError> {
        let given = arguments.offset.as_deref().unwrap_or(if arguments.from_beginning { "earliest" } else { "latest" });
        let place = match given.to_ascii_lowercase().as_str() {
            "earliest" => EARLIEST,
            "latest" => LATEST,
            number => {
                return number.parse().ok().filter(|offset| *offset >= 0).ok_or_else(|| {
                    ToolError::Usage(format!(
                        "The provided offset value '{given}' is incorrect. Valid values are 'earliest', 'latest', or \
                         a non-negative long."
                    ))
                });
            }
        };
        let found = self.consumer.cluster.list_offsets(&[(at.clone(), place)].into(), false)?;
        let none = || ToolError::Failed(format!("no offset for {at}"));
        Ok(found.into_values().next().ok_or_else(none)??.offset)
    }

    /// The next record; `None` at a signal, or when none came in time.
    pub fn next(&mut self, streams: &mut Streams<'_>) -> Result<Option<ConsumedRecord>, ToolError> {
        let began = clock::mono();
        loop {
            if stopped() {
                return Ok(None);
            }
            self.keep_up()?;
            if let Some(record) = self.consumer.next() {
                return Ok(Some(record));
            }
            // Whoever looks at the output sees all there is before there is a pause.
            streams.out.flush()?;
            let late = self.patience.map(|patience| began.plus(patience));
            if late.is_some_and(|late| clock::mono() >= late) {
                writeln!(
                    streams.err,
                    "ERROR Error processing message, terminating consumer process: \
                     org.apache.kafka.common.errors.TimeoutException"
                )?;
                return Ok(None);
            }
            let mut until = self.refresh_due.min(late.unwrap_or(self.refresh_due));
            if let Some(member) = &self.member {
                until = until.min(member.heartbeat_due());
            }
            if self.auto_commit.is_some() {
                until = until.min(self.commit_due);
            }
            let reads = self.consumer.assignment().next().is_some();
            match reads {
                true => self.consumer.poll(until)?,
                false => drop(wait(std::iter::empty(), None, until)?),
            }
        }
    }

    /// What is due: new topics and partitions, heartbeats, commits.
    fn keep_up(&mut self) -> Result<(), ToolError> {
        let now = clock::mono();
        if now >= self.refresh_due {
            self.refresh()?;
        }
        if self.auto_commit.is_some() && now >= self.commit_due {
            self.commit();
        }
        let Some(member) = &mut self.member else { return Ok(()) };
        if !member.heartbeat(&mut self.consumer.cluster)? {
            self.rejoin()?;
        }
        Ok(())
    }

    /// Looks which topics and partitions there are.
    fn refresh(&mut self) -> Result<(), ToolError> {
        let found: BTreeMap<String, usize> = match &self.wanted {
            Wanted::Partition => {
                self.refresh_due = clock::mono().plus(self.refresh_interval);
                return Ok(());
            }
            Wanted::Topic(topic) => {
                let answer =
                    self.consumer.cluster.call(|cluster| cluster.metadata_or_create(Some(&[topic.as_str()]), true))?;
                let sound = answer.topics.iter().filter(|topic| topic.error_code == 0);
                sound
                    .map(|topic| (topic.name.as_deref().unwrap_or_default().to_owned(), topic.partitions.len()))
                    .collect()
            }
            Wanted::Pattern(pattern) => {
                let topics = self.consumer.cluster.topics()?.into_values();
                let fitting = topics.filter(|topic| !topic.internal && pattern.matches(&topic.name));
                fitting.map(|topic| (topic.name, topic.partitions.len())).collect()
            }
        };
        // A topic that is not there yet is waited for.
        let next = if found.is_empty() { Duration::from_millis(100) } else { self.refresh_interval };
        self.refresh_due = clock::mono().plus(next);
        match &mut self.member {
            Some(member) => {
                let named = match &self.wanted {
                    Wanted::Topic(topic) => [topic.clone()].into(),
                    _ => found.into_keys().collect::<BTreeSet<_>>(),
                };
                member.subscribe(named);
            }
            None => {
                let all = found.iter().flat_map(|(topic, count)| {
                    (0..*count as i32).map(|index| (TopicPartition::new(topic.as_str(), index), None))
                });
                self.consumer.assign(all.collect());
            }
        }
        Ok(())
    }

    /// Gives everything up, and takes what the group assigns.
    fn rejoin(&mut self) -> Result<(), ToolError> {
        if self.auto_commit.is_some() {
            self.commit();
        }
        let Some(member) = &mut self.member else { return Ok(()) };
        self.consumer.assign(BTreeMap::new());
        let joined = member.join(&mut self.consumer.cluster);
        let assigned = match joined {
            Ok(assigned) => assigned,
            Err(_) if stopped() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let committed = match assigned.is_empty() {
            true => BTreeMap::new(),
            false => self.consumer.cluster.committed(member.group())?,
        };
        let offsets = assigned.into_iter().map(|at| {
            let offset = committed.get(&at).map(|committed| committed.offset);
            (at, offset)
        });
        self.consumer.assign(offsets.collect());
        // Somebody may have added partitions while the group was rebalancing.
        Ok(())
    }

    /// Commits how far records were handed out. What a rebalance has overtaken, another member reads again.
    fn commit(&mut self) {
        let Some(interval) = self.auto_commit else { return };
        self.commit_due = clock::mono().plus(interval);
        let Some(member) = &mut self.member else { return };
        let consumed = self.consumer.consumed();
        if let Err(error) = member.commit(&mut self.consumer.cluster, &consumed) {
            tracing::warn!(%error, "offsets were not committed");
        }
    }

    /// Commits and leaves.
    pub fn end(&mut self) {
        self.commit();
        if let Some(member) = &mut self.member {
            // Its session ends by itself when it cannot say goodbye.
            drop(member.leave(&mut self.consumer.cluster));
        }
    }
}

/// The consumer's properties, with Kafka's defaults.
struct Settings<'a> {
    properties: &'a BTreeMap<String, String>,
}

impl Settings<'_> {
    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> Result<T, ToolError> {
        match self.properties.get(key) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| {
                ToolError::Failed(format!(
                    "Invalid value {text} for configuration {key}: not a number that it can have"
                ))
            }),
        }
    }

    fn ms(&self, key: &str, default: u64) -> Result<Duration, ToolError> {
        self.number(key, default).map(Duration::from_millis)
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        self.properties.get(key).map_or(default, |text| text.trim().eq_ignore_ascii_case("true"))
    }

    fn one_of<T>(&self, key: &str, default: &str, known: &[(&str, T)]) -> Result<T, ToolError>
    where
        T: Copy,
    {
        let given = self.properties.get(key).map_or(default, |text| text.trim());
        let found = known.iter().find(|(name, _)| *name == given).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            ToolError::Failed(format!("Invalid value {given} for configuration {key}: must be one of: {names}"))
        })
    }

    fn consumer(&self) -> Result<ConsumerConfig, ToolError> {
        let resets = [("earliest", Reset::Earliest), ("latest", Reset::Latest), ("none", Reset::None)];
        let levels = [("read_committed", true), ("read_uncommitted", false)];
        Ok(ConsumerConfig {
            read_committed: self.one_of("isolation.level", "read_uncommitted", &levels)?,
            reset: self.one_of("auto.offset.reset", "latest", &resets)?,
            min_bytes: self.number("fetch.min.bytes", 1)?,
            max_bytes: self.number("fetch.max.bytes", 50 << 20)?,
            max_partition_bytes: self.number("max.partition.fetch.bytes", 1 << 20)?,
            max_wait: self.ms("fetch.max.wait.ms", 500)?,
            check_crcs: self.flag("check.crcs", true),
        })
    }

    fn member(&self, group: &str) -> Result<Member, ToolError> {
        let consumer = self.one_of("group.protocol", "classic", &[("classic", false), ("consumer", true)])?;
        let config = MemberConfig {
            group: group.to_owned(),
            instance_id: self.properties.get("group.instance.id").cloned(),
            session_timeout: self.ms("session.timeout.ms", 45_000)?,
            heartbeat_interval: self.ms("heartbeat.interval.ms", 3_000)?,
            rebalance_timeout: self.ms("max.poll.interval.ms", 300_000)?,
            assignor: self.properties.get("group.remote.assignor").cloned(),
        };
        Ok(Member::new(config, consumer))
    }
}
