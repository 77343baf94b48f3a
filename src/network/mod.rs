//! Connections: frames in, replies out in request order, all of it bounded.

mod connection;
mod frame;
mod idle;
mod listener;
mod pending;
mod send;

pub use listener::{BoundListener, serve};
