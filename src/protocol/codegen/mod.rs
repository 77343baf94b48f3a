//! The generator of the wire codec, run by build.rs: schema text in, Rust out.
//! A schema that does not parse stops the build with the line; nothing here runs in the broker.

mod api_keys;
mod conditions;
mod emit;
mod names;
mod schema;
mod shapes;
mod types;
mod versions;

use std::path::Path;

/// Reads every `*.schema` in `schema_dir` and writes `messages.rs`, `api_keys.rs` and `shapes.rs` to `out_dir`.
pub fn generate(schema_dir: &Path, out_dir: &Path) {
    let mut files: Vec<_> =
        std::fs::read_dir(schema_dir).expect("schema dir").map(|e| e.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "schema"));
    files.sort();
    let mut messages = Vec::new();
    for file in &files {
        messages.extend(schema::parse(&std::fs::read_to_string(file).expect("schema file")));
    }
    messages.sort_by(|a, b| a.name.cmp(&b.name));
    std::fs::write(out_dir.join("messages.rs"), emit::messages(&messages)).expect("write messages.rs");
    std::fs::write(out_dir.join("api_keys.rs"), api_keys::emit(&messages)).expect("write api_keys.rs");
    std::fs::write(out_dir.join("shapes.rs"), shapes::emit(&messages)).expect("write shapes.rs");
}
