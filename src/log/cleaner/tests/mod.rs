//! Rounds over real directories.

mod support;

mod crash;
mod model;
mod rules;
