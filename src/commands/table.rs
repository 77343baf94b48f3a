//! The tools there are.

use super::{Tool, configs, console_consumer, console_producer, consumer_groups, get_offsets, topics};

/// One line a tool.
pub const TOOLS: &[Tool] = &[
    topics::TOOL,
    configs::TOOL,
    consumer_groups::TOOL,
    get_offsets::TOOL,
    console_producer::TOOL,
    console_consumer::TOOL,
];
