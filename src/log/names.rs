//! Names of partition directories: `topic-N`, and `topic-N.<32 hex>-delete`, `-future`, `-stray`.

use crate::base::{TopicPartition, Uuid, topic};

/// The suffix of a directory whose partition was deleted.
pub const DELETE: &str = "-delete";
/// The suffix of a replica that moves here from another directory.
pub const FUTURE: &str = "-future";
/// The suffix of a replica that the metadata does not know.
pub const STRAY: &str = "-stray";

/// What a partition directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirKind {
    /// A partition.
    Live,
    /// A deleted one, to be removed.
    Delete,
    /// One that moves here from another directory.
    Future,
    /// One that the metadata does not know; kept.
    Stray,
}

/// The longest file name Linux takes.
const NAME_MAX: usize = 255;

/// `topic-N.<32 hex><suffix>`; a long topic name is cut so that the whole fits (`LocalLog.logDirNameWithSuffixCap`).
pub fn suffixed(partition: &TopicPartition, id: Uuid, suffix: &str) -> String {
    let rest = format!("-{}.{}{suffix}", partition.partition, id.to_hex());
    let room = NAME_MAX - rest.len().min(NAME_MAX);
    let topic = partition.topic.get(..partition.topic.len().min(room)).unwrap_or_default();
    format!("{topic}{rest}")
}

/// Reads the name of a partition directory; `None` for names that are none.
pub fn parse(name: &str) -> Option<(DirKind, TopicPartition)> {
    let suffixes = [(DELETE, DirKind::Delete), (FUTURE, DirKind::Future), (STRAY, DirKind::Stray)];
    for (suffix, kind) in suffixes {
        if let Some((plain, hex)) = name.strip_suffix(suffix).and_then(|s| s.rsplit_once('.')) {
            if hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return parse_live(plain).map(|p| (kind, p));
            }
        }
    }
    parse_live(name).map(|p| (DirKind::Live, p))
}

fn parse_live(name: &str) -> Option<TopicPartition> {
    let (name, number) = name.rsplit_once('-')?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    topic::validate_topic_name(name).ok()?;
    Some(TopicPartition::new(name, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        let partition = TopicPartition::new("a-b.c-7", 12);
        assert_eq!(parse("a-b.c-7-12"), Some((DirKind::Live, partition.clone())));
        let id = Uuid([0xab; 16]);
        for (suffix, kind) in [(DELETE, DirKind::Delete), (FUTURE, DirKind::Future), (STRAY, DirKind::Stray)] {
            let name = suffixed(&partition, id, suffix);
            assert_eq!(name, format!("a-b.c-7-12.{}{suffix}", "ab".repeat(16)));
            assert_eq!(parse(&name), Some((kind, partition.clone())));
        }
        for other in ["", "plain", "-3", "t-", "t-x", "a b-0", "meta.properties"] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(parse("t-delete-0").unwrap().0, DirKind::Live);
    }

    #[test]
    fn a_long_name_is_cut_to_what_the_file_system_takes() {
        let long = TopicPartition::new("x".repeat(249), 100_000);
        let name = suffixed(&long, Uuid::ONE, DELETE);
        assert_eq!(name.len(), 255);
        assert_eq!(parse(&name).unwrap().0, DirKind::Delete);
    }
}
