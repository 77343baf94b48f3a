//! Findings as lines, and their number.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Findings of one file that are told; more of them say nothing new.
const PER_FILE: u64 = 20;

/// What was looked at and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Partitions looked into.
    pub partitions: u64,
    /// Segments read.
    pub segments: u64,
    /// Batches whose checksum was computed.
    pub batches: u64,
    /// Bytes of segments.
    pub bytes: u64,
    /// Findings.
    pub findings: u64,
}

/// Takes the findings.
pub struct Report<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
    of_file: (PathBuf, u64),
    /// A broker uses the directory.
    pub in_use: bool,
    /// Counted so far.
    pub summary: Summary,
}

impl<'a> Report<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut dyn Write, in_use: bool) -> Self {
        Self { out, failed: None, of_file: (PathBuf::new(), 0), in_use, summary: Summary::default() }
    }

    /// Something is wrong with a file.
    pub fn finding(&mut self, path: &Path, what: impl std::fmt::Display) {
        self.summary.findings += 1;
        if self.of_file.0 != path {
            self.of_file = (path.to_owned(), 0);
        }
        self.of_file.1 += 1;
        match self.of_file.1 {
            ..=PER_FILE => self.line(format_args!("{}: {what}", path.display())),
            n if n == PER_FILE + 1 => self.line(format_args!("{}: and more of this file", path.display())),
            _ => {}
        }
    }

    /// Something to know that is not wrong.
    pub fn note(&mut self, what: impl std::fmt::Display) {
        self.line(format_args!("note: {what}"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        if self.failed.is_none() {
            self.failed = writeln!(self.out, "{text}").err();
        }
    }

    /// The last line.
    pub fn finish(mut self) -> io::Result<Summary> {
        let Summary { partitions, segments, batches, bytes, findings } = self.summary;
        self.line(format_args!(
            "{partitions} partitions, {segments} segments, {batches} batches, {bytes} bytes read: {}",
            match findings {
                0 => "all is whole".to_owned(),
                1 => "1 finding".to_owned(),
                n => format!("{n} findings"),
            }
        ));
        self.failed.map_or(Ok(self.summary), Err)
    }
}
