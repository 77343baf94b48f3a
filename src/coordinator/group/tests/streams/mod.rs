//! Streams groups in virtual time.

mod failing;
mod kinds;
mod life;
mod random;
mod support;
mod table;
mod topics;
