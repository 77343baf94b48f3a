//! What keys do, for DescribeConfigs (KIP-569): in a sentence of our own each.

use super::synonyms::SYNONYMS;
use super::table::Table;

const TEXT: &str = include_str!("documentation.tsv");

/// What a key of a topic or a broker does; `None` where nothing is written of it.
pub fn documentation(name: &str) -> Option<&'static str> {
    of(name).or_else(|| {
        let (topic_key, _) = SYNONYMS.iter().find(|(_, chain)| chain.iter().any(|(key, _)| *key == name))?;
        Table::broker().get(name).and_then(|_| of(topic_key))
    })
}

fn of(name: &str) -> Option<&'static str> {
    TEXT.lines().find_map(|line| line.split_once('\t').filter(|(key, _)| *key == name).map(|(_, text)| text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_key_is_documented_and_every_text_is_of_a_known_key() {
        for key in Table::topic().keys() {
            assert!(documentation(key.name).is_some(), "{}", key.name);
        }
        let rows: Vec<_> = TEXT.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(rows.is_sorted());
        for row in rows {
            let (key, text) = row.split_once('\t').unwrap();
            assert!(Table::broker().get(key).is_some() || Table::topic().get(key).is_some(), "{key}");
            assert!(text.ends_with('.'), "{key}");
        }
        assert_eq!(documentation("log.retention.hours"), documentation("retention.ms"));
        assert_eq!(documentation("my.plugin.key"), None);
    }
}
