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

#[test]
fn records_in_a_file_leave_a_gap_between_the_parts() {
    use fetch_response::{FetchableTopicResponse, PartitionData};
    let partition =
        |partition_index, records| PartitionData { partition_index, records: Some(records), ..Default::default() };
    let large = Bytes::from(vec![1; 5000]);
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: "t".into(),
            partitions: vec![
                partition(0, Records::Gap(70_000)),
                partition(1, Records::Gap(0)),
                partition(2, large.clone().into()),
                partition(3, Bytes::from_static(b"small").into()),
            ],
            ..Default::default()
        }],
        ..Default::default()
    };
    for version in [4, 11, 12] {
        let mut encoder = Encoder::new();
        response.encode(&mut encoder, version).unwrap();
        let size = response.size(version).unwrap();
        assert_eq!(encoder.len(), size);
        let parts = encoder.finish();
        assert_eq!(parts.iter().map(Part::len).sum::<usize>(), size);
        assert!(matches!(
            &parts[..],
            [Part::Bytes(_), Part::Gap(70_000), Part::Bytes(_), Part::Bytes(_), Part::Bytes(_)]
        ));
        let Part::Bytes(shared) = &parts[3] else { unreachable!() };
        assert_eq!(shared.as_ptr(), large.as_ptr(), "large records are not copied");
        assert_eq!(encode_to_bytes(&response, version), Err(EncodeError::Gap));

        // Filled from the file it is what a client reads.
        let fill = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.clone(),
            Part::Gap(length) => vec![9; *length as usize].into(),
        };
        let whole: Vec<u8> = parts.iter().flat_map(|part| fill(part).to_vec()).collect();
        let read: FetchResponse = decode_all(whole.into(), version).unwrap();
        let lengths: Vec<_> =
            read.responses[0].partitions.iter().map(|it| it.records.as_ref().unwrap().len()).collect();
        assert_eq!(lengths, [70_000, 0, 5000, 5]);
    }
}

#[test]
fn absent_records_are_empty_in_a_response_because_librdkafka_refuses_null() {
    assert_eq!(fetch_response::PartitionData::default().records, Some(Records::new()));
    assert_eq!(produce_request::PartitionProduceData::default().records, None);
}

#[test]
fn a_lazy_array_equals_the_list_it_was_made_of() {
    use produce_request::{PartitionProduceData, TopicProduceData};
    let partitions = vec![
        PartitionProduceData { index: 1, records: Some("x".into()) },
        PartitionProduceData { index: 2, records: None },
    ];
    let topic = TopicProduceData { name: "t".into(), partition_data: partitions.clone().into(), ..Default::default() };
    let request = ProduceRequest { topic_data: vec![topic].into(), ..Default::default() };
    let read: ProduceRequest = decode_all(encode_to_bytes(&request, 9).unwrap(), 9).unwrap();
    assert_eq!(read, request);
    let topic = read.topic_data.iter().next().unwrap();
    assert_eq!(topic.partition_data.iter().collect::<Vec<_>>(), partitions);
    // A lazily read array can be written in another version than it was read in.
    let old: ProduceRequest = decode_all(encode_to_bytes(&read, 3).unwrap(), 3).unwrap();
    assert_eq!(old, request);
}

#[test]
fn strings_share_the_frame_and_are_found_by_text() {
    let frame = hex("0002 6162");
    let text = Decoder::new(frame.clone()).str().unwrap();
    assert_eq!(text.as_bytes().as_ptr(), frame[2..].as_ptr());
    assert_ne!(text.copied().as_bytes().as_ptr(), frame[2..].as_ptr());
    let map: std::collections::HashMap<Str, i32> = [(text, 1)].into();
    assert_eq!(map.get("ab"), Some(&1));
}
