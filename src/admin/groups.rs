//! Asking a core's coordinators for their groups, in steps: offsets are copied some at a time, and whoever has something
//! to do on the core has it done in between.

use super::render::GROUPS_MAX;
use crate::coordinator::Coordinator;
use crate::coordinator::group::{GroupFacts, Groups};
use crate::ring::runtime;
use crate::shard::Shard;
use std::rc::Rc;
use std::sync::Arc;

/// Committed offsets copied before others have their turn on the core.
const OFFSETS_AT_ONCE: usize = 1000;
/// Committed offsets copied on a core in all. A group whose offsets do not fit is left out: half of them would tell less
/// lag than there is.
const OFFSETS_MAX: usize = 100_000;

type Owner = Rc<Coordinator<Groups>>;

/// The first groups by name, and how many there are.
pub async fn ask(shard: &Rc<Shard>) -> (Vec<GroupFacts>, usize) {
    let mut names: Vec<(Arc<str>, Owner)> = Vec::new();
    for owner in shard.coordinators_of::<Groups>() {
        names.extend(owner.look(Groups::names).into_iter().map(|name| (name, owner.clone())));
        runtime::yield_now().await;
    }
    let count = names.len();
    // The same ones in each scrape.
    if count > GROUPS_MAX {
        names.select_nth_unstable_by(GROUPS_MAX, |a, b| a.0.cmp(&b.0));
        names.truncate(GROUPS_MAX);
    }
    let (mut facts, mut left, mut copied) = (Vec::with_capacity(names.len()), OFFSETS_MAX, 0);
    for (name, owner) in names {
        let Some(group) = one(&name, &owner, left, &mut copied).await else { continue };
        left -= group.offsets.len();
        facts.push(group);
    }
    (facts, count)
}

/// One group; `None` where it is gone, or has more than `offsets_max` offsets.
async fn one(name: &Arc<str>, owner: &Owner, offsets_max: usize, copied: &mut usize) -> Option<GroupFacts> {
    let mut group = owner.look(|groups| groups.survey(name))?;
    loop {
        let from = group.offsets.len();
        group.offsets.extend(owner.look(|groups| groups.committed_from(name, from, OFFSETS_AT_ONCE)));
        let more = group.offsets.len() - from;
        // A group without offsets costs its part too.
        *copied += more.max(10);
        if *copied >= OFFSETS_AT_ONCE {
            *copied = 0;
            runtime::yield_now().await;
        }
        if group.offsets.len() > offsets_max {
            return None;
        }
        if more < OFFSETS_AT_ONCE {
            return Some(group);
        }
    }
}
