//! Writes the enum of API keys with their names and header versions.

use std::fmt::Write;

use super::schema::Message;

/// The text of `api_keys.rs`.
pub fn emit(messages: &[Message]) -> String {
    let mut requests: Vec<&Message> = messages.iter().filter(|m| m.kind == "request").collect();
    requests.sort_by_key(|m| m.key);
    let name = |m: &Message| m.name.strip_suffix("Request").expect("a request's name ends in Request").to_string();
    let mut out = String::from(
        "/// Every API key that has a request in the schema, under Kafka's own name.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(i16)]\npub enum ApiKey {\n",
    );
    for m in &requests {
        let _ = writeln!(out, "    /// `{}`, key {}.\n    {} = {},", m.name, m.key, name(m), m.key);
    }
    out.push_str("}\n\n/// All keys, ascending: key, name, lowest and highest version, first flexible version.\n");
    out.push_str("const TABLE: &[Row] = &[\n");
    for m in &requests {
        let flexible = if m.flexible.is_empty() { "i16::MAX".to_string() } else { m.flexible.low.to_string() };
        let name = name(m);
        let _ = writeln!(
            out,
            "    Row {{ key: ApiKey::{name}, name: \"{name}\", low: {}, high: {}, flexible: {flexible} }},",
            m.versions.low, m.versions.high
        );
    }
    out.push_str("];\n");
    out
}
