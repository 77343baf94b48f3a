//! The tools there are.

use super::{Tool, get_offsets, topics};

/// One line a tool.
pub const TOOLS: &[Tool] = &[topics::TOOL, get_offsets::TOOL];
