//! The coordinators of this core: one for each partition of an internal topic it leads. They start and stop with the
//! leadership and load from the partition's log. Each kind of machine that a core can host is one [`Hosted`].

use super::Shard;
use super::coordinator_log::PartitionLog;
use crate::base::local::{self, Receiver};
use crate::base::topic::{GROUP_METADATA_TOPIC, SHARE_GROUP_STATE_TOPIC};
use crate::base::{ErrorCode, LeaderEpoch, Now, TopicIdPartition, Uuid};
use crate::coordinator::group::{GroupConfig, Groups, ShareGroups};
use crate::coordinator::share::{ShareStateConfig, ShareStates, Work as ShareWork};
use crate::coordinator::transaction::Transactions;
use crate::coordinator::{Coordinator, CoordinatorConfig, Machine, Phase};
use crate::metadata::MetadataDelta;
use crate::partition::Partition;
use crate::record::Compression;
use crate::ring::{process, runtime};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// The coordinators of one kind on one core, by partition.
pub struct Family<M: Machine> {
    running: RefCell<HashMap<TopicIdPartition, (LeaderEpoch, Rc<Coordinator<M>>)>>,
}

impl<M: Machine> Default for Family<M> {
    fn default() -> Self {
        Self { running: RefCell::default() }
    }
}

/// All coordinators of one core.
#[derive(Default)]
pub struct Coordinators {
    groups: Family<Groups>,
    share: Family<ShareStates>,
    pub(super) transactions: Family<Transactions>,
}

/// A machine that cores host: where its state lies and what it is started with.
pub trait Hosted: Machine {
    /// The internal topic that holds its state.
    const TOPIC: &'static str;

    /// Where its coordinators stand among all.
    fn family(all: &Coordinators) -> &Family<Self>;

    /// What the coordinator of a partition called `name` is started with.
    fn config(shard: &Shard, name: String) -> CoordinatorConfig<Self::Config>;

    /// Does what a coordinator on `shard` wants done outside its log.
    fn perform(shard: &Rc<Shard>, coordinator: Rc<Coordinator<Self>>, work: Self::Work);
}

impl Hosted for Groups {
    const TOPIC: &'static str = GROUP_METADATA_TOPIC;

    fn family(all: &Coordinators) -> &Family<Self> {
        &all.groups
    }

    fn config(shard: &Shard, name: String) -> CoordinatorConfig<GroupConfig> {
        let settings = &shard.shared.config.groups;
        let machine = shard.group_numbers();
        let commit_timeout = Duration::from_millis(u64::try_from(settings.offsets_commit_timeout_ms).unwrap_or(0));
        CoordinatorConfig { name, compression: machine.compression, machine, commit_timeout, random }
    }

    fn perform(_: &Rc<Shard>, _: Rc<Coordinator<Self>>, work: Self::Work) {
        match work {}
    }
}

impl Hosted for ShareStates {
    const TOPIC: &'static str = SHARE_GROUP_STATE_TOPIC;

    fn family(all: &Coordinators) -> &Family<Self> {
        &all.share
    }

    fn config(shard: &Shard, name: String) -> CoordinatorConfig<ShareStateConfig> {
        let settings = &shard.shared.config.share;
        let codec = i16::try_from(settings.state_topic_compression_codec).ok().and_then(Compression::from_id);
        let machine = ShareStateConfig { updates_per_snapshot: settings.updates_per_snapshot.unsigned_abs() };
        let commit_timeout = Duration::from_millis(u64::try_from(settings.write_timeout_ms).unwrap_or(0));
        let compression = codec.unwrap_or(Compression::None);
        CoordinatorConfig { name, machine, commit_timeout, compression, random }
    }

    fn perform(shard: &Rc<Shard>, coordinator: Rc<Coordinator<Self>>, work: ShareWork) {
        let ShareWork::DeleteBefore(offset) = work;
        let index = coordinator.name().rsplit_once('-').and_then(|(_, index)| index.parse().ok());
        let topic_id = shard.image().topic_by_name(SHARE_GROUP_STATE_TOPIC).map(|topic| topic.id);
        let id = topic_id.zip(index).map(|(topic_id, partition)| TopicIdPartition { topic_id, partition });
        if let Some(partition) = id.and_then(|id| shard.partition(&id))
            && partition.delete_records(offset.0).is_ok()
        {
            shard.checkpoint_soon(&partition);
        }
    }
}

impl Shard {
    /// Starts the coordinators of partitions this core has come to lead, stops those of partitions
    /// it leads no longer or under another epoch.
    pub(super) fn follow_leadership(self: &Rc<Self>) {
        self.follow_leadership_of::<Groups>();
        self.follow_leadership_of::<ShareStates>();
        self.follow_share_partitions();
        self.follow_leadership_of::<Transactions>();
    }

