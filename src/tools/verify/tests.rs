//! A directory that Apache Kafka wrote is whole; each kind of damage is found and named.

use super::*;
use crate::base::Offset;
use crate::log::files::FileKind;

/// A log directory that Apache Kafka 4.3.1 wrote and stopped cleanly.
const KAFKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/log/testdata/kafka-4.3.1");

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn kafka() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(Path::new(KAFKA), dir.path());
    // The checkpoints name a partition that is not kept here.
    for name in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
        let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
        let lines: Vec<_> = text.lines().skip(2).filter(|line| !line.starts_with("__")).collect();
        std::fs::write(dir.path().join(name), format!("0\n{}\n{}\n", lines.len(), lines.join("\n"))).unwrap();
    }
    dir
}

fn look(dir: &Path) -> (Summary, String) {
    let mut out = Vec::new();
    let request = VerifyRequest { dir: dir.to_owned(), running: false };
    let summary = verify(&request, &mut out).unwrap();
    (summary, String::from_utf8(out).unwrap())
}

#[test]
fn what_kafka_wrote_is_whole() {
    let dir = kafka();
    let (summary, text) = look(dir.path());
    assert_eq!(summary.findings, 0, "{text}");
    assert!(summary.partitions == 2 && summary.segments == 4 && summary.batches > 100, "{text}");
    assert!(text.ends_with("all is whole\n"), "{text}");
    let (summary, text) = look(&dir.path().join("plain-0"));
    assert_eq!((summary.partitions, summary.findings), (1, 0), "{text}");
}

/// Changes one file of a fresh copy; what is told must name the file and say `what`.
fn damage(file: &str, what: &str, change: impl Fn(&mut Vec<u8>)) {
    let dir = kafka();
    let path = dir.path().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let (summary, text) = look(dir.path());
    assert!(summary.findings > 0, "{file}: {text}");
    let line = text.lines().find(|line| line.starts_with(&format!("{}: ", path.display())));
    assert!(line.is_some_and(|line| line.contains(what)), "{file}: {text}");
}

#[test]
fn damage_is_found_and_named() {
    const LOG: &str = "plain-0/00000000000000000395.log";
    damage(LOG, "computed crc", |bytes| bytes[5000] ^= 1);
    damage(LOG, "its records cannot be read", |bytes| {
        // A length below zero under a good checksum.
        bytes[61] = 1;
        let end = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let crc = crc32c::crc32c(&bytes[21..end]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    });
    damage(LOG, "no whole batch", |bytes| bytes.truncate(bytes.len() - 7));
    damage(LOG, "offset 12", |bytes| bytes[..8].copy_from_slice(&12i64.to_be_bytes()));
    damage("plain-0/00000000000000000697.log", "are missing", |bytes| bytes[7] += 1);
    damage(LOG, "leader-epoch-checkpoint says epoch", |bytes| bytes[15] += 1);
    damage("plain-0/00000000000000000395.index", "where no batch begins", |bytes| bytes[15] ^= 1);
    damage("plain-0/00000000000000000395.index", "no whole entries", |bytes| bytes.truncate(bytes.len() - 1));
    damage("plain-0/00000000000000000395.index", "entries of zeros", |bytes| bytes.extend([0; 80]));
    damage("plain-0/00000000000000000395.timeindex", "the log says", |bytes| bytes[7] ^= 1);
    damage("plain-0/00000000000000000900.snapshot", "checksum", |bytes| bytes[20] ^= 1);
    damage("plain-0/leader-epoch-checkpoint", "malformed", |bytes| bytes[0] = b'7');
    damage("plain-0/partition.metadata", "not as Kafka writes it", |bytes| bytes[0] = b'x');
    damage("meta.properties", "version is missing", Vec::clear);
    damage("recovery-point-offset-checkpoint", "malformed", |bytes| bytes[0] = b'x');
    damage("replication-offset-checkpoint", "beyond its log's end", |bytes| {
        *bytes = String::from_utf8(bytes.clone()).unwrap().replace(" 900\n", " 901\n").into_bytes();
    });
}

#[test]
fn what_is_missing_is_told() {
    for (file, what) in [("plain-0/00000000000000000395.timeindex", "is missing"), ("meta.properties", "is missing")] {
        let dir = kafka();
        std::fs::remove_file(dir.path().join(file)).unwrap();
        let (summary, text) = look(dir.path());
        assert!(summary.findings == 1 && text.contains(what), "{text}");
    }
    let dir = kafka();
    std::fs::remove_file(FileKind::Log.path(&dir.path().join("plain-0"), Offset(395))).unwrap();
    let (_, text) = look(dir.path());
    assert!(text.contains("an index without its segment") && text.contains("are missing"), "{text}");
}

/// Any flipped byte of indexes, epochs and batches' heads is found, but where nothing depends on it.
#[test]
fn flipped_bytes_of_indexes_are_found() {
    let dir = kafka();
    for name in ["00000000000000000395.index", "00000000000000000395.timeindex", "leader-epoch-checkpoint"] {
        let path = dir.path().join("plain-0").join(name);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0x15;
            std::fs::write(&path, bent).unwrap();
            let (summary, _) = look(&dir.path().join("plain-0"));
            assert!(summary.findings > 0, "{name}: byte {at}");
        }
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_directory_in_use_is_refused_unless_asked_for_and_nothing_is_changed() {
    let dir = kafka();
    let lock = crate::ring::fs::lock(&dir.path().join(".lock")).unwrap();
    let mut request = VerifyRequest { dir: dir.path().to_owned(), running: false };
    let refused = verify(&request, &mut Vec::new()).unwrap_err().to_string();
    assert!(refused.contains("--running"), "{refused}");
    request.running = true;
    assert_eq!(verify(&request, &mut Vec::new()).unwrap().findings, 0);
    drop(lock);
    let empty = tempfile::tempdir().unwrap();
    let refused = verify(&VerifyRequest { dir: empty.path().to_owned(), running: false }, &mut Vec::new()).unwrap_err();
    assert!(refused.to_string().contains("neither a log directory"), "{refused}");
}
