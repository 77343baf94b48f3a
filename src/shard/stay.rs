//! On which core a connection, or a partition, had better be (pure).
//!
//! A connection whose partitions all belong to another core moves there, and a partition that only connections of another
//! core ask: each request costs a hop less. They do so only while that core has time, or no less than the one they are on:
//! receiving and sending is most of a request's work and would else crowd one core while another is idle. Where a core is
//! crowded all the same, who came goes back.

use super::ShardIndex;

/// Requests in a row for partitions of one other core before a connection moves there; twice as many after each move, so
/// that a client that changes its partitions now and then does not travel all the time.
pub const CONNECTION_PATIENCE: u32 = 64;
/// Requests in a row from one other core before a partition moves there. Connections are lighter and go first.
pub const PARTITION_PATIENCE: u32 = 512;
/// No more is asked of one that moved often.
const DOUBLINGS_MAX: u32 = 8;
/// A core with more load, as a part of a CPU, takes only who comes from a core with even more.
const TAKES_UP_TO: f64 = 0.5;
/// From this load on a core sends away who came.
const CROWDED_FROM: f64 = 0.85;

/// Where a connection or a partition is and has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The core that accepted the connection, or that the partition's id decides.
    pub home: ShardIndex,
    /// The core it is on.
    pub here: ShardIndex,
    /// How often it has moved.
    pub moves: u32,
    /// Requests in a row after which it moves for the first time.
    pub patience: u32,
}

impl Stay {
    /// A connection accepted on `home`.
    pub const fn connection(home: ShardIndex) -> Self {
        Self { home, here: home, moves: 0, patience: CONNECTION_PATIENCE }
    }

    /// A partition that has moved so often and is `here` now.
    pub const fn partition(home: ShardIndex, here: ShardIndex, moves: u32) -> Self {
        Self { home, here, moves, patience: PARTITION_PATIENCE }
    }

    /// Having moved to `to`.
    pub const fn at(self, to: ShardIndex) -> Self {
        Self { here: to, moves: self.moves.saturating_add(1), ..self }
    }

    /// The core to move to, if any: its latest `requests` were all for partitions of `owner`, or from that core. `load` of a core is the part
    /// of a CPU it uses, `None` where that is not known.
    pub fn next(
        self,
        owner: ShardIndex,
        requests: u32,
        load: impl Fn(ShardIndex) -> Option<f64>,
    ) -> Option<ShardIndex> {
        let patience = self.patience << self.moves.min(DOUBLINGS_MAX);
        if requests < patience || (owner == self.here && self.home == self.here) {
            return None;
        }
        let here = load(self.here)?;
        if owner != self.here {
            return load(owner).is_some_and(|there| there <= here.max(TAKES_UP_TO)).then_some(owner);
        }
        let home_has_time = || load(self.home).is_some_and(|home| home <= TAKES_UP_TO);
        (here >= CROWDED_FROM && home_has_time()).then_some(self.home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ShardIndex = ShardIndex(0);
    const B: ShardIndex = ShardIndex(1);

    fn loads(a: f64, b: f64) -> impl Fn(ShardIndex) -> Option<f64> {
        move |core| Some(if core == A { a } else { b })
    }

    #[test]
    fn it_moves_to_its_partitions_while_their_core_has_time() {
        let stay = Stay::connection(A);
        assert_eq!(stay.next(B, 63, loads(0.1, 0.1)), None, "too early");
        assert_eq!(stay.next(B, 64, loads(0.1, 0.1)), Some(B));
        assert_eq!(stay.next(B, 64, loads(0.1, 0.6)), None, "no time there");
        assert_eq!(stay.next(B, 64, loads(0.7, 0.6)), Some(B), "less here");
        assert_eq!(stay.next(B, 64, |_| None), None, "nobody knows");
        assert_eq!(stay.next(A, 64, loads(0.1, 0.1)), None, "it is there");
    }

    #[test]
    fn who_moved_often_is_slow_to_move_again() {
        let stay = Stay::connection(A).at(B);
        assert_eq!(stay.next(A, 64, loads(0.0, 0.0)), None);
        assert_eq!(stay.next(A, 128, loads(0.0, 0.0)), Some(A));
        let often = Stay { moves: 1000, ..stay };
        assert_eq!(often.next(A, (64 << 8) - 1, loads(0.0, 0.0)), None);
        assert_eq!(often.next(A, 64 << 8, loads(0.0, 0.0)), Some(A));
    }

    #[test]
    fn a_partition_is_more_patient_than_a_connection() {
        let stay = Stay::partition(A, A, 0);
        assert_eq!(stay.next(B, 511, loads(0.1, 0.1)), None);
        assert_eq!(stay.next(B, 512, loads(0.1, 0.1)), Some(B));
        let came = Stay::partition(A, B, 1);
        assert_eq!(came.next(B, 1024, loads(0.1, 0.9)), Some(A), "crowded");
        assert_eq!(came.next(A, 1024, loads(0.1, 0.1)), Some(A), "asked from its first core again");
    }

    #[test]
    fn a_crowded_core_sends_home_who_came() {
        let came = Stay::connection(A).at(B);
        assert_eq!(came.next(B, 128, loads(0.2, 0.9)), Some(A));
        assert_eq!(came.next(B, 128, loads(0.2, 0.8)), None, "not crowded");
        assert_eq!(came.next(B, 128, loads(0.7, 0.9)), None, "no better there");
        assert_eq!(Stay::connection(B).next(B, 128, loads(0.0, 1.0)), None, "it belongs here");
    }
}
