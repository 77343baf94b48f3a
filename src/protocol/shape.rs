//! Records read by their shape instead of their type: for tools that print whatever they come across.

use super::json::Json;
use super::{DecodeError, Decoder, MessageKind};
use bytes::Bytes;

/// A record of the schema.
#[derive(Debug)]
pub struct Shape {
    /// Which family it belongs to.
    pub kind: MessageKind,
    /// Kafka's name.
    pub name: &'static str,
    /// Record type; -1 where there is none.
    pub key: i16,
    /// Lowest and highest version.
    pub versions: (i16, i16),
    flexible: i16,
    fields: &'static [Field],
}

/// A field of a struct.
#[derive(Debug)]
struct Field {
    name: &'static str,
    kind: Kind,
    array: bool,
    versions: (i16, i16),
    nullable: (i16, i16),
    tag: Option<u32>,
}

/// The type of a field, or of the elements of an array.
#[derive(Debug)]
enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Uint32,
    Int32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Struct(&'static [Field]),
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

impl Shape {
    /// The record of this family and type.
    pub fn of_key(kind: MessageKind, key: i16) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.kind == kind && shape.key == key)
    }

    /// The record with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.name == name)
    }

    /// Reads a record's fields in `version`. What follows them is not looked at.
    ///
    /// # Errors
    /// A version that is not known, or bytes that are not the record.
    pub fn read(&self, bytes: Bytes, version: i16) -> Result<Json, DecodeError> {
        if !within(self.versions, version) {
            return Err(DecodeError::UnsupportedVersion(self.name, version));
        }
        let mut decoder = Decoder::new(bytes);
        decoder.set_flexible(version >= self.flexible);
        structure(self.fields, &mut decoder, version)
    }
}

fn within((low, high): (i16, i16), version: i16) -> bool {
    (low..=high).contains(&version)
}

/// Fields in the order of the schema; tagged ones, which come last on disk, only where they are present: Kafka leaves
/// out those that hold their default.
fn structure(fields: &'static [Field], d: &mut Decoder, version: i16) -> Result<Json, DecodeError> {
    let mut values: Vec<Option<Json>> = Vec::with_capacity(fields.len());
    for field in fields {
        let plain = field.tag.is_none() && within(field.versions, version);
        values.push(if plain { Some(value(field, d, version)?) } else { None });
    }
    let mut tags = d.tags()?;
    while let Some(tag) = tags.next(d)? {
        let known = fields.iter().zip(&mut values).find(|(f, _)| f.tag == Some(tag) && within(f.versions, version));
        match known {
            Some((field, slot)) => *slot = Some(value(field, d, version)?),
            None => tags.skip(d)?,
        }
    }
    let named = fields.iter().zip(values).filter_map(|(field, value)| value.map(|value| (field.name, value)));
    Ok(Json::Object(named.collect()))
}

fn value(field: &'static Field, d: &mut Decoder, version: i16) -> Result<Json, DecodeError> {
    let null_allowed = within(field.nullable, version);
    if !field.array {
        // Kafka marks the null of a tagged struct by a varint, not by a byte.
        if let (Kind::Struct(fields), Some(_), true) = (&field.kind, field.tag, null_allowed) {
            return if d.uvarint()? == 0 { Ok(Json::Null) } else { structure(fields, d, version) };
        }
        return single(&field.kind, d, version, null_allowed);
    }
    let count = match d.flexible() {
        true => i64::from(d.uvarint()?) - 1,
        false => i64::from(d.i32()?),
    };
    if count == -1 && null_allowed {
        return Ok(Json::Null);
    }
    // Each element takes a byte at least, so a count that lies costs nothing.
    let count = usize::try_from(count).map_err(|_| DecodeError::NegativeLength(count))?;
    if count > d.remaining() {
        return Err(DecodeError::Truncated);
    }
    (0..count).map(|_| single(&field.kind, d, version, false)).collect::<Result<_, _>>().map(Json::Array)
}

fn single(kind: &'static Kind, d: &mut Decoder, version: i16, null_allowed: bool) -> Result<Json, DecodeError> {
    Ok(match kind {
        Kind::Bool => Json::Bool(d.bool()?),
        Kind::Int8 => Json::Int(d.i8()?.into()),
        Kind::Int16 => Json::Int(d.i16()?.into()),
        Kind::Uint16 => Json::Int(d.u16()?.into()),
        Kind::Uint32 => Json::Int(d.u32()?.into()),
        Kind::Int32 => Json::Int(d.i32()?.into()),
        Kind::Int64 => Json::Int(d.i64()?),
        Kind::Float64 => Json::Float(d.f64()?),
        Kind::Uuid => Json::Text(d.uuid()?.to_string()),
        Kind::String => d.opt_str(null_allowed)?.map_or(Json::Null, |text| Json::Text(text.to_string())),
        Kind::Bytes => d.opt_bytes(null_allowed)?.map_or(Json::Null, Json::Bytes),
        Kind::Struct(_) if null_allowed && d.i8()? < 0 => Json::Null,
        Kind::Struct(fields) => structure(fields, d, version)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Uuid;
    use crate::protocol::encode_to_bytes;
    use crate::protocol::messages::{CATALOG, OffsetCommitValue, PartitionRecord};

    #[test]
    fn a_record_reads_as_kafkas_tools_print_it() {
        let record = PartitionRecord {
            partition_id: 3,
            topic_id: Uuid::ONE,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            directories: vec![Uuid::ONE],
            ..Default::default()
        };
        let shape = Shape::named("PartitionRecord").unwrap();
        assert_eq!(
            shape.read(encode_to_bytes(&record, 2).unwrap(), 2).unwrap().to_string(),
            "{\"partitionId\":3,\"topicId\":\"AAAAAAAAAAAAAAAAAAAAAQ\",\"replicas\":[1],\"isr\":[1],\
             \"removingReplicas\":[],\"addingReplicas\":[],\"leader\":1,\"leaderEpoch\":-1,\"partitionEpoch\":-1,\
             \"directories\":[\"AAAAAAAAAAAAAAAAAAAAAQ\"]}"
        );
        let value = OffsetCommitValue { offset: 7, leader_epoch: -1, ..Default::default() };
        let shape = Shape::of_key(MessageKind::CoordinatorValue, 1).unwrap();
        assert_eq!(
            shape.read(encode_to_bytes(&value, 3).unwrap(), 3).unwrap().to_string(),
            "{\"offset\":7,\"leaderEpoch\":-1,\"metadata\":\"\",\"commitTimestamp\":0}"
        );
    }

    /// Every record of the schema, in every version: the default is read by its shape, and every cut of it is an error
    /// or an end, never more.
    #[test]
    fn every_record_is_read_whole_and_no_cut_harms() {
        for shape in SHAPES {
            let entry = CATALOG.iter().find(|entry| entry.name == shape.name).unwrap();
            for version in shape.versions.0..=shape.versions.1 {
                let Ok(bytes) = (entry.encode_default)(version) else { continue };
                assert!(shape.read(bytes.clone(), version).is_ok(), "{} {version}", shape.name);
                for len in 0..bytes.len() {
                    assert!(shape.read(bytes.slice(..len), version).is_err(), "{} {version} cut at {len}", shape.name);
                }
            }
            assert!(shape.read(Bytes::new(), shape.versions.1 + 1).is_err());
        }
    }
}
