//! `meta.properties`, which marks a log directory as formatted and says whose it is
//! (`org.apache.kafka.metadata.properties.MetaProperties`, version 1).

use super::properties;
use crate::base::Uuid;

/// The file's name in each log directory.
pub const META_PROPERTIES: &str = "meta.properties";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// `cluster.id`: 22 characters of base64url as a rule, but Kafka takes any text.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: i32,
    /// `directory.id`; absent in directories that Kafka before 3.7 formatted.
    pub directory_id: Option<Uuid>,
}

/// What the file of a ZooKeeper-era node says (version 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooKeeperMeta {
    /// `cluster.id`; nodes before 2.4 have none.
    pub cluster_id: Option<String>,
    /// `broker.id`.
    pub broker_id: Option<i32>,
    /// `directory.id`, which 3.7 and newer write.
    pub directory_id: Option<Uuid>,
}

/// The file, of whichever time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyMeta {
    /// Version 1.
    KRaft(MetaProperties),
    /// Version 0.
    ZooKeeper(ZooKeeperMeta),
}

impl AnyMeta {
    /// Reads the file's bytes. The error is a clause saying what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let keys = properties::parse(bytes)?;
        let get = |key: &str| keys.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        if get("version") != Some("0") {
            return MetaProperties::parse(bytes).map(Self::KRaft);
        }
        let broker_id = get("broker.id").map(|id| id.parse().map_err(|_| format!("broker.id {id} is no number")));
        let directory = get("directory.id").map(|id| Uuid::parse(id).ok_or(format!("directory.id {id} is no id")));
        Ok(Self::ZooKeeper(ZooKeeperMeta {
            cluster_id: get("cluster.id").map(str::to_owned),
            broker_id: broker_id.transpose()?,
            directory_id: directory.transpose()?,
        }))
    }
}

impl MetaProperties {
    /// Reads the file's bytes. The error is a clause saying what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let keys = properties::parse(bytes)?;
        let get = |key: &str| keys.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        match get("version") {
            Some("1") => {}
            Some("0") => {
                return Err("version 0 is that of a ZooKeeper-era node: corelog takeover makes a KRaft node of it; \
                            corelog takeover --check says first what it would do"
                    .into());
            }
            Some(other) => return Err(format!("version {other} is not known")),
            None => return Err("version is missing".into()),
        }
        let node_id = get("node.id").ok_or("node.id is missing")?;
        let directory_id = match get("directory.id") {
            Some(text) => Some(Uuid::parse(text).ok_or_else(|| format!("directory.id {text} is no id"))?),
            None => None,
        };
        Ok(Self {
            cluster_id: get("cluster.id").ok_or("cluster.id is missing")?.to_owned(),
            node_id: node_id.parse().map_err(|_| format!("node.id {node_id} is no number"))?,
            directory_id,
        })
    }

    /// The file's content.
    pub fn text(&self) -> String {
        let mut text = format!("#\nnode.id={}\n", self.node_id);
        if let Some(id) = self.directory_id {
            text.push_str(&format!("directory.id={id}\n"));
        }
        text.push_str(&format!("version=1\ncluster.id={}\n", self.cluster_id));
        text
    }
}

/// As Kafka's tools print it: `{cluster.id=..., directory.id=..., node.id=1, version=1}`.
impl std::fmt::Display for MetaProperties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{cluster.id={}, ", self.cluster_id)?;
        if let Some(id) = self.directory_id {
            write!(f, "directory.id={id}, ")?;
        }
        write!(f, "node.id={}, version=1}}", self.node_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kafka_wrote_is_read_and_what_is_written_reads_the_same() {
        let kafka = b"#\n#Sat Nov 21 09:49:25 UTC 2026\nnode.id=1\ndirectory.id=ungExLojBjbt6UHg-S16iQ\nversion=1\n\
                      cluster.id=MkU3OEVBNTcwNTJENDM2Qg\n";
        let read = MetaProperties::parse(kafka).unwrap();
        assert_eq!(read.cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
        assert_eq!(read.node_id, 1);
        assert_eq!(read.directory_id, Uuid::parse("ungExLojBjbt6UHg-S16iQ"));
        assert_eq!(MetaProperties::parse(read.text().as_bytes()), Ok(read.clone()));
        assert_eq!(
            read.to_string(),
            "{cluster.id=MkU3OEVBNTcwNTJENDM2Qg, directory.id=ungExLojBjbt6UHg-S16iQ, node.id=1, version=1}"
        );
        let old = MetaProperties::parse(b"version=1\ncluster.id=x\nnode.id=7\n").unwrap();
        assert_eq!(old.directory_id, None);
        assert_eq!(MetaProperties::parse(old.text().as_bytes()), Ok(old));
    }

    #[test]
    fn the_time_of_zookeeper_is_told_apart() {
        let text = b"#\n#Thu Jan 01 00:00:00 UTC 2026\nbroker.id=7\nversion=0\ncluster.id=abc\n";
        let meta = ZooKeeperMeta { cluster_id: Some("abc".into()), broker_id: Some(7), directory_id: None };
        assert_eq!(AnyMeta::parse(text), Ok(AnyMeta::ZooKeeper(meta)));
        assert!(matches!(AnyMeta::parse(b"version=1\ncluster.id=x\nnode.id=7\n"), Ok(AnyMeta::KRaft(_))));
        assert!(AnyMeta::parse(b"version=0\nbroker.id=x\n").unwrap_err().contains("broker.id x"));
    }

    #[test]
    fn what_is_no_meta_properties_says_why() {
        for (text, why) in [
            ("", "version is missing"),
            ("version=2\ncluster.id=x\nnode.id=1", "version 2"),
            ("version=0\nbroker.id=1", "ZooKeeper"),
            ("version=1\nnode.id=1", "cluster.id"),
            ("version=1\ncluster.id=x", "node.id is missing"),
            ("version=1\ncluster.id=x\nnode.id=one", "node.id one"),
            ("version=1\ncluster.id=x\nnode.id=1\ndirectory.id=short", "directory.id short"),
        ] {
            let told = MetaProperties::parse(text.as_bytes()).unwrap_err();
            assert!(told.contains(why), "{text:?}: {told}");
        }
    }
}
