//! Rounds over real directories.

mod support;

mod crash;
mod legacy;
mod model;
mod rules;
