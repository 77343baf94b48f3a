//! What a schema type is in Rust: its type, default, minimal size and the calls that read and write it.

use super::conditions::Condition;
use super::schema::Field;
use super::versions::Versions;

/// A field seen inside its message.
pub struct View<'a> {
    pub field: &'a Field,
    pub lazy: bool,
    /// In a response: records may be a gap that a file fills.
    pub response: bool,
    /// The versions in which the struct around it occurs.
    pub context: Versions,
}

impl View<'_> {
    fn nullable(&self) -> bool {
        !self.field.nullable.intersect(self.field.versions).intersect(self.context).is_empty()
    }

    /// Whether null is allowed, as a Rust expression over `v`.
    fn null_condition(&self) -> Condition {
        self.field.nullable.condition(self.context.intersect(self.field.versions))
    }

    fn scalar(&self) -> Option<&'static str> {
        Some(match self.field.ty.as_str() {
            "bool" => "bool",
            "int8" => "i8",
            "int16" => "i16",
            "uint16" => "u16",
            "int32" => "i32",
            "uint32" => "u32",
            "int64" => "i64",
            "float64" => "f64",
            "uuid" => "Uuid",
            _ => return None,
        })
    }

    /// The type without array and null.
    fn element(&self) -> &str {
        match self.field.ty.as_str() {
            "string" => "Str",
            "bytes" => "Bytes",
            "records" if self.response => "Records",
            "records" => "Bytes",
            other => self.scalar().unwrap_or(other),
        }
    }

    /// The field's Rust type.
    pub fn rust_type(&self) -> String {
        let inner = match (self.field.array, self.lazy) {
            (true, true) => format!("Array<{}>", self.element()),
            (true, false) => format!("Vec<{}>", self.element()),
            (false, _) => self.element().to_string(),
        };
        if self.nullable() { format!("Option<{inner}>") } else { inner }
    }

    /// The schema's default; `None` where it is what `Default` gives for the Rust type.
    pub fn special_default(&self) -> Option<String> {
        let given = self.field.default.as_deref();
        if self.nullable() {
            // Kafka: without a written default a nullable field is empty; only records begin as null. Ours begin
            // empty in responses too, because librdkafka refuses null there.
            return match given {
                Some("null") => None,
                None if self.field.ty == "records" && !self.response => None,
                _ => Some("Some(Default::default())".to_string()),
            };
        }
        match (given?, self.field.ty.as_str()) {
            ("\"\"", "string") | ("false", "bool") | ("0", _) => None,
            (value, _) => Some(if value == "-2147483648" { "i32::MIN".into() } else { value.to_string() }),
        }
    }

    /// The default as an expression.
    pub fn default(&self) -> String {
        self.special_default().unwrap_or_else(|| {
            if self.nullable() {
                return "None".to_string();
            }
            match self.scalar() {
                _ if self.field.array => format!("{}::new()", if self.lazy { "Array" } else { "Vec" }),
                Some("bool") => "false".to_string(),
                Some("Uuid") => "Uuid::ZERO".to_string(),
                Some("f64") => "0.0".to_string(),
                Some(_) => "0".to_string(),
                None if self.field.is_struct() => format!("{}::default()", self.field.ty),
                None => format!("{}::new()", self.element()),
            }
        })
    }

    /// True where the value `place` differs from the default.
    pub fn differs(&self, place: &str) -> String {
        if self.nullable() {
            return match self.special_default() {
                None => format!("{place}.is_some()"),
                Some(_) if self.field.is_struct() && !self.field.array => format!("{place} != {}", self.default()),
                Some(_) => format!("{place}.as_ref().is_none_or(|it| !it.is_empty())"),
            };
        }
        match self.scalar() {
            _ if self.field.array => format!("!{place}.is_empty()"),
            Some("bool") if self.default() == "true" => format!("!{place}"),
            Some("bool") => place.to_string(),
            Some(_) => format!("{place} != {}", self.default()),
            None if self.field.is_struct() => format!("{place} != {}", self.default()),
            None => format!("!{place}.is_empty()"),
        }
    }

    /// The name shared by the decoder's and the encoder's method for this type.
    fn method(&self) -> String {
        let base = match self.field.ty.as_str() {
            _ if self.field.array && self.lazy => "lazy",
            _ if self.field.array => "vec",
            "string" => "str",
            "bytes" => "bytes",
            "records" => "records",
            // Kafka marks the null of a tagged struct by a varint, not by a byte.
            _ if self.field.is_struct() && self.nullable() && self.field.tag.is_some() => "tagged_structure",
            _ if self.field.is_struct() => "structure",
            _ => return self.element().to_ascii_lowercase(),
        };
        let base = match base {
            "records" if !self.response => "bytes",
            other => other,
        };
        let classic = if self.field.classic { "classic_" } else { "" };
        let option = if self.nullable() { "opt_" } else { "" };
        format!("{option}{classic}{base}")
    }

    /// True where writing cannot fail.
    pub fn infallible(&self) -> bool {
        self.scalar().is_some() && !self.field.array
    }

    fn versioned(&self) -> bool {
        self.field.array || self.field.is_struct()
    }

    /// The expression that reads the field from `d`.
    pub fn read(&self) -> String {
        let mut arguments = Vec::new();
        if self.versioned() {
            arguments.push("v".to_string());
        }
        if self.nullable() {
            arguments.push(self.null_condition().text().to_string());
        }
        format!("d.{}({})?", self.method(), arguments.join(", "))
    }

    /// The expression that writes `place` to `e`, a `Result`.
    pub fn write(&self, place: &str) -> String {
        let by_value = self.scalar().is_some() && !self.field.array;
        let mut arguments = vec![if by_value { place.to_string() } else { format!("&{place}") }];
        if self.versioned() {
            arguments.push("v".to_string());
        }
        if self.nullable() {
            arguments.push(self.null_condition().text().to_string());
        }
        format!("e.{}({})", self.method(), arguments.join(", "))
    }

    /// The fewest bytes of the field in any version in which the struct around it occurs.
    pub fn min_size(&self, flexible: bool, struct_size: impl Fn(&str) -> usize) -> usize {
        let prefix = |classic: usize| if flexible && !self.field.classic { 1 } else { classic };
        match self.field.ty.as_str() {
            _ if self.field.array => prefix(4),
            "bool" | "int8" => 1,
            "int16" | "uint16" => 2,
            "int32" | "uint32" => 4,
            "int64" | "float64" => 8,
            "uuid" => 16,
            "string" => prefix(2),
            "bytes" | "records" => prefix(4),
            _ if self.nullable() => 1,
            name => struct_size(name),
        }
    }
}
