//! Writes the shapes of the records, for what reads them without knowing their types (`protocol::shape`).

use std::fmt::Write;

use super::schema::{Field, Message};
use super::versions::Versions;

/// Requests and responses are left out: nobody prints them by their shape.
const KINDS: [&str; 5] = ["coordinator-key", "coordinator-value", "data", "metadata", "remote-log"];

/// The text of `shapes.rs`.
pub fn emit(messages: &[Message]) -> String {
    let mut out = String::from("/// The records of the schema, by name.\npub const SHAPES: &[Shape] = &[\n");
    for message in messages.iter().filter(|message| KINDS.contains(&message.kind.as_str())) {
        let kind: String = message.kind.split('-').map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
        let flexible = if message.flexible.is_empty() { i16::MAX } else { message.flexible.low };
        let _ = writeln!(
            out,
            "    Shape {{ kind: MessageKind::{kind}, name: \"{}\", key: {}, versions: {}, flexible: {flexible}, fields: {} }},",
            message.name,
            message.key,
            range(message.versions),
            fields(&message.fields, &message.shared)
        );
    }
    out.push_str("];\n");
    out
}

fn fields(fields: &[Field], shared: &[Field]) -> String {
    let one = |field: &Field| {
        let tag = field.tag.map_or("None".to_string(), |tag| format!("Some({tag})"));
        format!(
            "Field {{ name: \"{}\", kind: {}, array: {}, versions: {}, nullable: {}, tag: {tag} }}",
            field.name[..1].to_ascii_lowercase() + &field.name[1..],
            kind(field, shared),
            field.array,
            range(field.versions),
            range(field.nullable),
        )
    };
    format!("&[{}]", fields.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn kind(field: &Field, shared: &[Field]) -> String {
    if field.is_struct() {
        let declared = match shared.iter().find(|it| it.name == field.ty) {
            Some(it) if field.fields.is_empty() => &it.fields,
            _ => &field.fields,
        };
        return format!("Kind::Struct({})", self::fields(declared, shared));
    }
    let name = match field.ty.as_str() {
        "records" => "bytes",
        other => other,
    };
    format!("Kind::{}", name[..1].to_ascii_uppercase() + &name[1..])
}

fn range(versions: Versions) -> String {
    format!("({}, {})", versions.low, versions.high)
}
