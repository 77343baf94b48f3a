//! Lines of standard input as records (`org.apache.kafka.tools.LineMessageReader`).

use crate::client::producer::NewRecord;
use crate::ring::plain::Input;
use regex::Regex;
use std::collections::BTreeMap;
use std::io;

const READ_BYTES: usize = 64 << 10;

/// Standard input cut into lines: at a line feed, a carriage return, or both.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    at: usize,
    input_ended: bool,
}

impl Lines {
    /// Reads what there is.
    pub fn fill(&mut self, input: &mut Input) -> io::Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        let filled = self.bytes.len();
        self.bytes.resize(filled + READ_BYTES, 0);
        let read = input.read(self.bytes.get_mut(filled..).unwrap_or_default());
        self.bytes.truncate(filled + *read.as_ref().unwrap_or(&0));
        self.input_ended = read? == 0;
        Ok(())
    }

    /// The next whole line; at the end of the input also one without an end.
    pub fn next(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..)?;
        let (line, length) = match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            // The line feed of a pair may not have come yet.
            Some(end) if rest.get(end) == Some(&b'\r') && end + 1 == rest.len() && !self.input_ended => return None,
            Some(end) => {
                let pair = rest.get(end..end + 2) == Some(b"\r\n");
                (rest.get(..end)?, end + 1 + usize::from(pair))
            }
            None if self.input_ended && !rest.is_empty() => (rest, rest.len()),
            None => return None,
        };
        let line = String::from_utf8_lossy(line).into_owned();
        self.at += length;
        Some(line)
    }

    /// True when there is no line left and none will come.
    pub fn ended(&self) -> bool {
        self.input_ended && self.at >= self.bytes.len()
    }
}

/// How a line is read.
#[derive(Debug)]
pub struct LineReader {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: Regex,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
    line: usize,
}

impl LineReader {
    /// Reads its properties.
    ///
    /// # Errors
    /// A sentence: separators that cannot be told apart.
    pub fn of(properties: &BTreeMap<String, String>) -> Result<Self, String> {
        let text = |key: &str, default: &str| properties.get(key).map_or(default, String::as_str).to_owned();
        let flag = |key: &str| properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let separators = [
            ("headers.delimiter", text("headers.delimiter", "\t")),
            ("headers.separator", text("headers.separator", ",")),
            ("headers.key.separator", text("headers.key.separator", ":")),
            ("key.separator", text("key.separator", "\t")),
        ];
        let null_marker = properties.get("null.marker").cloned();
        for (at, (name, separator)) in separators.iter().enumerate().take(3) {
            for (other_name, other) in separators.iter().take(3).skip(at + 1) {
                if separator == other {
                    return Err(format!("{name} and {other_name} may not be equal"));
                }
            }
        }
        if let Some((name, _)) = separators.iter().find(|(_, separator)| null_marker.as_ref() == Some(separator)) {
            return Err(format!("null.marker and {name} may not be equal"));
        }
        let [(_, headers_delimiter), (_, headers_separator), (_, headers_key_separator), (_, key_separator)] =
            separators;
        Ok(Self {
            parse_key: flag("parse.key"),
            key_separator,
            parse_headers: flag("parse.headers"),
            headers_delimiter,
            headers_separator: Regex::new(&headers_separator)
                .map_err(|_| format!("headers.separator: {headers_separator} is an invalid regex."))?,
            headers_key_separator,
            ignore_error: flag("ignore.error"),
            null_marker,
            line: 0,
        })
    }

    /// The record of a line.
    ///
    /// # Errors
    /// A sentence: a separator is missing.
    pub fn read(&mut self, line: &str) -> Result<NewRecord, String> {
        self.line += 1;
        let mut rest = line;
        let headers = self.part(self.parse_headers, line, &mut rest, &self.headers_delimiter, "headers delimiter")?;
        let key = self.part(self.parse_key, line, &mut rest, &self.key_separator, "key separator")?;
        let bytes = |text: &str| (Some(text) != self.null_marker.as_deref()).then(|| text.as_bytes().to_vec());
        let headers = match headers {
            Some(headers) if Some(headers) != self.null_marker.as_deref() => self.headers(headers)?,
            _ => Vec::new(),
        };
        Ok(NewRecord { key: key.and_then(bytes), value: bytes(rest), headers })
    }

