//! Connections: frames in, replies out in request order, all of it bounded.

mod connection;
mod frame;
mod idle;
mod listener;
mod moving;
mod pending;
mod send;

pub use listener::{BoundListener, serve};
pub use moving::Ways;
