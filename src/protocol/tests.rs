//! The codec on its own: known bytes, round trips, and bytes that are no message.

use bytes::Bytes;

use super::messages::*;
use super::*;

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let digit = |b: u8| (b as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect::<Vec<_>>().into()
}

#[test]
fn a_flexible_request_has_known_bytes() {
    // Metadata v12 for topic "a" by name: array of 1, zero id, name, no tags, two booleans, no tags.
    let bytes = hex("02 00000000000000000000000000000000 0261 00 01 00 00");
    let request: MetadataRequest = decode_all(bytes.clone(), 12).unwrap();
    let topics = request.topics.as_ref().unwrap();
    assert_eq!(topics[0].name.as_ref().unwrap(), "a");
    assert!(request.allow_auto_topic_creation && !request.include_topic_authorized_operations);
    assert_eq!(encode_to_bytes(&request, 12).unwrap(), bytes);
}

#[test]
fn the_client_id_of_a_flexible_header_keeps_its_classic_length() {
    let bytes = hex("0003 000c 00000007 0002 6162 00");
    let header: RequestHeader = decode_all(bytes.clone(), 2).unwrap();
    assert_eq!((header.request_api_key, header.request_api_version, header.correlation_id), (3, 12, 7));
    assert_eq!(header.client_id.as_deref(), Some("ab"));
    assert_eq!(encode_to_bytes(&header, 2).unwrap(), bytes);
}

#[test]
fn every_default_comes_back_unchanged() {
    let mut count = 0;
    for entry in CATALOG {
        for version in entry.versions.clone() {
            let Ok(bytes) = (entry.encode_default)(version) else { continue };
            let again =
                (entry.recode)(bytes.clone(), version).unwrap_or_else(|e| panic!("{} v{version}: {e}", entry.name));
            assert_eq!(again.unwrap(), bytes, "{} v{version}", entry.name);
            count += 1;
        }
    }
    assert!(count > 700, "{count}");
}
