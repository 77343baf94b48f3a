//! How records are printed: Kafka's formatters, by the names of their classes.

use super::super::ToolError;
use super::super::print::text;
use super::arguments::Arguments;
use super::deserializer::Deserializer;
use crate::client::consumer::ConsumedRecord;
use crate::protocol::MessageKind;
use crate::protocol::json::Json;
use crate::tools::dump::Decoder;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// A formatter.
#[derive(Debug)]
pub enum Formatter {
    /// `DefaultMessageFormatter`, `LoggingMessageFormatter`.
    Default(Box<Layout>),
    /// `NoOpMessageFormatter`.
    Nothing,
    /// Records of coordinators, of these types; all when none is named.
    Coordinator(Decoder, &'static [i16]),
    /// A line of JSON a record.
    Json,
}

/// What of a record is printed.
#[derive(Debug)]
pub struct Layout {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null_literal: String,
    key_deserializer: Deserializer,
    value_deserializer: Deserializer,
    headers_deserializer: Deserializer,
}

/// Why a record cannot be printed; the output's own errors stand outside.
type Printed = io::Result<Result<(), String>>;

impl Formatter {
    /// What the command line asks for.
    ///
    /// # Errors
    /// A class that only a JVM can load.
    pub fn of(arguments: &Arguments) -> Result<Self, ToolError> {
        if arguments.connect.json {
            return Ok(Self::Json);
        }
        let class = arguments.formatter.as_deref().unwrap_or("org.apache.kafka.tools.consumer.DefaultMessageFormatter");
        // Before Kafka 4 they stood elsewhere.
        let name = class.rsplit(['.', '$']).next().unwrap_or_default();
        let ours = class.starts_with("org.apache.kafka.") || class.starts_with("kafka.");
        Ok(match name {
            "DefaultMessageFormatter" | "LoggingMessageFormatter" if ours => {
                let layout = Layout::of(&arguments.formatting()?).map_err(ToolError::Usage)?;
                Self::Default(Box::new(layout))
            }
            "NoOpMessageFormatter" if ours => Self::Nothing,
            "OffsetsMessageFormatter" if ours => Self::Coordinator(Decoder::Offsets, &[0, 1]),
            "GroupMetadataMessageFormatter" if ours => Self::Coordinator(Decoder::Offsets, &[2]),
            "TransactionLogMessageFormatter" if ours => Self::Coordinator(Decoder::Transactions, &[]),
            "ShareGroupStateMessageFormatter" if ours => Self::Coordinator(Decoder::ShareGroups, &[]),
            _ => {
                let why = format!("{class} cannot be loaded without a JVM; Kafka's own formatters are there");
                return Err(ToolError::Usage(why));
            }
        })
    }

