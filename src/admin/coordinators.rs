//! What the coordinators of a core, and its share partitions, tell the metrics.

use crate::coordinator::group::{Groups, GroupsFacts};
use crate::coordinator::share::ShareStates;
use crate::coordinator::transaction::{TransactionFacts, Transactions};
use crate::coordinator::{Machine, Phase};
use crate::ring::runtime;
use crate::shard::{Hosted, Shard, ShareFacts};
use std::rc::Rc;

/// Partitions of an internal topic by where their coordinator stands.
#[derive(Clone, Copy, Default)]
pub struct Phases {
    pub loading: usize,
    pub active: usize,
    pub failed: usize,
}

impl Phases {
    fn of<M: Hosted>(shard: &Shard) -> Self {
        let mut phases = Self::default();
        for coordinator in shard.coordinators_of::<M>() {
            match coordinator.phase() {
                Phase::Loading => phases.loading += 1,
                Phase::Active => phases.active += 1,
                Phase::Resigned => phases.failed += 1,
            }
        }
        phases
    }

    pub fn add(&mut self, other: Self) {
        self.loading += other.loading;
        self.active += other.active;
        self.failed += other.failed;
    }
}

/// All coordinators of one core.
#[derive(Default)]
pub struct CoordinatorFacts {
    pub groups: GroupsFacts,
    pub transactions: TransactionFacts,
    pub share: ShareFacts,
    /// Share partitions whose progress is kept here.
    pub share_states: usize,
    pub group_phases: Phases,
    pub transaction_phases: Phases,
    pub share_phases: Phases,
}

/// Looks at one coordinator after another; others have their turn in between.
pub async fn ask(shard: &Rc<Shard>) -> CoordinatorFacts {
    let mut facts = CoordinatorFacts {
        share: shard.share_facts(),
        group_phases: Phases::of::<Groups>(shard),
        transaction_phases: Phases::of::<Transactions>(shard),
        share_phases: Phases::of::<ShareStates>(shard),
        ..Default::default()
    };
    for coordinator in shard.coordinators_of::<Groups>() {
        facts.groups.add(coordinator.look(Groups::facts));
        runtime::yield_now().await;
    }
    for coordinator in shard.coordinators_of::<Transactions>() {
        facts.transactions.add(coordinator.look(Transactions::facts));
        runtime::yield_now().await;
    }
    for coordinator in shard.coordinators_of::<ShareStates>() {
        facts.share_states += coordinator.look(Machine::len);
    }
    facts
}
