//! The assignors of the server (`org.apache.kafka.coordinator.group.assignor`): uniform, the default, balances over
//! all topics and moves little; range gives each member a run of each topic, equal numbers together. Neither looks
//! at racks, as in Apache Kafka 4.3.

mod balance;
mod mixed;
mod range;
#[cfg(test)]
mod tests;
mod uniform;

use super::SubscriptionType;
use super::partitions::Partitions;
use crate::base::Uuid;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// An assignor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// `uniform`.
    Uniform,
    /// `range`.
    Range,
}

/// A member as assignors see it.
pub struct MemberSpec {
    /// Its id.
    pub id: Arc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Arc<str>>,
    /// The topics it asks for that exist.
    pub topics: Rc<BTreeSet<Uuid>>,
    /// Its last target.
    pub before: Rc<Partitions>,
}

/// A group as assignors see it.
pub struct Spec<'a> {
    /// The members, by id.
    pub members: &'a [MemberSpec],
    /// Whether all ask for the same.
    pub kind: SubscriptionType,
    /// How many partitions a topic has.
    pub partitions: &'a dyn Fn(&Uuid) -> i32,
}

impl Assignor {
    /// By its name in requests and in `group.consumer.assignors`.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Some(Self::Uniform),
            "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Some(Self::Range),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// What each member gets, in the order of the members. Every partition of a topic that somebody asks for goes to
    /// exactly one of those.
    pub fn assign(self, spec: &Spec) -> Vec<Rc<Partitions>> {
        match (self, spec.kind) {
            _ if spec.members.is_empty() => Vec::new(),
            (Self::Range, _) => range::assign(spec),
            (Self::Uniform, SubscriptionType::Homogeneous) => uniform::assign(spec),
            (Self::Uniform, SubscriptionType::Heterogeneous) => mixed::assign(spec),
        }
    }
}