    /// Prints a record.
    ///
    /// # Errors
    /// Of the output; inside, why this record cannot be printed.
    pub fn print(&self, record: &ConsumedRecord, out: &mut dyn Write) -> Printed {
        match self {
            Self::Default(layout) => layout.print(record, out),
            Self::Nothing => Ok(Ok(())),
            Self::Coordinator(decoder, types) => match coordinator(*decoder, types, record) {
                Ok(Some(json)) => write!(out, "{json}").map(Ok),
                Ok(None) => Ok(Ok(())),
                Err(why) => Ok(Err(format!("Could not read record at offset {} due to: {why}", record.offset))),
            },
            Self::Json => writeln!(out, "{}", item(record)).map(Ok),
        }
    }
}

impl Layout {
    fn of(properties: &BTreeMap<String, String>) -> Result<Self, String> {
        let flag = |key: &str, default: bool| {
            properties.get(key).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |key: &str, default: &str| properties.get(key).map_or(default, String::as_str).to_owned();
        let class = |key: &str| match properties.get(key) {
            Some(class) => Deserializer::named(class),
            None => Ok(Deserializer::Raw),
        };
        Ok(Self {
            timestamp: flag("print.timestamp", false),
            partition: flag("print.partition", false),
            offset: flag("print.offset", false),
            delivery: flag("print.delivery", false),
            epoch: flag("print.epoch", false),
            headers: flag("print.headers", false),
            key: flag("print.key", false),
            value: flag("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer: class("key.deserializer")?,
            value_deserializer: class("value.deserializer")?,
            headers_deserializer: class("headers.deserializer")?,
        })
    }

    fn read<'a>(&'a self, deserializer: Deserializer, bytes: Option<&'a Bytes>) -> Result<Cow<'a, [u8]>, String> {
        // Kafka reads the literal for null by the same deserializer.
        deserializer.text(bytes.map_or(self.null_literal.as_bytes(), |bytes| bytes))
    }

    /// The columns, each as bytes.
    fn columns<'a>(&'a self, record: &'a ConsumedRecord) -> Result<Vec<Cow<'a, [u8]>>, String> {
        let text = |text: String| Cow::Owned(text.into_bytes());
        let mut columns: Vec<Cow<'_, [u8]>> = Vec::new();
        if self.timestamp {
            let kind = if record.log_append_time { "LogAppendTime" } else { "CreateTime" };
            columns.push(text(format!("{kind}:{}", record.timestamp)));
        }
        if self.partition {
            columns.push(text(format!("Partition:{}", record.partition)));
        }
        if self.offset {
            columns.push(text(format!("Offset:{}", record.offset)));
        }
        // Kafka's console consumer hands neither on to its formatter.
        if self.delivery {
            columns.push(Cow::Borrowed(b"Delivery:NOT_PRESENT"));
        }
        if self.epoch {
            columns.push(Cow::Borrowed(b"Epoch:NOT_PRESENT"));
        }
        if self.headers {
            columns.push(self.headers(record)?);
        }
        if self.key {
            columns.push(self.read(self.key_deserializer, record.key.as_ref())?);
        }
        if self.value {
            columns.push(self.read(self.value_deserializer, record.value.as_ref())?);
        }
        Ok(columns)
    }

    fn headers(&self, record: &ConsumedRecord) -> Result<Cow<'_, [u8]>, String> {
        if record.headers.is_empty() {
            return Ok(Cow::Borrowed(b"NO_HEADERS"));
        }
        let mut all = Vec::new();
        for (at, (name, value)) in record.headers.iter().enumerate() {
            if at > 0 {
                all.extend_from_slice(self.headers_separator.as_bytes());
            }
            all.extend_from_slice(name.as_bytes());
            all.push(b':');
            all.extend_from_slice(&self.read(self.headers_deserializer, value.as_ref())?);
        }
        Ok(Cow::Owned(all))
    }

    fn print(&self, record: &ConsumedRecord, out: &mut dyn Write) -> Printed {
        let columns = match self.columns(record) {
            Ok(columns) => columns,
            Err(why) => return Ok(Err(why)),
        };
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                out.write_all(self.key_separator.as_bytes())?;
            }
            out.write_all(column)?;
        }
        if !columns.is_empty() {
            out.write_all(self.line_separator.as_bytes())?;
        }
        Ok(Ok(()))
    }
}

/// A coordinator's record as JSON; none for a type that is not asked for or not known.
fn coordinator(decoder: Decoder, types: &[i16], record: &ConsumedRecord) -> Result<Option<Json>, String> {
    let Some(key) = &record.key else { return Ok(None) };
    let prefixed = |bytes: &Bytes| match bytes.split_first_chunk::<2>() {
        Some((number, _)) => Ok((i16::from_be_bytes(*number), bytes.slice(2..))),
        None => Err("a record that is too short".to_owned()),
    };
    let (kind, data) = prefixed(key)?;
    if !types.is_empty() && !types.contains(&kind) {
        return Ok(None);
    }
    let Some(shape) = decoder.shape(MessageKind::CoordinatorKey, kind) else { return Ok(None) };
    let data = shape.read(data, 0).map_err(|e| e.to_string())?;
    let key = Json::Object(vec![("type", Json::Int(kind.into())), ("data", data)]);
    let value = match &record.value {
        None => Json::Null,
        Some(value) => {
            let (version, data) = prefixed(value)?;
            let Some(shape) = decoder.shape(MessageKind::CoordinatorValue, kind) else { return Ok(None) };
            let data = shape.read(data, version).map_err(|e| e.to_string())?;
            Json::Object(vec![("version", Json::Int(version.into())), ("data", data)])
        }
    };
    Ok(Some(Json::Object(vec![("key", key), ("value", value)])))
}

