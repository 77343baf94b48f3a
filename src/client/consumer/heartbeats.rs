//! A member of a consumer group (KIP-848): all it says and hears are heartbeats, partitions are assigned by the
//! coordinator.

use super::member::MemberConfig;
use crate::base::{ErrorCode, Instant, TopicPartition, Uuid};
use crate::client::ask::Ask;
use crate::client::cluster::{At, Cluster, Coordinates};
use crate::client::error::ClientError;
use crate::client::groups::topics_to_commit;
use crate::protocol::Str;
use crate::protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use crate::protocol::messages::consumer_group_heartbeat_response::Assignment;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, OffsetCommitRequest};
use crate::ring::clock;
use crate::ring::plain::pause;
use crate::ring::process::random_bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who leaves says so in place of an epoch; who has a name of its own only leaves for a while.
const LEAVES: i32 = -1;
const LEAVES_FOR_A_WHILE: i32 = -2;

/// A member of a consumer group.
#[derive(Debug)]
pub struct ConsumerMember {
    config: MemberConfig,
    topics: BTreeSet<String>,
    /// The coordinator knows `topics`.
    told: bool,
    id: Str,
    /// 0 outside of the group.
    epoch: i32,
    coordinator: Option<i32>,
    heartbeat_due: Instant,
    /// What it has, as the coordinator was told.
    has: BTreeSet<TopicPartition>,
    /// What it shall have and was not handed out yet.
    next: Option<BTreeSet<TopicPartition>>,
    names: BTreeMap<Uuid, String>,
}

impl ConsumerMember {
    /// Belongs to nothing yet.
    pub fn new(config: MemberConfig) -> Self {
        let mut id = [0; 16];
        random_bytes(&mut id);
        Self {
            config,
            topics: BTreeSet::new(),
            told: false,
            id: Uuid(id).to_string().into(),
            epoch: 0,
            coordinator: None,
            heartbeat_due: Instant::default(),
            has: BTreeSet::new(),
            next: None,
            names: BTreeMap::new(),
        }
    }

    /// Wants these topics; the next heartbeat says so.
    pub fn subscribe(&mut self, topics: BTreeSet<String>) {
        if self.topics != topics {
            (self.topics, self.told) = (topics, false);
        }
    }

    /// `group.id`.
    pub fn group(&self) -> &str {
        &self.config.group
    }

    /// When the next heartbeat is due.
    pub fn heartbeat_due(&self) -> Instant {
        self.heartbeat_due
    }