    fn follow_leadership_of<M: Hosted>(self: &Rc<Self>) {
        let led: HashMap<TopicIdPartition, (LeaderEpoch, Rc<Partition>)> = self
            .open_partitions()
            .into_iter()
            .filter(|p| &*p.name.topic == M::TOPIC)
            .filter_map(|p| Some((p.id, (p.leads()?, p))))
            .collect();
        let now = self.now();
        let running = &M::family(&self.coordinators).running;
        running.borrow_mut().retain(|id, (epoch, coordinator)| {
            let current = led.get(id).map(|(current, _)| *current);
            // A new epoch fails the appends under way although they may stay in the log: what is
            // active reads the log again. What is still reading has nothing under way.
            let kept = current == Some(*epoch) || (current.is_some() && coordinator.phase() == Phase::Loading);
            match current.filter(|_| kept) {
                Some(current) => {
                    *epoch = current;
                    coordinator.led_in(current);
                }
                None => coordinator.resign(now),
            }
            kept
        });
        if !self.is_unfenced() {
            return;
        }
        for (id, (epoch, partition)) in led {
            if !running.borrow().contains_key(&id) {
                let coordinator = self.start_coordinator::<M>(&partition, epoch);
                running.borrow_mut().insert(id, (epoch, coordinator));
            }
        }
    }

    /// True once this start of the broker is registered and unfenced. Until then the image tells of the start before:
    /// after a kill it still leads, in epochs that end in a moment, and what was loaded for them would be loaded again.
    fn is_unfenced(&self) -> bool {
        let own = &self.shared.identity;
        let image = self.image();
        image.broker(own.node_id).is_some_and(|broker| broker.incarnation_id == own.incarnation_id && !broker.fenced)
    }

    fn start_coordinator<M: Hosted>(
        self: &Rc<Self>,
        partition: &Rc<Partition>,
        epoch: LeaderEpoch,
    ) -> Rc<Coordinator<M>> {
        let config = M::config(self, partition.name.to_string());
        let shard = Rc::downgrade(self);
        let perform = move |coordinator, work| {
            if let Some(shard) = shard.upgrade() {
                M::perform(&shard, coordinator, work);
            }
        };
        let coordinator = Coordinator::new(config, Box::new(PartitionLog::of(self, partition)), Box::new(perform));
        coordinator.led_in(epoch);
        coordinator.take_image(&self.image(), &MetadataDelta::default());
        runtime::spawn(coordinator.clone().run()).detach();
        coordinator
    }

    /// Tells the coordinators what has changed, and which topics are gone.
    pub(super) fn tell_coordinators(&self, delta: &MetadataDelta) {
        let image = self.image();
        for (_, coordinator) in self.coordinators.groups.running.borrow().values() {
            coordinator.take_image(&image, delta);
        }
        let topics: Vec<(String, Uuid)> = delta.deleted_topics().map(|(id, name)| (name.to_string(), id)).collect();
        if topics.is_empty() {
            return;
        }
        let now = self.now();
        for (_, coordinator) in self.coordinators.groups.running.borrow().values() {
            coordinator.topics_deleted(&topics, now);
        }
        for (_, coordinator) in self.coordinators.share.running.borrow().values() {
            coordinator.topics_deleted(&topics, now);
        }
    }

    /// The coordinators of one kind on this core, those too that are loading or have failed.
    pub fn coordinators_of<M: Hosted>(&self) -> Vec<Rc<Coordinator<M>>> {
        let running = M::family(&self.coordinators).running.borrow();
        running.values().map(|(_, coordinator)| coordinator.clone()).collect()
    }

    /// The numbers of groups: those of the start, but for what changes while the broker runs.
    fn group_numbers(&self) -> GroupConfig {
        let config = &self.shared.config;
        let share = ShareGroups::new(&config.share);
        let mut numbers = GroupConfig { share, ..GroupConfig::from(&config.groups) };
        let live = self.live();
        numbers.consumer.assignment_interval_ms.default = live.settings.number("group.consumer.assignment.interval.ms");
        numbers.streams.assignment_interval_ms.default = live.settings.number("group.streams.assignment.interval.ms");
        numbers.share.numbers.assignment_interval_ms.default =
            live.settings.number("group.share.assignment.interval.ms");
        numbers
    }

    /// The broker's settings have changed: groups go by them from their next step on.
    pub(super) fn configure_groups(&self) {
        let numbers = self.group_numbers();
        for (_, coordinator) in self.coordinators.groups.running.borrow().values() {
            coordinator.configure(numbers.clone());
        }
    }

    /// What transactions may do follows the finalized features.
    pub(super) fn configure_transactions(&self) {
        let numbers = self.transaction_numbers();
        for (_, coordinator) in self.coordinators.transactions.running.borrow().values() {
            coordinator.configure(numbers.clone());
        }
    }

    /// Stops all coordinators: the broker stops.
    pub fn resign_coordinators(&self) {
        self.resign_all::<Transactions>();
        self.resign_all::<Groups>();
        self.resign_all::<ShareStates>();
        self.end_share_partitions();
    }

    fn resign_all<M: Hosted>(&self) {
        let now = self.now();
        for (_, (_, coordinator)) in M::family(&self.coordinators).running.borrow_mut().drain() {
            coordinator.resign(now);
        }
    }

    /// Asks the coordinator of partition `id`, which this core should lead; 16 where it does not.
    /// The request is taken before this returns.
    pub fn ask_coordinator<M: Hosted>(
        &self,
        id: &TopicIdPartition,
        request: M::Request,
        now: Now,
    ) -> Receiver<M::Answer> {
        if let Some((_, coordinator)) = M::family(&self.coordinators).running.borrow().get(id) {
            return coordinator.ask(request, now);
        }
        let (sender, receiver) = local::oneshot();
        sender.send(M::refuse(&request, ErrorCode::NotCoordinator));
        receiver
    }
}

/// Random bytes for the ids that coordinators make.
pub(super) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    process::random_bytes(&mut bytes);
    bytes
}