/// Bytes as text where they are that, else as base64 under another name.
fn plain(bytes: Option<&Bytes>) -> Json {
    match bytes.map(|bytes| std::str::from_utf8(bytes)) {
        None => Json::Null,
        Some(Ok(text)) => Json::Text(text.to_owned()),
        Some(Err(_)) => Json::Object(vec![("base64", bytes.map_or(Json::Null, |bytes| Json::Bytes(bytes.clone())))]),
    }
}

fn item(record: &ConsumedRecord) -> Json {
    let header = |(name, value): &(String, Option<Bytes>)| {
        Json::Object(vec![("key", text(Some(name))), ("value", plain(value.as_ref()))])
    };
    let kind = if record.log_append_time { "LogAppendTime" } else { "CreateTime" };
    Json::Object(vec![
        ("topic", Json::Text(record.topic.to_string())),
        ("partition", Json::Int(record.partition.into())),
        ("offset", Json::Int(record.offset)),
        ("timestamp", Json::Int(record.timestamp)),
        ("timestampType", Json::Text(kind.to_owned())),
        ("headers", Json::Array(record.headers.iter().map(header).collect())),
        ("key", plain(record.key.as_ref())),
        ("value", plain(record.value.as_ref())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ConsumedRecord {
        ConsumedRecord {
            topic: "t".into(),
            partition: 2,
            offset: 7,
            timestamp: 99,
            log_append_time: false,
            key: None,
            value: Some(Bytes::from_static(b"v")),
            headers: vec![("a".into(), Some(Bytes::from_static(b"1"))), ("b".into(), None)],
        }
    }

    fn printed(pairs: &[(&str, &str)], record: &ConsumedRecord) -> String {
        let properties = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut out = Vec::new();
        Layout::of(&properties).unwrap().print(record, &mut out).unwrap().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_stand_in_kafkas_order() {
        let all: Vec<(&str, &str)> =
            ["print.timestamp", "print.partition", "print.offset", "print.headers", "print.key"]
                .map(|key| (key, "true"))
                .into();
        assert_eq!(printed(&all, &record()), "CreateTime:99\tPartition:2\tOffset:7\ta:1,b:null\tnull\tv\n");
        assert_eq!(printed(&[], &record()), "v\n");
        assert_eq!(printed(&[("print.value", "false"), ("print.key", "TRUE")], &record()), "null\n");
        let none = ConsumedRecord { headers: Vec::new(), ..record() };
        assert_eq!(printed(&[("print.headers", "true"), ("key.separator", "|")], &none), "NO_HEADERS|v\n");
        assert_eq!(printed(&[("print.epoch", "true"), ("line.separator", ";")], &none), "Epoch:NOT_PRESENT\tv;");
    }

    #[test]
    fn a_coordinators_record_is_a_line_of_json() {
        // OffsetCommitKey version 1: group g, topic t, partition 3.
        let key = [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3];
        let record = ConsumedRecord { key: Some(Bytes::copy_from_slice(&key)), value: None, ..record() };
        let json = coordinator(Decoder::Offsets, &[0, 1], &record).unwrap().unwrap();
        assert_eq!(
            json.to_string(),
            "{\"key\":{\"type\":1,\"data\":{\"group\":\"g\",\"topic\":\"t\",\"partition\":3}},\"value\":null}"
        );
        assert_eq!(coordinator(Decoder::Offsets, &[2], &record), Ok(None));
        let bad = ConsumedRecord { key: Some(Bytes::from_static(&[0])), ..record };
        assert!(coordinator(Decoder::Offsets, &[], &bad).is_err());
    }
}
