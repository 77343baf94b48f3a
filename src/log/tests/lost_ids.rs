//! Directories whose `partition.metadata` a power cut left empty.

use super::many::{TOPIC, dirs, wanted};
use super::support::{append, batch, now};
use crate::base::{Instant, Offset, Uuid};
use crate::log::Log;
use crate::log::dirs::{LogDirs, Wanted};
use crate::log::files::read_partition_metadata;
use std::path::Path;

const HERE: Uuid = Uuid([1; 16]);

fn assigned(directory: Uuid) -> Wanted {
    Wanted { directory, ..wanted(0) }
}

/// A log that was written to and never flushed, then the power went.
fn cut(dir: &Path) {
    let open = dirs(&[dir]);
    let mut log = open.open_or_create(&assigned(HERE), now()).unwrap();
    append(&mut log, batch(3, 100, 0));
    assert_eq!(read_partition_metadata(&dir.join("t-0")).unwrap(), Some(TOPIC));
    std::fs::write(dir.join("t-0/partition.metadata"), "").unwrap();
}

fn start(open: &LogDirs, wanted: Vec<Wanted>) -> Option<Log> {
    let id = wanted.first().map(|one| one.id);
    open.open_ahead(wanted, 1, now(), || Instant(0));
    open.take_opened(&id?)
}

fn strays(dir: &Path) -> usize {
    let names = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with("-stray")).count()
}

#[test]
fn the_metadata_says_whose_a_directory_is() {
    let dir = tempfile::tempdir().unwrap();
    cut(dir.path());
    let log = start(&dirs(&[dir.path()]), vec![assigned(HERE)]).unwrap();
    assert_eq!(log.end_offset(), Offset(3), "what the device had is there");
    assert_eq!(read_partition_metadata(&dir.path().join("t-0")).unwrap(), Some(TOPIC));
    assert_eq!(strays(dir.path()), 0);
}

#[test]
fn a_directory_elsewhere_than_the_metadata_says_is_a_stray() {
    let dir = tempfile::tempdir().unwrap();
    for directory in [Uuid([9; 16]), Uuid::ZERO] {
        cut(dir.path());
        let log = start(&dirs(&[dir.path()]), vec![assigned(directory)]).unwrap();
        assert_eq!(log.end_offset(), Offset(0));
        drop(log);
        std::fs::remove_dir_all(dir.path().join("t-0")).unwrap();
    }
    assert_eq!(strays(dir.path()), 2);
}

#[test]
fn a_topic_that_comes_later_finds_nothing_of_a_deleted_one() {
    let dir = tempfile::tempdir().unwrap();
    cut(dir.path());
    let open = dirs(&[dir.path()]);
    assert!(start(&open, Vec::new()).is_none());
    assert_eq!(strays(dir.path()), 1, "the metadata does not know it");
    let log = open.open_or_create(&assigned(HERE), now()).unwrap();
    assert_eq!(log.end_offset(), Offset(0));
}

#[test]
fn a_clean_stop_flushes_it_so_an_empty_one_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    cut(dir.path());
    dirs(&[dir.path()]).dirs()[0].write_clean_shutdown(1).unwrap();
    let log = start(&dirs(&[dir.path()]), vec![assigned(HERE)]).unwrap();
    assert_eq!((log.end_offset(), strays(dir.path())), (Offset(0), 1));
}

#[test]
fn of_two_directories_that_of_the_topic_counts_although_it_is_shorter() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut old = assigned(HERE);
    old.id.topic_id = Uuid([7; 16]);
    let mut log = dirs(&[a.path()]).open_or_create(&old, now()).unwrap();
    append(&mut log, batch(50, 100, 0));
    // Its directory was offline when the topic was deleted, and made anew in the other one.
    let mut log = dirs(&[b.path()]).open_or_create(&assigned(HERE), now()).unwrap();
    append(&mut log, batch(3, 100, 0));
    drop(log);
    let log = start(&dirs(&[a.path(), b.path()]), vec![assigned(Uuid([2; 16]))]).unwrap();
    assert_eq!(log.end_offset(), Offset(3));
    assert_eq!((strays(a.path()), strays(b.path())), (1, 0));
}
