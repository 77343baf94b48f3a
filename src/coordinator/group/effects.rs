//! What the state machine wants done: see [`machine`](crate::coordinator::machine).

use super::Groups;
use crate::coordinator::machine;
pub use machine::{Append, AppendId, Batch, Record, Subject, Token};

/// The outcome of one step, in order.
pub type Effects = machine::Effects<Groups>;

/// One step of the machine: which request, when, and where its effects go.
pub type Step<'a> = machine::Step<'a, Groups>;
