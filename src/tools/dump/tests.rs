//! What Apache Kafka 4.3.1 wrote, printed as its own tool printed it (`testdata/*.txt`).

use super::*;
use crate::config::arguments::{Arguments, Command};
use clap::Parser;

const LOG: &str = "00000000000000000000";

/// Runs the command line in `testdata`'s words: the files' paths are made to begin there.
fn run(words: &[&str]) -> (String, String, Result<(), DumpError>) {
    let arguments = Arguments::try_parse_from(["corelog", "dump-log"].iter().chain(words)).unwrap();
    let Some(Command::DumpLog(arguments)) = arguments.command else { panic!("{words:?}") };
    let mut request = DumpRequest::of(&arguments).unwrap();
    let root = format!("{}/src/tools/dump/testdata", env!("CARGO_MANIFEST_DIR"));
    request.files.iter_mut().for_each(|file| *file = Path::new(&root).join(&file));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let done = dump(&request, &mut Streams { out: &mut out, err: &mut err });
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&format!("{root}/"), "");
    (text(out), text(err), done)
}

fn assert_as_kafka(words: &[&str], expected: &str) {
    let (out, _, done) = run(words);
    done.unwrap();
    for (line, (ours, kafkas)) in out.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, kafkas, "{words:?}, line {}", line + 1);
    }
    assert_eq!(out.lines().count(), expected.lines().count(), "{words:?}");
}

#[test]
fn each_decoder_prints_what_kafka_prints() {
    let offsets = format!("offsets-0/{LOG}.log,offsets-1/{LOG}.log");
    assert_as_kafka(&["--files", &offsets, "--offsets-decoder"], include_str!("testdata/offsets.txt"));
    let log = format!("streams/{LOG}.log");
    assert_as_kafka(&["--files", &log, "--offsets-decoder"], include_str!("testdata/streams.txt"));
    let log = format!("transactions/{LOG}.log");
    assert_as_kafka(&[&log, "--transaction-log-decoder"], include_str!("testdata/transactions.txt"));
    let log = format!("share/{LOG}.log");
    assert_as_kafka(&[&log, "--share-group-state-decoder"], include_str!("testdata/share.txt"));
    let snapshot = "metadata/00000000000000000056-0000000001.checkpoint";
    assert_as_kafka(&[snapshot, "--cluster-metadata-decoder"], include_str!("testdata/metadata.txt"));
}

#[test]
fn markers_indexes_and_snapshots_print_as_kafkas() {
    let mut files: Vec<_> = ["log", "index", "timeindex", "txnindex"].map(|end| format!("txn/{LOG}.{end}")).into();
    files.push("txn/00000000000000000050.snapshot".into());
    assert_as_kafka(&["--files", &files.join(","), "--print-data-log"], include_str!("testdata/txn.txt"));
}

#[test]
fn unknown_files_are_passed_over_and_absent_ones_end_it() {
    let (out, err, done) = run(&["meta.properties", "offsets.txt"]);
    assert!(done.is_ok() && out.starts_with("Dumping meta.properties\n"), "{out}");
    assert_eq!(err, "Ignoring unknown file meta.properties\nIgnoring unknown file offsets.txt\n");
    let (_, _, done) = run(&["txn/00000000000000000009.log"]);
    assert!(matches!(done, Err(DumpError::File(error)) if error.path.ends_with("00000000000000000009.log")));
}

#[test]
fn a_class_that_needs_a_jvm_is_refused() {
    let arguments =
        Arguments::try_parse_from(["corelog", "dump-log", "a.log", "--value-decoder-class", "x.Y"]).unwrap();
    let Some(Command::DumpLog(arguments)) = arguments.command else { panic!() };
    assert!(DumpRequest::of(&arguments).unwrap_err().contains("x.Y"));
}

/// A segment cut at every length: whole batches are printed, the rest is counted; nothing panics.
#[test]
fn a_cut_segment_is_printed_up_to_the_cut() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(format!("{}/src/tools/dump/testdata/txn/{LOG}.log", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let path = dir.path().join(format!("{LOG}.log"));
    for len in 0..whole.len() {
        std::fs::write(&path, &whole[..len]).unwrap();
        let (out, _, done) = run(&["--print-data-log", path.to_str().unwrap()]);
        done.unwrap();
        let printed: usize =
            out.lines().filter_map(|line| line.split(" size: ").nth(1)?.split(' ').next()?.parse::<usize>().ok()).sum();
        let left = len - printed;
        assert_eq!(left > 0, out.contains(&format!("Found {left} invalid bytes")), "cut at {len}: {out}");
    }
}

/// Every byte of small files of each kind flipped: an error or other text, never a panic.
#[test]
fn no_flipped_byte_harms() {
    let dir = tempfile::tempdir().unwrap();
    let from = format!("{}/src/tools/dump/testdata", env!("CARGO_MANIFEST_DIR"));
    for (name, decoder) in [("offsets-1", "--offsets-decoder"), ("txn", "--print-data-log")] {
        for file in std::fs::read_dir(format!("{from}/{name}")).unwrap() {
            let file = file.unwrap();
            let bytes = std::fs::read(file.path()).unwrap();
            let path = dir.path().join(file.file_name());
            for at in 0..bytes.len() {
                let mut bent = bytes.clone();
                bent[at] ^= 0x81;
                std::fs::write(&path, &bent).unwrap();
                let _ = run(&[decoder, path.to_str().unwrap()]);
            }
            std::fs::write(&path, &bytes).unwrap();
        }
    }
}
