//! The process: cores, limits, signals, randomness, the kernel.

pub mod cores;
