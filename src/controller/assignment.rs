//! Which brokers, and which of their directories, get a partition's replicas.

use super::Refusal;
use crate::base::{BrokerId, ErrorCode, LeaderEpoch, PartitionEpoch, Uuid};
use crate::metadata::{BrokerRegistration, LeaderRecoveryState, MetadataImage, PartitionRegistration};
use std::collections::HashMap;
use std::sync::Arc;

/// Places the replicas of new partitions. Counts what it placed, so that one request spreads over directories too.
pub struct Placer<'a> {
    image: &'a MetadataImage,
    brokers: Vec<&'a Arc<BrokerRegistration>>,
    /// Partitions per directory; counted when first needed.
    load: Option<HashMap<Uuid, usize>>,
    next: usize,
}

impl<'a> Placer<'a> {
    /// Over the brokers of `image` that may get new replicas. `start` (any number) decides where the round begins.
    pub fn new(image: &'a MetadataImage, start: usize) -> Self {
        let brokers = image.brokers().filter(|broker| is_usable(broker)).collect();
        Self { image, brokers, load: None, next: start }
    }

    /// Places one partition on `factor` brokers, in a round; the reason in words where there are too few.
    pub fn place(&mut self, factor: i16) -> Result<PartitionRegistration, Refusal> {
        let refused = |why: String| {
            let text = format!("Unable to replicate the partition {factor} time(s): {why}");
            Refusal::new(ErrorCode::InvalidReplicationFactor, text)
        };
        let wanted = usize::try_from(factor).unwrap_or(0);
        if !self.brokers.iter().any(|broker| is_active(broker)) {
            return Err(refused(
                "All brokers are currently fenced, or have all their log directories cordoned.".into(),
            ));
        }
        if wanted > self.brokers.len() {
            return Err(refused(format!(
                "The target replication factor of {factor} cannot be reached because only {} broker(s) are registered \
                 or some brokers have all their log directories cordoned.",
                self.brokers.len()
            )));
        }
        // Brokers that serve come first: a fenced one never becomes the preferred leader while another could.
        let at = self.next;
        self.next = self.next.wrapping_add(1);
        let turned = |i: usize| self.brokers[at.wrapping_add(i) % self.brokers.len()];
        let mut chosen: Vec<_> = (0..self.brokers.len()).map(turned).collect();
        chosen.sort_by_key(|broker| !is_active(broker));
        let replicas: Vec<BrokerId> = chosen.iter().take(wanted).map(|broker| broker.id).collect();
        self.register(replicas).ok_or_else(|| refused("All chosen brokers are fenced.".into()))
    }

    /// Places one partition where the request says; `factor` is how many replicas the topic's other partitions have.
    pub fn place_manually(
        &mut self,
        replicas: &[i32],
        partition: i32,
        factor: Option<usize>,
    ) -> Result<PartitionRegistration, Refusal> {
        let refused = |text: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, text);
        check_manual_assignment(self.image, replicas, factor).map_err(refused)?;
        let replicas = replicas.iter().map(|id| BrokerId(*id)).collect();
        self.register(replicas).ok_or_else(|| {
            refused(format!(
                "All brokers specified in the manual partition assignment for partition {partition} are fenced or in \
                 controlled shutdown."
            ))
        })
    }

    /// `None` where no replica is in service.
    fn register(&mut self, replicas: Vec<BrokerId>) -> Option<PartitionRegistration> {
        let active = |id: &&BrokerId| self.image.broker(**id).is_some_and(|broker| is_active(broker));
        let isr: Vec<BrokerId> = replicas.iter().filter(active).copied().collect();
        let leader = *isr.first()?;
        let directories = replicas.iter().map(|id| self.directory(*id)).collect();
        Some(PartitionRegistration {
            directories,
            replicas,
            isr,
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader,
            recovery: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
        })
    }

    /// The directory of `broker` with the fewest partitions; zero where it names none (before directory ids).
    fn directory(&mut self, broker: BrokerId) -> Uuid {
        let Some(broker) = self.image.broker(broker) else { return Uuid::ZERO };
        let open: Vec<Uuid> = broker.log_dirs.iter().filter(|dir| !is_cordoned(broker, dir)).copied().collect();
        let open = if open.is_empty() { &broker.log_dirs } else { &open };
        if let [only] = open[..] {
            return only;
        }
        let load = self.load.get_or_insert_with(|| count(self.image));
        let Some(least) = open.iter().min_by_key(|dir| load.get(*dir).copied().unwrap_or(0)) else { return Uuid::ZERO };
        *load.entry(*least).or_default() += 1;
        *least
    }
}

fn count(image: &MetadataImage) -> HashMap<Uuid, usize> {
    let mut load = HashMap::new();
    for directory in image.topics().flat_map(|topic| topic.partitions.values()).flat_map(|p| &p.directories) {
        *load.entry(*directory).or_default() += 1;
    }
    load
}

/// Why replicas that a request names cannot be (`ReplicationControlManager.validateManualPartitionAssignment`): the first
/// reason in the order of the ids. `factor` is how many there have to be.
pub fn check_manual_assignment(image: &MetadataImage, replicas: &[i32], factor: Option<usize>) -> Result<(), String> {
    if replicas.is_empty() {
        return Err("The manual partition assignment includes an empty replica list.".into());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for id in sorted {
        if image.broker(BrokerId(id)).is_none() {
            return Err(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if previous.replace(id) == Some(id) {
            return Err(format!("The manual partition assignment includes the broker {id} more than once."));
        }
    }
    match factor {
        Some(factor) if factor != replicas.len() => Err(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {factor} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

fn is_active(broker: &BrokerRegistration) -> bool {
    !broker.fenced && !broker.in_controlled_shutdown
}

fn is_cordoned(broker: &BrokerRegistration, dir: &Uuid) -> bool {
    broker.cordoned_log_dirs.as_ref().is_some_and(|cordoned| cordoned.contains(dir))
}

/// May get new replicas: has a directory that is not cordoned (KIP-1066).
fn is_usable(broker: &BrokerRegistration) -> bool {
    broker.log_dirs.is_empty() || broker.log_dirs.iter().any(|dir| !is_cordoned(broker, dir))
}