    /// What stands before the separator; `rest` begins behind it.
    fn part<'a>(
        &self,
        wanted: bool,
        line: &str,
        rest: &mut &'a str,
        separator: &str,
        name: &str,
    ) -> Result<Option<&'a str>, String> {
        if !wanted {
            return Ok(None);
        }
        match rest.split_once(separator) {
            Some((part, behind)) => {
                *rest = behind;
                Ok(Some(part))
            }
            None if self.ignore_error => Ok(None),
            None => Err(format!(
                "org.apache.kafka.common.KafkaException: No {name} found on line number {}: '{line}'",
                self.line
            )),
        }
    }

    fn headers(&self, text: &str) -> Result<Vec<(String, Option<Vec<u8>>)>, String> {
        let mut headers = Vec::new();
        for pair in self.headers_separator.split(text) {
            let Some((name, value)) = pair.split_once(&self.headers_key_separator) else {
                if self.ignore_error {
                    headers.push((pair.to_owned(), None));
                    continue;
                }
                return Err(format!(
                    "org.apache.kafka.common.KafkaException: No header key separator found in pair '{pair}' on line \
                     number {}",
                    self.line
                ));
            };
            if Some(name) == self.null_marker.as_deref() {
                return Err(format!(
                    "org.apache.kafka.common.KafkaException: Header keys should not be equal to the null marker \
                     '{name}' as they can't be null"
                ));
            }
            let value = (Some(value) != self.null_marker.as_deref()).then(|| value.as_bytes().to_vec());
            headers.push((name.to_owned(), value));
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(pairs: &[(&str, &str)]) -> Result<LineReader, String> {
        LineReader::of(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn text(bytes: &Option<Vec<u8>>) -> &str {
        bytes.as_deref().map_or("null", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn lines_hold_headers_keys_and_values() {
        let mut all = reader(&[("parse.key", "true"), ("parse.headers", "true"), ("null.marker", "N")]).unwrap();
        let record = all.read("a:1,b:N\tkey\tva\tlue").unwrap();
        assert_eq!((text(&record.key), text(&record.value)), ("key", "va\tlue"));
        assert_eq!(record.headers, [("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), None)]);
        let nulls = all.read("N\tN\tN").unwrap();
        assert_eq!((text(&nulls.key), text(&nulls.value), nulls.headers.len()), ("null", "null", 0));
        assert!(all.read("no separator").unwrap_err().contains("No headers delimiter found on line number 3"));
        assert!(all.read("x\tk\tv").unwrap_err().contains("No header key separator found in pair 'x'"));
        let mut plain = reader(&[]).unwrap();
        assert_eq!(text(&plain.read("a\tb").unwrap().value), "a\tb");
        let mut lenient = reader(&[("parse.key", "true"), ("ignore.error", "true")]).unwrap();
        assert_eq!(lenient.read("alone").unwrap().key, None);
    }

    #[test]
    fn separators_must_be_told_apart() {
        for pairs in [
            &[("headers.delimiter", ",")][..],
            &[("headers.separator", ":")],
            &[("null.marker", "\t")],
            &[("null.marker", ":")],
        ] {
            assert!(reader(pairs).unwrap_err().contains("may not be equal"), "{pairs:?}");
        }
    }

    #[test]
    fn input_is_cut_at_every_kind_of_line_end() {
        let mut lines = Lines { bytes: b"a\nb\r\nc\rd".to_vec(), at: 0, input_ended: false };
        let three: Vec<_> = std::iter::from_fn(|| lines.next()).collect();
        assert_eq!(three, ["a", "b", "c"]);
        assert!(!lines.ended());
        lines.input_ended = true;
        assert_eq!(lines.next().as_deref(), Some("d"));
        assert!(lines.ended() && lines.next().is_none());
        let mut half = Lines { bytes: b"a\r".to_vec(), at: 0, input_ended: false };
        assert_eq!(half.next(), None, "a line feed may follow");
    }
}
