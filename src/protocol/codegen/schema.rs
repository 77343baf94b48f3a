//! Reads the compact message schema (format: docs/PROTOCOL.md).

use super::versions::Versions;

/// One message: a request, a response, a header or a record.
pub struct Message {
    pub kind: String,
    pub name: String,
    /// API key or record type; -1 where the message has none.
    pub key: i16,
    pub versions: Versions,
    pub flexible: Versions,
    /// Arrays become `Array<T>`: checked when decoded, read again when iterated, never allocated.
    pub lazy: bool,
    pub fields: Vec<Field>,
    /// Structs that several fields share.
    pub shared: Vec<Field>,
}

/// A field, or the declaration of a shared struct (then only name, versions and fields count).
pub struct Field {
    pub name: String,
    pub ty: String,
    pub array: bool,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub default: Option<String>,
    pub ignorable: bool,
    /// Never in the flexible form (the client id of a request header).
    pub classic: bool,
    pub fields: Vec<Field>,
}

impl Field {
    /// True for a struct type, declared here or shared.
    pub fn is_struct(&self) -> bool {
        self.ty.starts_with(|c: char| c.is_ascii_uppercase())
    }
}

/// All messages of one schema file.
pub fn parse(text: &str) -> Vec<Message> {
    let lines: Vec<(usize, &str)> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| (line.len() - line.trim_start().len(), line.trim()))
        .collect();
    let mut rest = &lines[..];
    let mut messages = Vec::new();
    while let Some((&(_, head), after)) = rest.split_first() {
        rest = after;
        let mut message = parse_head(head);
        for field in parse_fields(&mut rest, 2) {
            if field.ty.is_empty() { message.shared.push(field) } else { message.fields.push(field) }
        }
        messages.push(message);
    }
    messages
}

fn parse_head(line: &str) -> Message {
    let mut words = line.split_whitespace();
    let kind = words.next().expect("kind").to_string();
    let name = words.next().expect("name").to_string();
    let mut message = Message {
        kind,
        name,
        key: -1,
        versions: Versions::NONE,
        flexible: Versions::NONE,
        lazy: false,
        fields: Vec::new(),
        shared: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some(("key", key)) => message.key = key.parse().expect(line),
            Some(("versions", range)) => message.versions = Versions::parse(range),
            Some(("flexible", range)) => message.flexible = Versions::parse(range),
            None if word == "lazy" => message.lazy = true,
            _ => panic!("unknown word {word} in {line}"),
        }
    }
    message
}

fn parse_fields(rest: &mut &[(usize, &str)], indent: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some((&(at, line), after)) = rest.split_first() {
        if at < indent {
            break;
        }
        assert!(at == indent, "indentation of: {line}");
        *rest = after;
        let mut field = parse_field(line);
        field.fields = parse_fields(rest, indent + 2);
        fields.push(field);
    }
    fields
}

fn parse_field(line: &str) -> Field {
    let mut words = line.split_whitespace();
    let first = words.next().expect("name");
    let (name, ty) = match first {
        "struct" => (words.next().expect(line), ""),
        name => (name.strip_suffix(':').expect(line), words.next().expect(line)),
    };
    let mut field = Field {
        name: name.to_string(),
        ty: ty.trim_start_matches("[]").to_string(),
        array: ty.starts_with("[]"),
        versions: Versions::parse(words.next().expect(line)),
        nullable: Versions::NONE,
        tag: None,
        default: None,
        ignorable: false,
        classic: false,
        fields: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some(("null", range)) => field.nullable = Versions::parse(range),
            Some(("tag", tag)) => {
                let (tag, versions) = tag.split_once('@').expect(line);
                assert!(Versions::parse(versions) == field.versions, "partly tagged: {line}");
                field.tag = Some(tag.parse().expect(line));
            }
            Some(("default", value)) => field.default = Some(value.to_string()),
            Some(("flexible", "none")) => field.classic = true,
            None if word == "ignorable" => field.ignorable = true,
            _ => panic!("unknown word {word} in {line}"),
        }
    }
    field
}
