//! Topic configurations as a user hands them over: lines of `kafka-topics.sh --describe`, or `topic key=value`.

use crate::ring::fs;
use std::collections::BTreeMap;
use std::path::Path;

/// By topic and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfigs {
    topics: BTreeMap<String, BTreeMap<String, String>>,
}

impl TopicConfigs {
    /// Reads a file. The error is a sentence. Blocking.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&String::from_utf8_lossy(&bytes)).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Reads the text; lines about partitions, empty ones and comments are passed over.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for (number, line) in text.lines().enumerate() {
            let told =
                || format!("line {}: neither a line of kafka-topics.sh --describe nor: topic key=value", number + 1);
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            if let Some(rest) = trimmed.strip_prefix("Topic:") {
                let topic = rest.split_whitespace().next().ok_or_else(told)?;
                let Some((_, configs)) = rest.split_once("Configs:") else { continue };
                let own = read.topics.entry(topic.to_owned()).or_default();
                described(configs.trim(), own).ok_or_else(told)?;
            } else {
                let (topic, pair) = trimmed.split_once(char::is_whitespace).ok_or_else(told)?;
                let (key, value) = pair.split_once('=').ok_or_else(told)?;
                let own = read.topics.entry(topic.to_owned()).or_default();
                own.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(read)
    }

    /// The configuration of a topic; `None` where the file says nothing of it.
    pub fn of(&self, topic: &str) -> Option<&BTreeMap<String, String>> {
        self.topics.get(topic)
    }

    /// The topics it speaks of.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }
}

/// `a=1,b=x,y,c=2`: a part without `=` goes on with the value before it.
fn described(text: &str, into: &mut BTreeMap<String, String>) -> Option<()> {
    let mut last: Option<(String, String)> = None;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match (part.split_once('='), &mut last) {
            (Some((key, value)), _) => {
                into.extend(last.replace((key.trim().to_owned(), value.to_owned())));
            }
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(part);
            }
            (None, None) => return None,
        }
    }
    into.extend(last);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let text = "# of my cluster\n\
                    Topic: a\tTopicId: xyz\tPartitionCount: 1\tReplicationFactor: 1\tConfigs: cleanup.policy=compact,delete,retention.ms=5\n\
                    \tTopic: a\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\n\
                    Topic: b\tPartitionCount: 1\tReplicationFactor: 1\tConfigs: \n\
                    c retention.ms = -1\n";
        let read = TopicConfigs::parse(text).unwrap();
        let of =
            |topic: &str| read.of(topic).map(|map| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>());
        assert_eq!(of("a").unwrap(), ["cleanup.policy=compact,delete", "retention.ms=5"]);
        assert_eq!((of("b").unwrap().len(), of("c").unwrap().as_slice()), (0, &["retention.ms=-1".to_owned()][..]));
        assert_eq!(of("d"), None);
        assert!(TopicConfigs::parse("nonsense\n").unwrap_err().contains("line 1"));
        assert!(TopicConfigs::parse("a b\n").is_err());
    }
}