    /// Takes what is assigned, and says so to the coordinator. It may be nothing yet: the others give up first.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn join(&mut self, cluster: &mut Cluster) -> Result<BTreeSet<TopicPartition>, ClientError> {
        loop {
            if let Some(next) = self.next.take() {
                self.has = next;
            }
            match self.beat(cluster, true) {
                Ok(()) if self.next.is_none() => return Ok(self.has.clone()),
                Ok(()) => {}
                Err(error) if self.passes(&error) => pause(cluster.options().retry_backoff),
                Err(ClientError::Network(_)) => drop(cluster.call(|cluster| cluster.metadata(Some(&[])))?),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a heartbeat if one is due; false when [`join`](Self::join) has something to take.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn heartbeat(&mut self, cluster: &mut Cluster) -> Result<bool, ClientError> {
        let now = clock::mono();
        if self.topics.is_empty() {
            self.heartbeat_due = now.plus(self.config.heartbeat_interval);
            return Ok(true);
        }
        if self.epoch <= 0 || (now < self.heartbeat_due && self.told) {
            return Ok(self.epoch > 0);
        }
        match self.beat(cluster, false) {
            Ok(()) => Ok(self.next.is_none()),
            Err(error) if self.passes(&error) => {
                self.heartbeat_due = now.plus(cluster.options().retry_backoff);
                Ok(self.epoch > 0)
            }
            Err(error) if error.is_retriable() => {
                self.coordinator = None;
                cluster.call(|cluster| cluster.metadata(Some(&[])))?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether another heartbeat mends it: in the group anew, or at another coordinator.
    fn passes(&mut self, error: &ClientError) -> bool {
        use ErrorCode as E;
        match error.code() {
            Some(E::UnknownMemberId | E::FencedMemberEpoch) => {
                (self.epoch, self.told, self.next) = (0, false, None);
                self.has.clear();
                true
            }
            Some(E::NotCoordinator | E::CoordinatorNotAvailable | E::CoordinatorLoadInProgress) => {
                self.coordinator = None;
                true
            }
            _ => false,
        }
    }

    fn ask<Q: Ask>(&mut self, cluster: &mut Cluster, request: &Q) -> Result<Q::Answer, ClientError> {
        let coordinator = match self.coordinator {
            Some(id) => id,
            None => *self.coordinator.insert(cluster.coordinator(Coordinates::Group, &self.config.group)?),
        };
        cluster.ask(At::Broker(coordinator), request).inspect_err(|error| {
            if matches!(error, ClientError::Network(_)) {
                self.coordinator = None;
            }
        })
    }

    /// One heartbeat; `whole`: with all there is to say.
    fn beat(&mut self, cluster: &mut Cluster, whole: bool) -> Result<(), ClientError> {
        let whole = whole || self.epoch == 0;
        let topics = || self.topics.iter().map(|topic| topic.into()).collect();
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: match whole {
                true => i32::try_from(self.config.rebalance_timeout.as_millis()).unwrap_or(i32::MAX),
                false => -1,
            },
            subscribed_topic_names: (whole || !self.told).then(topics),
            server_assignor: self.config.assignor.as_deref().filter(|_| whole).map(Str::from),
            topic_partitions: whole.then(|| self.owned()),
            ..self.request(self.epoch)
        };
        let answer = self.ask(cluster, &request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        if let Some(id) = answer.member_id.as_ref().filter(|id| !id.is_empty()) {
            self.id = id.copied();
        }
        (self.epoch, self.told) = (answer.member_epoch, true);
        let interval = u64::try_from(answer.heartbeat_interval_ms).unwrap_or(0).max(1);
        self.heartbeat_due = clock::mono().plus(Duration::from_millis(interval));
        if let Some(assignment) = &answer.assignment {
            let assigned = self.named(cluster, assignment)?;
            self.next = (assigned != self.has).then_some(assigned);
        }
        Ok(())
    }

    fn request(&self, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.config.group.as_str().into(),
            member_id: self.id.clone(),
            member_epoch: epoch,
            instance_id: self.config.instance_id.as_deref().map(Str::from),
            ..Default::default()
        }
    }

    /// What it has, by topic id.
    fn owned(&self) -> Vec<TopicPartitions> {
        let of_topic = |(id, name): (&Uuid, &String)| TopicPartitions {
            topic_id: *id,
            partitions: self.has.iter().filter(|at| *at.topic == **name).map(|at| at.partition).collect(),
        };
        self.names.iter().map(of_topic).filter(|topic| !topic.partitions.is_empty()).collect()
    }

    /// An assignment by names. A topic that is gone again is left out.
    fn named(
        &mut self,
        cluster: &mut Cluster,
        assignment: &Assignment,
    ) -> Result<BTreeSet<TopicPartition>, ClientError> {
        if assignment.topic_partitions.iter().any(|topic| !self.names.contains_key(&topic.topic_id)) {
            let names: Vec<&str> = self.topics.iter().map(String::as_str).collect();
            let answer = cluster.metadata(Some(&names))?;
            for topic in answer.topics.iter().filter(|topic| topic.error_code == 0) {
                self.names.insert(topic.topic_id, topic.name.as_deref().unwrap_or_default().to_owned());
            }
        }
        let mut assigned = BTreeSet::new();
        for topic in &assignment.topic_partitions {
            let Some(name) = self.names.get(&topic.topic_id) else { continue };
            assigned.extend(topic.partitions.iter().map(|index| TopicPartition::new(name.as_str(), *index)));
        }
        Ok(assigned)
    }

    /// Commits offsets in its epoch.
    ///
    /// # Errors
    /// Also what the coordinator answered: nobody takes them of a member it does not know.
    pub fn commit(
        &mut self,
        cluster: &mut Cluster,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ClientError> {
        if offsets.is_empty() || self.epoch <= 0 {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            group_id: self.config.group.as_str().into(),
            generation_id_or_member_epoch: self.epoch,
            member_id: self.id.clone(),
            group_instance_id: self.config.instance_id.as_deref().map(Str::from),
            topics: topics_to_commit(offsets),
            ..Default::default()
        };
        cluster.call(|cluster| {
            let answer = self.ask(cluster, &request).inspect_err(|_| self.coordinator = None)?;
            let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.try_for_each(|partition| ClientError::check(partition.error_code, None))
        })
    }

    /// Leaves.
    ///
    /// # Errors
    /// Of the request; there is nothing to be done about them.
    pub fn leave(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        if self.epoch <= 0 {
            return Ok(());
        }
        let how = if self.config.instance_id.is_some() { LEAVES_FOR_A_WHILE } else { LEAVES };
        let answer = self.ask(cluster, &self.request(how))?;
        self.epoch = 0;
        ClientError::check(answer.error_code, answer.error_message.as_deref())
    }
}
