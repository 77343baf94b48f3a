//! Generates the wire codec from `src/protocol/schema`.

#[path = "src/protocol/codegen/mod.rs"]
mod codegen;

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/protocol/codegen");
    println!("cargo::rerun-if-changed=src/protocol/schema");
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("CARGO_MANIFEST_DIR");
    let out = std::env::var("OUT_DIR").expect("OUT_DIR");
    codegen::generate(&Path::new(&root).join("src/protocol/schema"), Path::new(&out));
}
