//! JSON as Apache Kafka's tools print it: one line, no spaces, fields in the order of the schema (Jackson's
//! `ObjectNode.toString`).

use bytes::Bytes;
use std::fmt::{Display, Formatter, Result, Write};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A string.
    Text(String),
    /// Bytes, which are printed as base64.
    Bytes(Bytes),
    /// `[...]`
    Array(Vec<Json>),
    /// `{...}`, in this order.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The member of an object, to be replaced.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        match self {
            Self::Object(members) => members.iter_mut().find(|(known, _)| *known == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => quoted(f, text),
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                write!(f, "\"{}\"", base64::engine::general_purpose::STANDARD.encode(bytes))
            }
            Self::Array(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { "," } else { "" })?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            c if c < ' ' => write!(f, "\\u{:04X}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_javas() {
        let json = Json::Object(vec![
            ("a", Json::Array(vec![Json::Int(-1), Json::Null, Json::Bool(true)])),
            ("b", Json::Text("\"\\\n\u{1}é".into())),
            ("c", Json::Bytes(Bytes::from_static(&[0, 255]))),
            ("d", Json::Float(2.0)),
        ]);
        assert_eq!(json.to_string(), "{\"a\":[-1,null,true],\"b\":\"\\\"\\\\\\n\\u0001é\",\"c\":\"AP8=\",\"d\":2.0}");
        assert_eq!(json.get("d"), Some(&Json::Float(2.0)));
        assert_eq!(json.get("e"), None);
    }
}
