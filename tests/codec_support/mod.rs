//! Random messages as bytes, written straight from the schema: a second reading of it that shares no line with the
//! generated encoder. A tagged field that has its default is left out, as every Kafka encoder does.

#[path = "../../src/protocol/codegen/schema.rs"]
pub mod schema;
#[path = "../../src/protocol/codegen/versions.rs"]
mod versions;

use corelog::base::varint::put_u32;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schema::{Field, Message};

/// All messages of the schema.
pub fn messages() -> Vec<Message> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/protocol/schema");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| schema::parse(&std::fs::read_to_string(file).unwrap())).collect()
}

/// The seed of this run: `CORELOG_SEED`, or a new one; printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let seed = std::env::var("CORELOG_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("CORELOG_SEED={seed}");
    seed
}

/// `request FetchRequest v13`.
pub fn label(message: &Message, version: i16) -> String {
    format!("{} {} v{version}", message.kind, message.name)
}

/// A generator for what a label names, independent of the others.
pub fn rng(seed: u64, label: &str) -> StdRng {
    let mixed = label.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    StdRng::seed_from_u64(mixed)
}

/// A random message in its only encoding.
pub fn random_bytes(message: &Message, version: i16, rng: &mut StdRng) -> Vec<u8> {
    let flexible = message.flexible.contains(version);
    let mut writer = Writer { message, version, flexible, rng };
    let mut out = Vec::new();
    writer.fields(&message.fields, &mut out);
    out
}

struct Writer<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    rng: &'a mut StdRng,
}

impl Writer<'_> {
    fn fields(&mut self, fields: &[Field], out: &mut Vec<u8>) {
        let present: Vec<&Field> = fields.iter().filter(|field| field.versions.contains(self.version)).collect();
        for field in present.iter().filter(|field| field.tag.is_none()) {
            self.field(field, out);
        }
        if self.flexible {
            self.tags(&present, out);
        }
    }

    fn tags(&mut self, present: &[&Field], out: &mut Vec<u8>) {
        let mut tagged: Vec<&&Field> = present.iter().filter(|field| field.tag.is_some()).collect();
        tagged.sort_by_key(|field| field.tag);
        let mut values = Vec::new();
        for field in tagged {
            let (mut value, mut default) = (Vec::new(), Vec::new());
            self.field(field, &mut value);
            self.default(field, &mut default);
            if value != default && self.rng.random_bool(0.7) {
                values.push((field.tag.unwrap(), value));
            }
        }
        put_u32(out, values.len() as u32);
        for (tag, value) in values {
            put_u32(out, tag);
            put_u32(out, value.len() as u32);
            out.extend(value);
        }
    }

    fn field(&mut self, field: &Field, out: &mut Vec<u8>) {
        let null = field.nullable.contains(self.version) && self.rng.random_bool(0.25);
        if null {
            return self.null(field, out);
        }
        if field.array {
            let count = self.rng.random_range(0..4);
            self.long_length(count, out);
            for _ in 0..count {
                self.value(field, out);
            }
        } else {
            if field.is_struct() && field.nullable.contains(self.version) {
                out.push(1);
            }
            self.value(field, out);
        }
    }

    fn null(&mut self, field: &Field, out: &mut Vec<u8>) {
        match field.ty.as_str() {
            _ if field.is_struct() && !field.array => out.push(if field.tag.is_some() { 0 } else { 0xff }),
            _ if self.flexible && !field.classic => out.push(0),
            "string" if !field.array => out.extend([0xff; 2]),
            _ => out.extend([0xff; 4]),
        }
    }

    fn long_length(&mut self, length: usize, out: &mut Vec<u8>) {
        if self.flexible { put_u32(out, length as u32 + 1) } else { out.extend((length as i32).to_be_bytes()) }
    }

    fn value(&mut self, field: &Field, out: &mut Vec<u8>) {
        match field.ty.as_str() {
            "bool" => out.push(self.rng.random_range(0..2)),
            "int8" => out.extend((self.number() as i8).to_be_bytes()),
            // The control records repeat their own version in the first field.
            "int16" if field.name == "Version" => out.extend(self.version.to_be_bytes()),
            "int16" | "uint16" => out.extend((self.number() as i16).to_be_bytes()),
            "int32" | "uint32" => out.extend((self.number() as i32).to_be_bytes()),
            "int64" => out.extend(self.number().to_be_bytes()),
            "float64" => out.extend((self.number() as f64 / 3.0).to_be_bytes()),
            "uuid" => {
                let zero = self.rng.random_bool(0.2);
                out.extend(if zero { [0; 16] } else { self.rng.random::<[u8; 16]>() });
            }
            "string" => {
                let text: String = (0..self.size())
                    .map(|_| ['a', 'Z', '0', '-', '.', 'ß', '語', '🦀'][self.rng.random_range(0..8)])
                    .collect();
                if self.flexible && !field.classic {
                    put_u32(out, text.len() as u32 + 1);
                } else {
                    out.extend((text.len() as i16).to_be_bytes());
                }
                out.extend(text.as_bytes());
            }
            "bytes" | "records" => {
                let length = self.size();
                self.long_length(length, out);
                out.extend((0..length).map(|_| self.rng.random::<u8>()));
            }
            name => {
                let message = self.message;
                let shared = message.shared.iter().find(|it| it.name == name);
                let fields = if field.fields.is_empty() { shared.map(|it| &it.fields) } else { Some(&field.fields) };
                self.fields(fields.unwrap_or_else(|| panic!("struct {name}")), out);
            }
        }
    }

    /// Small numbers and the edges of every width come often.
    fn number(&mut self) -> i64 {
        match self.rng.random_range(0..4) {
            0 => self.rng.random_range(-2..4),
            1 => [i64::MAX, i64::MIN, 0x7fff, 0x7fff_ffff, 0xff][self.rng.random_range(0..5)],
            _ => self.rng.random(),
        }
    }

    fn size(&mut self) -> usize {
        if self.rng.random_bool(0.05) { self.rng.random_range(100..3000) } else { self.rng.random_range(0..12) }
    }

    fn default(&mut self, field: &Field, out: &mut Vec<u8>) {
        let given = field.default.as_deref();
        if given == Some("null") {
            return self.null(field, out);
        }
        let number = |text: &str| match text {
            "true" => 1,
            "false" => 0,
            text => text.parse::<i64>().unwrap(),
        };
        let value = given.filter(|text| *text != "\"\"").map_or(0, number);
        match field.ty.as_str() {
            _ if field.array => self.long_length(0, out),
            "string" if !self.flexible || field.classic => out.extend([0; 2]),
            "string" | "bytes" | "records" => self.long_length(0, out),
            "bool" | "int8" => out.push(value as u8),
            "int16" | "uint16" => out.extend((value as i16).to_be_bytes()),
            "int32" | "uint32" => out.extend((value as i32).to_be_bytes()),
            "int64" => out.extend(value.to_be_bytes()),
            "float64" => out.extend((value as f64).to_be_bytes()),
            "uuid" => out.extend([0; 16]),
            name => {
                if field.nullable.contains(self.version) {
                    out.push(1);
                }
                let message = self.message;
                let shared = message.shared.iter().find(|it| it.name == name);
                let fields = if field.fields.is_empty() { &shared.unwrap().fields } else { &field.fields };
                for inner in fields.iter().filter(|inner| inner.tag.is_none()) {
                    if inner.versions.contains(self.version) {
                        self.default(inner, out);
                    }
                }
                if self.flexible {
                    out.push(0);
                }
            }
        }
    }
}
