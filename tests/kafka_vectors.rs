//! Messages that Apache Kafka itself (4.3.1, and 3.9.1 for the versions 4.x dropped) read and wrote back unchanged.
//! `tests/vectors/Recode.java` made the file out of random messages; docs/PROTOCOL.md says how to make it anew.

mod codec_support;

use bytes::Bytes;
use corelog::protocol::messages::CATALOG;

fn vectors() -> Vec<(&'static str, i16, Bytes)> {
    let digits = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let parse = |line: &'static str| {
        let [name, version, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|at| digits(hex, at)).collect();
        (name, version.parse().unwrap(), bytes.into())
    };
    include_str!("vectors/kafka.txt").lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

#[test]
fn what_apache_kafka_wrote_is_read_and_written_the_same() {
    let vectors = vectors();
    for (name, version, bytes) in &vectors {
        let entry = CATALOG.iter().find(|entry| entry.name == *name).unwrap_or_else(|| panic!("{name} is gone"));
        assert_eq!((entry.recode)(bytes.clone(), *version), Ok(Ok(bytes.clone())), "{name} v{version}");
    }
    let covered = |name: &str, version: i16| vectors.iter().any(|it| (it.0, it.1) == (name, version));
    let versions = CATALOG.iter().flat_map(|entry| entry.versions.clone().map(move |version| (entry.name, version)));
    let missing: Vec<_> = versions.filter(|&(name, version)| !covered(name, version)).collect();
    println!("no vectors: {missing:?}");
    assert_eq!(missing.len(), 0, "message versions without a vector");
}

/// New vectors begin here: this file goes through `Recode.java`.
#[test]
fn candidates_for_new_vectors_are_written() {
    let rounds: usize = std::env::var("CORELOG_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    let mut text = String::new();
    let seed = codec_support::seed();
    for message in codec_support::messages() {
        for version in message.versions.low..=message.versions.high {
            let mut rng = codec_support::rng(seed, &codec_support::label(&message, version));
            for _ in 0..rounds {
                let bytes = codec_support::random_bytes(&message, version, &mut rng);
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                text += &format!("{} {version} {hex}\n", message.name);
            }
        }
    }
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/candidates.txt");
    std::fs::write(path, &text).unwrap();
    println!("{path}");
    assert_eq!(text.lines().count() % rounds, 0);
}
