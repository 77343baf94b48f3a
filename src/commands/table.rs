//! The tools there are.

use super::{
    Tool, broker_api_versions, cluster, configs, console_consumer, console_producer, consumer_groups, delete_records,
    features, get_offsets, groups, leader_election, log_dirs, metadata_quorum, reassign_partitions, topics,
    transactions,
};

/// One line a tool.
pub const TOOLS: &[Tool] = &[
    topics::TOOL,
    configs::TOOL,
    consumer_groups::TOOL,
    groups::TOOL,
    get_offsets::TOOL,
    delete_records::TOOL,
    console_producer::TOOL,
    console_consumer::TOOL,
    log_dirs::TOOL,
    leader_election::TOOL,
    cluster::TOOL,
    metadata_quorum::TOOL,
    broker_api_versions::TOOL,
    transactions::TOOL,
    features::TOOL,
    reassign_partitions::TOOL,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// clap checks each for flags that exclude each other or stand twice.
    #[test]
    fn each_tool_has_a_sound_command_line_and_its_script() {
        for tool in TOOLS {
            tool.command().debug_assert();
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(tool.script);
            assert!(script.exists(), "{}", tool.script);
        }
    }
}
