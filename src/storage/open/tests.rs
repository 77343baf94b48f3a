use super::*;
use crate::config::{Given, Outside};

/// A node with the log dirs `names` below `dir`, with or without a properties file.
fn node(dir: &Path, names: &[&str], with_file: bool) -> Config {
    let dirs: Vec<_> = names.iter().map(|name| dir.join(name).display().to_string()).collect();
    let overrides = vec![("log.dirs".to_owned(), dirs.join(","))];
    let file = with_file.then(|| (dir.join("server.properties"), Vec::new()));
    Given { file, overrides }.config(&Outside::NOTHING).unwrap()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

#[test]
fn without_a_file_absent_and_empty_directories_are_formatted_alike() {
    let dir = scratch();
    std::fs::create_dir(dir.path().join("b")).unwrap();
    std::fs::create_dir_all(dir.path().join("c/lost+found")).unwrap();
    let config = node(dir.path(), &["a", "b", "c"], false);
    let opened = open(&config, NOW).unwrap();
    assert_eq!((opened.dirs.len(), opened.formatted.len()), (3, 3));
    assert!(opened.formatted[0].contains("dynamic metadata voter directory"), "{:?}", opened.formatted);
    assert!(opened.dirs.iter().all(|d| d.meta().cluster_id == opened.cluster_id && d.meta().node_id == 1));
    assert!(dir.path().join("a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint").exists());
    let cluster_id = opened.cluster_id.clone();
    drop(opened);
    let again = open(&config, NOW).unwrap();
    assert_eq!((again.cluster_id, again.formatted.len()), (cluster_id, 0));
}

#[test]
fn with_a_file_unformatted_directories_are_refused_and_the_command_is_named() {
    let dir = scratch();
    let told = open(&node(dir.path(), &["a", "b"], true), NOW).unwrap_err();
    for word in ["kafka-storage.sh format --standalone", "/a", "does not exist", "server.properties", "random-uuid"] {
        assert!(told.contains(word), "{told}");
    }
    assert!(!dir.path().join("a").exists());
    std::fs::create_dir(dir.path().join("a")).unwrap();
    assert!(open(&node(dir.path(), &["a"], true), NOW).unwrap_err().contains("exists, but is not formatted"));
}

#[test]
fn empty_directories_join_those_that_are_formatted() {
    for with_file in [false, true] {
        let dir = scratch();
        let cluster_id = open(&node(dir.path(), &["a"], false), NOW).unwrap().cluster_id;
        let opened = open(&node(dir.path(), &["a", "b"], with_file), NOW).unwrap();
        assert_eq!(opened.cluster_id, cluster_id);
        assert_eq!(opened.formatted.len(), 1);
        assert_ne!(opened.dirs[0].meta().directory_id, opened.dirs[1].meta().directory_id);
    }
}

#[test]
fn a_lost_metadata_log_is_not_begun_anew_beside_old_data() {
    let dir = scratch();
    drop(open(&node(dir.path(), &["a", "b"], false), NOW).unwrap());
    std::fs::remove_dir_all(dir.path().join("a")).unwrap();
    let told = open(&node(dir.path(), &["a", "b"], false), NOW).unwrap_err();
    assert!(told.contains("metadata log") && told.contains("lost"), "{told}");
    assert!(!dir.path().join("a").exists());
}

#[test]
fn directories_with_something_in_them_are_never_formatted() {
    for (inside, why) in [("precious-0", "holds topic directories"), ("photos", "not formatted")] {
        for with_file in [false, true] {
            let dir = scratch();
            std::fs::create_dir_all(dir.path().join("a").join(inside)).unwrap();
            let told = open(&node(dir.path(), &["a"], with_file), NOW).unwrap_err();
            assert!(told.contains(why) && told.contains("meta.properties"), "{told}");
            assert!(!dir.path().join("a/meta.properties").exists());
        }
    }
}

#[test]
fn foreign_directories_are_refused() {
    let dir = scratch();
    drop(open(&node(dir.path(), &["a"], false), NOW).unwrap());
    drop(open(&node(dir.path(), &["b"], false), NOW).unwrap());
    let told = open(&node(dir.path(), &["a", "b"], false), NOW).unwrap_err();
    assert!(told.starts_with("Invalid cluster.id in: "), "{told}");
    let path = dir.path().join("a");
    let config = Config::from_overrides(&[("log.dirs", path.to_str().unwrap()), ("node.id", "2")]).unwrap();
    assert!(open(&config, NOW).unwrap_err().starts_with("Stored node id 1 doesn't match"));
}

#[test]
fn a_directory_in_use_is_refused() {
    let dir = scratch();
    let config = node(dir.path(), &["a"], false);
    let held = open(&config, NOW).unwrap();
    let told = open(&config, NOW).unwrap_err();
    assert!(told.contains("in use by another process"), "{told}");
    drop(held);
    assert!(open(&config, NOW).is_ok());
}

#[test]
fn a_directory_of_an_older_kafka_gets_an_id() {
    let dir = scratch();
    let config = node(dir.path(), &["a"], false);
    drop(open(&config, NOW).unwrap());
    let file = dir.path().join("a/meta.properties");
    std::fs::write(&file, "version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=1\n").unwrap();
    let first = open(&config, NOW).unwrap().dirs[0].meta().directory_id;
    assert!(first.is_some());
    assert_eq!(open(&config, NOW).unwrap().dirs[0].meta().directory_id, first);
}

#[test]
fn a_metadata_directory_of_its_own_is_formatted_and_held() {
    let dir = scratch();
    let (data, metadata) = (dir.path().join("data"), dir.path().join("metadata"));
    let pairs = [("log.dirs", data.to_str().unwrap()), ("metadata.log.dir", metadata.to_str().unwrap())];
    let opened = open(&Config::from_overrides(&pairs).unwrap(), NOW).unwrap();
    assert_eq!((opened.dirs.len(), opened.formatted.len()), (1, 2));
    assert_eq!(opened.metadata_dir.as_ref().map(|d| d.path().to_owned()), Some(metadata.clone()));
    assert!(metadata.join("__cluster_metadata-0").exists() && !data.join("__cluster_metadata-0").exists());
}
