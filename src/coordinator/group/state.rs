//! The states of a classic group and the transitions between them
//! (`org.apache.kafka.coordinator.group.classic.ClassicGroupState`).

/// Where a classic group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No members; may still hold offsets.
    Empty,
    /// Waiting for the members to (re)join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// On its way out: its tombstones are being written, or the coordinator has resigned.
    Dead,
}

/// All states.
#[cfg(test)]
pub const STATES: [State; 5] =
    [State::Empty, State::PreparingRebalance, State::CompletingRebalance, State::Stable, State::Dead];

impl State {
    /// The name clients and tools see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }

    /// True when a group in `self` may move on to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use State::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        match next {
            Empty => self == PreparingRebalance,
            PreparingRebalance => matches!(self, Stable | CompletingRebalance | Empty),
            CompletingRebalance => self == PreparingRebalance,
            Stable => self == CompletingRebalance,
            Dead => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_states_follows_kafkas_table() {
        use State::{CompletingRebalance as C, Dead as D, Empty as E, PreparingRebalance as P, Stable as S};
        let allowed = [(E, P), (E, D), (P, C), (P, E), (P, D), (C, P), (C, S), (C, D), (S, P), (S, D), (D, D)];
        for from in STATES {
            for to in STATES {
                assert_eq!(from.may_become(to), allowed.contains(&(from, to)), "{from:?} -> {to:?}");
            }
        }
    }
}
