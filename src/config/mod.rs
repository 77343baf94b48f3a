//! The configuration: `server.properties` and `--override`, typed and checked, by Kafka's names and
//! defaults. Pure: files and the environment are handed in as functions ([`Outside`]).

mod admin;
pub mod arguments;
mod broker;
mod cleaner;
pub mod client_metrics;
mod consumer_groups;
pub mod describe;
mod documentation;
pub mod dynamic;
pub mod group;
mod group_numbers;
pub mod listeners;
mod load;
mod log_dirs;
pub mod meta_properties;
pub mod properties;
mod providers;
mod rules;
pub mod settings;
mod share;
mod streams_groups;
mod synonyms;
pub mod table;
pub mod tool_arguments;
pub mod topic;
pub mod value;

pub use admin::AdminListener;
pub use broker::{
    Config, CoreSelection, FetchPath, GroupConfig, LogManagerConfig, NetworkConfig, NodeConfig, OWN_SEND_BUFFER_BYTES,
    TopicPolicy, TransactionConfig, connections_per_ip_overrides,
};
pub use cleaner::CleanerConfig;
pub use consumer_groups::ConsumerGroupConfig;
pub use describe::ConfigEntry;
pub use documentation::documentation;
pub use dynamic::LiveSettings;
pub use listeners::{ListenerConfig, Listeners, SecurityProtocol};
pub use load::{ConfigError, Given, Outside};
pub use log_dirs::LogDirSettings;
pub use settings::{ConfigSource, Setting, Settings};
pub use share::{ShareConfig, ShareGroupSettings, ShareOffsetReset};
pub use streams_groups::StreamsGroupConfig;
pub use synonyms::Synonym;
pub use topic::{TopicConfig, TopicDefaults};
pub use value::{ConfigType, Value};
