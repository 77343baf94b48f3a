//! TCP: listeners shared by the cores, and streams that stay on the core that accepted them.

mod budget;
mod large;
mod listener;
mod receive;
mod send;
mod stream;
mod transmit;

#[cfg(test)]
mod tests;

pub(crate) use budget::{Budget, Charge};
pub(crate) use receive::Receive;

pub use listener::{Listener, ListenerOptions, Reservation, reserve, resolve};
pub use stream::{Detached, Stream};
pub use transmit::FetchPath;
