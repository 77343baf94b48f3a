//! Topics created and deleted.

use crate::Failure;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Topic {
    #[arg(long, conflicts_with = "delete", required_unless_present = "delete")]
    create: Option<String>,
    #[arg(long)]
    delete: Option<String>,
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// a property of the topic, `key=value`; may be given several times
    #[arg(long)]
    config: Vec<String>,
}

impl Topic {
    pub fn run(self, config: ClientConfig) -> Result<(), Failure> {
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let outcomes = if let Some(name) = &self.create {
            let mut topic = NewTopic::new(name, self.partitions, TopicReplication::Fixed(1));
            for property in &self.config {
                let (key, value) = property.split_once('=').ok_or("--config key=value")?;
                topic = topic.set(key, value);
            }
            futures_executor::block_on(admin.create_topics([&topic], &options))?
        } else {
            let names: Vec<&str> = self.delete.iter().map(String::as_str).collect();
            futures_executor::block_on(admin.delete_topics(&names, &options))?
        };
        for outcome in outcomes {
            outcome.map_err(|(topic, code)| format!("{topic}: {code}"))?;
        }
        Ok(())
    }
}
