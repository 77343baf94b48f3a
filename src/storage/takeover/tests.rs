//! Checks and conversions on small directories; whole nodes are in `tests/scenarios/test_take_over.py`.

use super::*;
use crate::base::{TimestampMs, Uuid};
use crate::config::tool_arguments::TakeoverArguments;
use crate::config::{Config, ConfigError, Given, Outside};
use crate::metadata::MetadataRecord;
use crate::metadata::store;
use crate::protocol::messages::{AccessControlEntryRecord, ClientQuotaRecord, UserScramCredentialRecord};
use crate::storage::features::Release;
use crate::storage::{FormatRequest, Quorum, format, open};
use std::path::Path;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn load(dir: &Path, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut overrides = vec![("log.dirs".to_owned(), dir.join("data").display().to_string())];
    overrides.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    Given { file: Some((dir.join("server.properties"), Vec::new())), overrides }.config(&Outside::NOTHING)
}

fn arguments(line: &[&str]) -> TakeoverArguments {
    use clap::Parser;
    let read = crate::config::arguments::Arguments::try_parse_from(["corelog", "takeover"].iter().chain(line)).unwrap();
    match read.command {
        Some(crate::config::arguments::Command::Takeover(arguments)) => arguments,
        _ => panic!("{line:?}"),
    }
}

fn takeover(dir: &Path, more: &[(&str, &str)], line: &[&str]) -> Result<Takeover, String> {
    let line = [line, &["--config", "server.properties"]].concat();
    run(&arguments(&line), &|_| load(dir, more), NOW)
}

/// A formatted node whose metadata will begin with `records`.
fn formatted(records: Vec<MetadataRecord>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = load(dir.path(), &[]).unwrap();
    let mut bootstrap = Release::LATEST.bootstrap_records(&[]);
    bootstrap.extend(records);
    let request = FormatRequest {
        config: &config,
        cluster_id: "c".into(),
        quorum: Quorum::NotInLog,
        release: Release::LATEST.name,
        bootstrap: bootstrap.clone(),
        ignore_formatted: false,
    };
    format(&request, NOW).unwrap();
    // A snapshot in the metadata log's place: what a node that ran has.
    let log = dir.path().join("data").join(store::METADATA_PARTITION_DIR);
    std::fs::create_dir(&log).unwrap();
    let snapshot = std::fs::read(dir.path().join("data/bootstrap.checkpoint")).unwrap();
    std::fs::write(log.join("00000000000000000009-0000000001.checkpoint"), snapshot).unwrap();
    dir
}

fn acl() -> MetadataRecord {
    AccessControlEntryRecord { id: Uuid([3; 16]), principal: "User:a".into(), ..Default::default() }.into()
}

fn quota() -> MetadataRecord {
    ClientQuotaRecord { key: "producer_byte_rate".into(), value: 1.0, ..Default::default() }.into()
}

#[test]
fn acls_and_quotas_stop_a_start_before_anything_is_touched() {
    for (record, word) in [(acl(), "1 ACLs"), (quota(), "1 client quotas")] {
        let dir = formatted(vec![record]);
        let clean = dir.path().join("data/.kafka_cleanshutdown");
        std::fs::write(&clean, "{\"version\":0,\"brokerEpoch\":7}").unwrap();
        let told = open(&load(dir.path(), &[]).unwrap(), NOW).unwrap_err();
        assert!(told.contains(word) && told.contains("corelog.takeover.unguarded.loopback"), "{told}");
        assert!(clean.exists(), "the next start must find the clean stop");
        let done = takeover(dir.path(), &[], &["--check"]).unwrap();
        assert!(!done.clear && done.lines.iter().any(|line| line.starts_with("AGAINST: ") && line.contains(word)));
        let loopback = [("corelog.takeover.unguarded.loopback", "true"), ("listeners", "PLAINTEXT://127.0.0.1:0")];
        assert!(open(&load(dir.path(), &loopback).unwrap(), NOW).is_ok());
    }
}

#[test]
fn a_credential_alone_is_kept_and_guards_nothing() {
    let scram = UserScramCredentialRecord { name: "a".into(), mechanism: 1, ..Default::default() };
    let dir = formatted(vec![scram.into()]);
    assert!(open(&load(dir.path(), &[]).unwrap(), NOW).is_ok());
}

