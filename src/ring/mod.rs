//! The only module with `unsafe` and with syscalls: files, sockets, clocks, timers, threads, messages between cores.
//!
//! Everything above awaits futures of this module and names none of what is behind them. The body behind is
//! io_uring (`uring/`): one data ring per core, turned by a pump task on a pinned glommio executor.
//!
//! **Where the simulated body plugs in.** The public types ([`file::File`], `net`'s listener and stream,
//! [`clock::now`], [`runtime`]'s spawn and sleep, [`fs`]'s functions) are structs without type parameters that
//! hide their fields. A second body becomes a second variant inside each of them, chosen by the thread's core
//! (`Core` is what the thread-local holds): files and directories in memory with torn writes and EIO, sockets as
//! queues, a clock that the scheduler advances, one seed for all of it. Nothing above changes.

mod activity;
mod ahead;
pub mod append;
pub mod buffer;
pub mod clock;
mod cold;
mod doorbell;
pub mod errno;
#[cfg(test)]
pub(crate) mod fault;
pub mod file;
pub mod fs;
pub mod mailbox;
pub mod net;
mod packing;
pub mod parallel;
mod passing;
mod patience;
pub mod plain;
mod pool;
pub mod probe;
pub mod process;
pub mod runtime;
pub mod selftest;
pub mod stats;
mod timer;
mod turns;
mod uring;

pub use append::AppendPath;
pub use pool::set_cores as set_blocking_cores;
