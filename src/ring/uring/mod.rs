//! The io_uring body of `ring`: one data ring per core, its operations in flight, and the pump that drives it.

mod core;
mod op;
mod provided;
mod pump;

pub(crate) use self::core::Core;
pub(crate) use op::{Completion, Keep, Op, Owner, SendParts};
pub(crate) use provided::GROUP;
pub(crate) use pump::start;