#[test]
fn a_check_tells_the_node_and_changes_nothing() {
    let dir = formatted(Vec::new());
    let files = || {
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let done = takeover(dir.path(), &[], &["--check"]).unwrap();
    assert!(done.clear, "{:?}", done.lines);
    for words in ["cluster.id=c", "metadata.version 30 (4.3-IV0)", "was not stopped cleanly"] {
        assert!(done.lines.iter().any(|line| line.contains(words)), "{words}: {:?}", done.lines);
    }
    assert_eq!(files(), before);
    let other = takeover(dir.path(), &[("node.id", "7")], &["--check"]).unwrap();
    assert!(!other.clear && other.lines.iter().any(|line| line.contains("name different nodes: {1, 7}")));
    let guarded = takeover(dir.path(), &[("authorizer.class.name", "org.example.A")], &["--check"]).unwrap();
    assert!(!guarded.clear && guarded.lines[0].starts_with("AGAINST: authorizer.class.name is set"));
    assert!(run(&arguments(&[]), &|_| load(dir.path(), &[]), NOW).unwrap_err().contains("--config"));
}

#[test]
fn a_directory_in_use_and_one_of_an_unknown_time_stand_against_it() {
    let dir = formatted(Vec::new());
    let lock = crate::ring::fs::lock(&dir.path().join("data/.lock")).unwrap();
    let done = takeover(dir.path(), &[], &["--check"]).unwrap();
    assert!(!done.clear && done.lines.iter().any(|line| line.contains("is in use by a running broker")));
    drop(lock);
    std::fs::write(dir.path().join("data/meta.properties"), "version=9\n").unwrap();
    let done = takeover(dir.path(), &[], &["--check"]).unwrap();
    assert!(!done.clear && done.lines.iter().any(|line| line.contains("version 9 is not known")));
}

/// A ZooKeeper-era directory with these partitions.
fn of_zookeepers_time(partitions: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for name in partitions {
        std::fs::create_dir_all(data.join(name)).unwrap();
        std::fs::write(data.join(name).join("00000000000000000000.log"), "").unwrap();
        std::fs::write(data.join(name).join("leader-epoch-checkpoint"), "0\n1\n4 0\n").unwrap();
    }
    std::fs::write(data.join("meta.properties"), "version=0\nbroker.id=1\ncluster.id=zkc\n").unwrap();
    std::fs::write(data.join("cleaner-offset-checkpoint"), "0\n1\nb 0 1\n").unwrap();
    dir
}

#[test]
fn a_zookeeper_era_node_is_refused_until_it_is_taken_over() {
    let dir = of_zookeepers_time(&["a-0", "a-1", "b-0", "__consumer_offsets-0"]);
    let zookeeper = [("zookeeper.connect", "zk:2181")];
    let told = open(&load(dir.path(), &zookeeper).unwrap(), NOW).unwrap_err();
    assert!(told.contains("corelog takeover"), "{told}");
    let check = takeover(dir.path(), &zookeeper, &["--check"]).unwrap();
    assert!(check.clear, "{:?}", check.lines);
    for words in ["3 topics with 4 partitions", "KRaft only", "assumed: this was the only broker"] {
        assert!(check.lines.iter().any(|line| line.contains(words)), "{words}: {:?}", check.lines);
    }
    assert!(takeover(dir.path(), &zookeeper, &[]).unwrap_err().contains("--topic-configs"));
    let file = dir.path().join("configs.txt");
    std::fs::write(&file, "a retention.ms=-1\n").unwrap();
    let done = takeover(dir.path(), &zookeeper, &["--topic-configs", file.to_str().unwrap()]).unwrap();
    assert!(done.clear, "{:?}", done.lines);
    for words in ["topic b has cleanup.policy=compact", "topic __consumer_offsets has segment.bytes=104857600"] {
        assert!(done.lines.iter().any(|line| line.contains(words)), "{words}: {:?}", done.lines);
    }
    let check = takeover(dir.path(), &zookeeper, &["--check"]).unwrap();
    assert!(
        check.clear && check.lines.iter().any(|line| line.contains("bootstrap.checkpoint holds")),
        "{:?}",
        check.lines
    );
    let opened = open(&load(dir.path(), &zookeeper).unwrap(), NOW).unwrap();
    assert_eq!((opened.cluster_id.as_str(), opened.dirs[0].meta().node_id), ("zkc", 1));
    let data = dir.path().join("data");
    assert!(data.join("meta.properties.zookeeper").exists());
    let id = |name: &str| crate::log::files::read_partition_metadata(&data.join(name)).unwrap().unwrap();
    assert!(id("a-0") == id("a-1") && id("a-0") != id("b-0"));
}

#[test]
fn a_partition_that_others_held_and_configs_of_others_stand_against_it() {
    let dir = of_zookeepers_time(&["a-0", "a-2"]);
    let check = takeover(dir.path(), &[], &["--check"]).unwrap();
    assert!(!check.clear && check.lines.iter().any(|line| line.contains("a-1 is in none of the directories")));
    let dir = of_zookeepers_time(&["a-0"]);
    let file = dir.path().join("configs.txt");
    std::fs::write(&file, "other retention.ms=-1\n").unwrap();
    let told = takeover(dir.path(), &[], &["--topic-configs", file.to_str().unwrap()]).unwrap_err();
    assert!(told.contains("other, which has no folder"), "{told}");
    let meta = std::fs::read_to_string(dir.path().join("data/meta.properties")).unwrap();
    assert!(meta.contains("version=0"), "nothing is converted: {meta}");
}
