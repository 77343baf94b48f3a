//! Running the binary and the scripts as a user would, each in a directory of its own.

use std::path::Path;
use std::process::{Command, Stdio};

/// The binary under test.
pub const CORELOG: &str = env!("CARGO_BIN_EXE_corelog");

/// What a program that ended said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a program to its end in `dir`, with the binary under test for the scripts.
pub fn run(program: impl AsRef<Path>, arguments: &[&str], dir: &Path) -> Said {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(dir).env("CORELOG_BIN", CORELOG);
    said(command)
}

/// Runs a prepared command to its end.
pub fn said(mut command: Command) -> Said {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
}

/// The value of a key in a `meta.properties`.
pub fn meta(dir: &Path, key: &str) -> String {
    let text = std::fs::read_to_string(dir.join("meta.properties")).expect("a formatted directory");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).to_owned()
}
