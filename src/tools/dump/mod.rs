//! `corelog dump-log`: what is in segments, indexes, snapshots (`org.apache.kafka.tools.DumpLogSegments` of 4.3).

mod decoder;
mod index;
mod record;
mod segment;
mod state;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;

use super::FileError;
use crate::config::tool_arguments::{DumpArguments, STRING_DECODER};
use crate::log::files::FileKind;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to print.
#[derive(Clone, Debug)]
pub struct DumpRequest {
    /// The files, in this order.
    pub files: Vec<PathBuf>,
    /// Print keys and values.
    pub print_records: bool,
    /// Print a line for each record.
    pub deep: bool,
    /// Leave out what a record is besides its key and value.
    pub skip_record_metadata: bool,
    /// Only ask whether an index would be accepted at start.
    pub index_sanity_only: bool,
    /// Compare indexes with their segments and print nothing of them.
    pub verify_only: bool,
    /// Read no further than this into a segment.
    pub bytes_max: Option<u64>,
    /// How far behind an index entry's position its batch may end, in bytes.
    pub message_bytes_max: u64,
    /// What keys and values are.
    pub decoder: Decoder,
}

impl DumpRequest {
    /// What the command line asks for.
    ///
    /// # Errors
    /// A sentence: a decoder that only a JVM can load.
    pub fn of(arguments: &DumpArguments) -> Result<Self, String> {
        for class in [&arguments.value_decoder_class, &arguments.key_decoder_class].into_iter().flatten() {
            if class != STRING_DECODER {
                return Err(format!("decoder {class} cannot be loaded without a JVM; there is {STRING_DECODER}"));
            }
        }
        let decoders = [
            (arguments.offsets_decoder, Decoder::Offsets),
            (arguments.transaction_log_decoder, Decoder::Transactions),
            (arguments.cluster_metadata_decoder, Decoder::Metadata),
            (arguments.remote_log_metadata_decoder, Decoder::RemoteLog),
            (arguments.share_group_state_decoder, Decoder::ShareGroups),
        ];
        let named = decoders.into_iter().find(|(asked, _)| *asked).map(|(_, decoder)| decoder);
        let strings = arguments.value_decoder_class.is_some() || arguments.key_decoder_class.is_some();
        let print_records = arguments.print_data_log || strings || named.is_some();
        Ok(Self {
            files: arguments.files.iter().chain(&arguments.more).cloned().collect(),
            print_records,
            deep: arguments.deep_iteration || print_records,
            skip_record_metadata: arguments.skip_record_metadata,
            index_sanity_only: arguments.index_sanity_check,
            verify_only: arguments.verify_index_only,
            bytes_max: arguments.max_bytes.map(u64::from),
            message_bytes_max: arguments.max_message_size.into(),
            decoder: named.unwrap_or(Decoder::Text),
        })
    }
}

/// What was found wrong; told when all files were printed.
#[derive(Debug, Default)]
struct Faults {
    index_mismatches: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    time_mismatches: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    time_out_of_order: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    time_not_found: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    gaps: BTreeMap<PathBuf, Vec<(i64, i64)>>,
}

/// Where the text goes.
pub struct Streams<'a> {
    /// The content.
    pub out: &'a mut dyn Write,
    /// What is wrong.
    pub err: &'a mut dyn Write,
}

/// Why a dump ended before its time.
#[derive(Debug)]
pub enum DumpError {
    /// A file cannot be read, or is nothing that can be printed.
    File(FileError),
    /// The text could not be written: its reader has gone, as a rule.
    Output(io::Error),
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<FileError> for DumpError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// Prints the files. Blocking.
///
/// # Errors
/// The first file that cannot be read ends it, as it ends Kafka's tool.
pub fn dump(request: &DumpRequest, streams: &mut Streams<'_>) -> Result<(), DumpError> {
    let mut faults = Faults::default();
    for path in &request.files {
        writeln!(streams.out, "Dumping {}", path.display())?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match FileKind::parse(name) {
            Some((FileKind::Log, base)) => segment::dump(path, Some(base), request, streams.out, &mut faults)?,
            Some((FileKind::OffsetIndex, base)) => index::dump(path, base, request, streams.out, &mut faults)?,
            Some((FileKind::TimeIndex, base)) => index::dump_time(path, base, request, streams.out, &mut faults)?,
            Some((FileKind::Snapshot, _)) => state::dump_producers(path, streams)?,
            Some((FileKind::TxnIndex, _)) => state::dump_aborted(path, streams.out)?,
            None if name.ends_with(".checkpoint") => segment::dump(path, None, request, streams.out, &mut faults)?,
            None => writeln!(streams.err, "Ignoring unknown file {}", path.display())?,
        }
    }
    faults.tell(streams.err)?;
    Ok(())
}

impl Faults {
    fn tell(&self, err: &mut dyn Write) -> io::Result<()> {
        tell(err, &self.index_mismatches, "Mismatches in :", |a, b| format!("  Index offset: {a}, log offset: {b}"))?;
        tell(err, &self.time_mismatches, "Found timestamp mismatch in :", |a, b| {
            format!("  Index timestamp: {a}, log timestamp: {b}")
        })?;
        tell(err, &self.time_out_of_order, "Found out of order timestamp in :", |a, b| {
            format!("  Index timestamp: {a}, Previously indexed timestamp: {b}")
        })?;
        tell(err, &self.time_not_found, "The following indexed offsets are not found in :", |a, b| {
            format!("Indexed offset: {a}, found log offset: {b}")
        })?;
        tell(err, &self.gaps, "Non-consecutive offsets in ", |a, b| format!("  {a} is followed by {b}"))
    }
}

fn tell(
    err: &mut dyn Write,
    found: &BTreeMap<PathBuf, Vec<(i64, i64)>>,
    title: &str,
    line: fn(i64, i64) -> String,
) -> io::Result<()> {
    for (path, pairs) in found {
        writeln!(err, "{title}{}", path.display())?;
        for (a, b) in pairs {
            writeln!(err, "{}", line(*a, *b))?;
        }
    }
    Ok(())
}

/// Notes a pair under the file's absolute path.
fn note(found: &mut BTreeMap<PathBuf, Vec<(i64, i64)>>, path: &Path, pair: (i64, i64)) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    found.entry(path).or_default().push(pair);
}
