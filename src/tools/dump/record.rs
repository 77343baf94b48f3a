//! One record as a line.

use super::{DumpError, DumpRequest};
use crate::base::java_text;
use crate::protocol::json::Json;
use crate::protocol::shape::Shape;
use crate::record::control::EndTxnMarker;
use crate::record::header::sequence_plus;
use crate::record::{BatchHeader, ControlType, Record};
use crate::tools::FileError;
use bytes::Bytes;
use std::io::Write;
use std::path::Path;

/// Whose clock a batch's timestamps are.
pub fn timestamp_type(header: &BatchHeader) -> &'static str {
    if header.is_log_append_time() { "LogAppendTime" } else { "CreateTime" }
}

/// Prints a record.
pub fn line(
    path: &Path,
    header: &BatchHeader,
    record: &Record<'_>,
    request: &DumpRequest,
    out: &mut dyn Write,
) -> Result<(), DumpError> {
    let mut prefix = "| ";
    if !request.skip_record_metadata {
        metadata(path, header, record, out)?;
        prefix = " ";
    }
    if request.print_records && !header.is_control() {
        let offset = header.base_offset().0 + i64::from(record.offset_delta);
        let (key, value) = request.decoder.texts(offset, record).map_err(|why| FileError::new(path, why))?;
        for (name, text) in [("key", key), ("payload", value)] {
            let Some(text) = text else { continue };
            write!(out, "{prefix}{name}: ")?;
            out.write_all(&text)?;
            prefix = " ";
        }
    }
    writeln!(out)?;
    Ok(())
}

fn metadata(path: &Path, header: &BatchHeader, record: &Record<'_>, out: &mut dyn Write) -> Result<(), DumpError> {
    let timestamp = match header.is_log_append_time() {
        true => header.max_timestamp().0,
        false => header.base_timestamp().0.wrapping_add(record.timestamp_delta),
    };
    let sequence = match header.base_sequence() {
        ..0 => -1,
        base => sequence_plus(base, record.offset_delta),
    };
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    let names: Vec<_> = record.headers.iter().map(|(name, _)| java_text::decode(name)).collect();
    write!(
        out,
        "| offset: {} {}: {timestamp} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        header.base_offset().0 + i64::from(record.offset_delta),
        timestamp_type(header),
        size(record.key),
        size(record.value),
        names.join(","),
    )?;
    if header.is_control() {
        write!(out, "{}", control(record).map_err(|why| FileError::new(path, why))?)?;
    }
    Ok(())
}

/// What a control record says.
fn control(record: &Record<'_>) -> Result<String, String> {
    let key = record.key.unwrap_or_default();
    let Some(kind) = ControlType::of_key(key) else {
        let id = key.get(2..4).and_then(|b| b.try_into().ok()).map_or(-1, i16::from_be_bytes);
        return Ok(format!(" controlType: UNKNOWN({id})"));
    };
    let (name, shape) = match kind {
        ControlType::Abort | ControlType::Commit => {
            let marker = EndTxnMarker::of(record).ok_or("a transaction marker that cannot be read")?;
            let kind = if marker.commit { "COMMIT" } else { "ABORT" };
            return Ok(format!(" endTxnMarker: {kind} coordinatorEpoch: {}", marker.coordinator_epoch));
        }
        ControlType::LeaderChange => ("LeaderChange:", "LeaderChangeMessage"),
        ControlType::SnapshotHeader => ("SnapshotHeader", "SnapshotHeaderRecord"),
        ControlType::SnapshotFooter => ("SnapshotFooter", "SnapshotFooterRecord"),
        ControlType::KRaftVersion => ("KRaftVersion", "KRaftVersionRecord"),
        ControlType::KRaftVoters => ("KRaftVoters", "VotersRecord"),
    };
    let json = versioned(shape, record.value.unwrap_or_default())?;
    Ok(format!(" {name} {json}"))
}

/// Records that carry their version as their first field.
fn versioned(name: &'static str, value: &[u8]) -> Result<Json, String> {
    let version = value.get(..2).and_then(|b| b.try_into().ok()).map(i16::from_be_bytes);
    let version = version.ok_or_else(|| format!("a {name} that is too short"))?;
    let shape = Shape::named(name).ok_or_else(|| format!("{name} is not known"))?;
    shape.read(Bytes::copy_from_slice(value), version).map_err(|e| format!("{name}: {e}"))
}
