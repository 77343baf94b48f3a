//! Kafka's own deserializers, by the names of their classes.

use std::borrow::Cow;

/// How bytes become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deserializer {
    /// As they are.
    Raw,
    String,
    Boolean,
    Short,
    Integer,
    Long,
    Float,
    Double,
    Uuid,
}

impl Deserializer {
    /// The class with this name.
    ///
    /// # Errors
    /// A sentence: there is no JVM to load another.
    pub fn named(class: &str) -> Result<Self, String> {
        let unknown = || format!("{class} cannot be loaded without a JVM; org.apache.kafka.common.serialization's can");
        let name = class.strip_prefix("org.apache.kafka.common.serialization.").ok_or_else(unknown)?;
        Ok(match name {
            "ByteArrayDeserializer" | "BytesDeserializer" | "ByteBufferDeserializer" => Self::Raw,
            "StringDeserializer" => Self::String,
            "BooleanDeserializer" => Self::Boolean,
            "ShortDeserializer" => Self::Short,
            "IntegerDeserializer" => Self::Integer,
            "LongDeserializer" => Self::Long,
            "FloatDeserializer" => Self::Float,
            "DoubleDeserializer" => Self::Double,
            "UUIDDeserializer" => Self::Uuid,
            _ => return Err(unknown()),
        })
    }

    /// The text.
    ///
    /// # Errors
    /// Bytes of another length.
    pub fn text(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        let text = match self {
            Self::Raw => return Ok(Cow::Borrowed(bytes)),
            Self::String | Self::Uuid => String::from_utf8_lossy(bytes).into_owned(),
            Self::Boolean => match bytes {
                [1] => "true".into(),
                [0] => "false".into(),
                _ => return Err(wrong("Boolean", bytes)),
            },
            Self::Short => i16::from_be_bytes(fixed(bytes, "Short")?).to_string(),
            Self::Integer => i32::from_be_bytes(fixed(bytes, "Integer")?).to_string(),
            Self::Long => i64::from_be_bytes(fixed(bytes, "Long")?).to_string(),
            Self::Float => format!("{:?}", f32::from_be_bytes(fixed(bytes, "Float")?)),
            Self::Double => format!("{:?}", f64::from_be_bytes(fixed(bytes, "Double")?)),
        };
        Ok(Cow::Owned(text.into_bytes()))
    }
}

fn fixed<const N: usize>(bytes: &[u8], name: &str) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| wrong(name, bytes))
}

fn wrong(name: &str, bytes: &[u8]) -> String {
    format!("Size of data received by {name}Deserializer is not what it reads: {} bytes", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_big_endian_and_other_lengths_refused() {
        let read = |class: &str, bytes: &[u8]| {
            let class = format!("org.apache.kafka.common.serialization.{class}Deserializer");
            let text = Deserializer::named(&class)?.text(bytes)?.into_owned();
            Ok::<_, String>(String::from_utf8(text).unwrap())
        };
        assert_eq!(read("Long", &(-5_i64).to_be_bytes()).unwrap(), "-5");
        assert_eq!(read("Integer", &[0, 0, 1, 0]).unwrap(), "256");
        assert_eq!(read("Double", &1.5_f64.to_be_bytes()).unwrap(), "1.5");
        assert_eq!(read("String", b"text").unwrap(), "text");
        assert!(read("Long", b"short").is_err());
        assert!(Deserializer::named("org.example.Mine").unwrap_err().contains("JVM"));
    }
}
