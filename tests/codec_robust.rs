//! Bytes that are no message: every message and version, cut at every byte, with every bit flipped, with unknown tags
//! and hostile counts. Nothing panics, nothing is read beyond the end, nothing large is allocated.

mod codec_support;

use bytes::Bytes;
use corelog::protocol::messages::*;
use corelog::protocol::{CatalogEntry, DecodeError, EncodeError, decode_all, encode_to_bytes};

/// Calls `check` with random encodings of every message and version.
fn each_message(rounds: usize, mut check: impl FnMut(&CatalogEntry, i16, Vec<u8>)) {
    let seed = codec_support::seed();
    let schema = codec_support::messages();
    for entry in CATALOG {
        let message = schema.iter().find(|message| message.name == entry.name).unwrap();
        for version in entry.versions.clone() {
            let mut rng = codec_support::rng(seed, &codec_support::label(message, version));
            for _ in 0..rounds {
                let bytes = codec_support::random_bytes(message, version, &mut rng);
                if bytes.len() <= 600 {
                    check(entry, version, bytes);
                }
            }
        }
    }
}

#[test]
fn a_message_cut_anywhere_is_an_error() {
    each_message(2, |entry, version, bytes| {
        let whole = Bytes::from(bytes);
        for end in 0..whole.len() {
            let result = (entry.recode)(whole.slice(..end), version);
            assert!(result.is_err(), "{} v{version} cut at {end}: {result:?}", entry.name);
        }
    });
}

#[test]
fn a_byte_behind_the_message_is_noticed() {
    each_message(1, |entry, version, mut bytes| {
        bytes.push(0);
        let result = (entry.recode)(bytes.into(), version);
        assert_eq!(result, Err(DecodeError::TrailingBytes(1)), "{} v{version}", entry.name);
    });
}

#[test]
fn flipped_bits_never_panic_and_what_is_read_can_be_written() {
    each_message(1, |entry, version, bytes| {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(written) = (entry.recode)(flipped.into(), version) {
                let written = written.unwrap_or_else(|e| panic!("{} v{version} bit {bit}: {e}", entry.name));
                let again = (entry.recode)(written.clone(), version);
                assert_eq!(again, Ok(Ok(written)), "{} v{version} bit {bit}", entry.name);
            }
        }
    });
}

#[test]
fn hostile_lengths_at_every_byte_never_panic() {
    let hostile: [&[u8]; 7] = [
        &[0xff; 4],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff; 6],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x00],
    ];
    each_message(1, |entry, version, bytes| {
        for at in 0..bytes.len() {
            for value in hostile {
                let mut changed = bytes[..at].to_vec();
                changed.extend(value);
                changed.extend(bytes.get(at + value.len()..).unwrap_or_default());
                let _ = (entry.recode)(changed.into(), version);
            }
        }
    });
}

#[test]
fn unknown_tags_are_passed_over() {
    let request = HeartbeatRequest { group_id: "g".into(), ..Default::default() };
    let mut bytes = encode_to_bytes(&request, 4).unwrap().to_vec();
    assert_eq!(bytes.pop(), Some(0));
    bytes.extend([2, 7, 3, 1, 2, 3, 0xff, 0x01, 0]);
    assert_eq!(decode_all::<HeartbeatRequest>(bytes.into(), 4), Ok(request));
}

#[test]
fn a_tagged_field_must_fill_its_size() {
    // ApiVersionsResponse v3: error, no keys, throttle time, then the epoch (tag 1) in 9 bytes instead of 8.
    let bytes = [&[0, 0, 1, 0, 0, 0, 0, 1, 1, 9][..], &[0; 9]].concat();
    assert_eq!(decode_all::<ApiVersionsResponse>(bytes.into(), 3), Err(DecodeError::TagSize(1)));
}

#[test]
fn lengths_that_cannot_be_are_refused_by_name() {
    let topics = |count: &[u8]| decode_all::<MetadataRequest>(Bytes::copy_from_slice(count), 1);
    assert_eq!(topics(&[0xff, 0xff, 0xff, 0xff]).map(|it| it.topics), Ok(None));
    assert_eq!(topics(&[0xff, 0xff, 0xff, 0xfe]), Err(DecodeError::NegativeLength(-2)));
    assert_eq!(topics(&[0x7f, 0xff, 0xff, 0xff]), Err(DecodeError::CountTooLarge(0x7fff_ffff)));
    let in_v0 = decode_all::<MetadataRequest>(Bytes::from_static(&[0xff; 4]), 0);
    assert_eq!(in_v0, Err(DecodeError::NullNotAllowed));
    let compact = decode_all::<MetadataRequest>(Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]), 9);
    assert_eq!(compact, Err(DecodeError::VarintTooLong));
    let text = decode_all::<HeartbeatRequest>(Bytes::from_static(&[0, 2, 0xc3, 0x28]), 0);
    assert_eq!(text, Err(DecodeError::InvalidUtf8));
    let null_text = decode_all::<HeartbeatRequest>(Bytes::from_static(&[0xff, 0xff]), 0);
    assert_eq!(null_text, Err(DecodeError::NullNotAllowed));
    let long_text = [&[0x80, 0x80, 0x04][..], &[b'a'; 0x8000]].concat();
    assert!(matches!(decode_all::<HeartbeatRequest>(long_text.into(), 4), Err(DecodeError::StringTooLong(_))));
    let version = decode_all::<HeartbeatRequest>(Bytes::new(), 5);
    assert_eq!(version, Err(DecodeError::UnsupportedVersion("HeartbeatRequest", 5)));
}

#[test]
fn a_count_that_fits_the_bytes_cannot_blow_up_memory() {
    // 20 million empty names: 40 MB on the wire, but a struct of them each in memory.
    let count = 20_000_000u32;
    let mut bytes = count.to_be_bytes().to_vec();
    bytes.resize(4 + 2 * count as usize, 0);
    assert_eq!(decode_all::<MetadataRequest>(bytes.into(), 1), Err(DecodeError::TooMuchMemory));
}

#[test]
fn a_field_that_the_version_lacks_is_dropped_or_refused_as_the_schema_says() {
    let with_instance = HeartbeatRequest { group_instance_id: Some("i".into()), ..Default::default() };
    let refused = EncodeError::FieldLacking("HeartbeatRequest.GroupInstanceId", 2);
    assert_eq!(encode_to_bytes(&with_instance, 2), Err(refused));
    let throttled = HeartbeatResponse { throttle_time_ms: 5, ..Default::default() };
    assert_eq!(encode_to_bytes(&throttled, 0).unwrap().len(), 2);
    let null_topics = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(encode_to_bytes(&null_topics, 0), Err(EncodeError::NullNotAllowed));
    let long = HeartbeatRequest { group_id: "x".repeat(0x8000).into(), ..Default::default() };
    assert_eq!(encode_to_bytes(&long, 4), Err(EncodeError::TooLong(0x8000)));
}
