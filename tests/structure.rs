//! The structure of the source, as `src/lib.rs` draws it, is kept: imports point down, `unsafe` and system
//! calls stand only in `ring`, and no file grows over 800 lines.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 800;

/// What only `ring` may name, outside of tests: system calls, clocks, threads and the runtime.
const ONLY_IN_RING: &[&str] = &[
    "std::fs",
    "libc::",
    "nix::",
    "io_uring::",
    "glommio::",
    "core_affinity::",
    "Instant::now",
    "SystemTime::now",
    "UNIX_EPOCH",
    "thread::spawn",
    "thread::sleep",
    "process::Command",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "OpenOptions",
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The top-level module the file belongs to: `src/log/segment.rs` to `log`.
    fn module(&self) -> String {
        let below = self.path.strip_prefix("src").unwrap_or(&self.path);
        let first = below.iter().next().unwrap_or_default().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    /// The text without comments, strings, and what is compiled for tests only.
    fn code(&self) -> String {
        without_tests(&without_comments_and_strings(&self.text))
    }
}

/// All files under `src/`, but those that only tests compile.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(&root.join("src"), &mut found);
    let mut sources: Vec<Source> = found
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).expect("a readable source file"),
            path: path.strip_prefix(root).expect("below the root").to_owned(),
        })
        .collect();
    let for_tests: Vec<PathBuf> = sources.iter().flat_map(|source| test_modules(source)).collect();
    // The code generator runs inside build.rs and is no part of the broker.
    sources.retain(|source| !source.path.starts_with("src/protocol/codegen"));
    sources.retain(|source| !for_tests.iter().any(|path| source.path.starts_with(path)));
    assert!(sources.len() > 10, "src/ was not found");
    sources
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Files and directories of modules declared `#[cfg(test)] mod name;`.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let code = without_comments_and_strings(&source.text);
    let stem = source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parent = source.path.parent().expect("a file has a parent");
    let below = if matches!(stem.as_str(), "mod" | "lib" | "main") { parent.to_owned() } else { parent.join(stem) };
    code.split("#[cfg(test)]")
        .skip(1)
        .filter_map(|rest| {
            let (head, _) = rest.split_once(';')?;
            let name = head.trim().trim_start_matches("pub(crate) ").strip_prefix("mod ")?;
            (!name.contains('{')).then(|| below.join(name.trim()))
        })
        .flat_map(|module| [module.with_extension("rs"), module])
        .collect()
}

/// Comments and the contents of string and character literals become spaces; line breaks stay.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if rest.starts_with('"') {
            quoted(rest, b'"')
        } else if rest.starts_with('\'') && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            quoted(rest, b'\'')
        } else {
            let next = rest.chars().next().expect("not at the end");
            code.push(next);
            at += next.len_utf8();
            continue;
        };
        code.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        at += skipped;
    }
    code
}

/// The length of a raw string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let open = rest.len() - after.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len()))
}

/// The length of a literal that begins here and ends with an unescaped `quote`.
fn quoted(rest: &str, quote: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Blanks the item after each `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        let end = item_length(after);
        kept.extend(after[..end].chars().filter(|&c| c == '\n'));
        rest = &after[end..];
    }
    kept + rest
}

/// The length of the item that begins here: to its closing brace, or to a semicolon before any brace.
fn item_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The first names of the paths that begin with `crate::`, also those of `crate::{a::x, b}`.
fn imports(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.extend(first_name(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut begin = 0;
                for (position, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            found.extend(first_name(group[begin..position].trim_start()));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.extend(first_name(group[begin..position].trim_start()));
                            begin = position + 1;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn first_name(path: &str) -> Option<&str> {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    (end > 0).then_some(&path[..end])
}

/// Whether `word` stands in the code as a whole word.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_name)
            && !(word.ends_with(part_of_name) && line[at + word.len()..].starts_with(part_of_name))
    })
}

/// The modules from the bottom up: the map in the documentation of `src/lib.rs`.
fn layers() -> Vec<String> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let map =
        lib.split("//! ```text").nth(1).and_then(|rest| rest.split("//! ```").next()).expect("a map in src/lib.rs");
    map.lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// `path: what` for each import of a module above the importing one.
fn imports_that_point_up(sources: &[Source], layers: &[String]) -> Vec<String> {
    let layer = |module: &str| layers.iter().position(|name| name == module);
    let mut wrong = Vec::new();
    for source in sources {
        let Some(own) = layer(&source.module()) else { continue };
        for name in imports(&source.code()) {
            if layer(name).is_some_and(|used| used > own) {
                wrong.push(format!("{}: crate::{name}", source.path.display()));
            }
        }
    }
    wrong
}

/// `path:line: what` for each use of something that only `ring` may name.
fn uses_outside_ring(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.module() != "ring") {
        for (number, line) in source.code().lines().enumerate() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                wrong.push(format!("{}:{}: {word}", source.path.display(), number + 1));
            }
        }
    }
    wrong
}

#[test]
fn the_map_in_lib_rs_names_every_module() {
    let layers = layers();
    for source in sources() {
        let module = source.module();
        assert!(
            matches!(module.as_str(), "lib" | "main") || layers.contains(&module),
            "{module} is not in src/lib.rs's map"
        );
    }
}

#[test]
fn imports_point_down() {
    let wrong = imports_that_point_up(&sources(), &layers());
    assert!(wrong.is_empty(), "imports that point up:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_tools_ask_brokers_as_a_client() {
    for source in sources().iter().filter(|source| !matches!(source.module().as_str(), "client" | "commands")) {
        let code = source.code();
        let used: Vec<_> = imports(&code).into_iter().filter(|name| matches!(*name, "client" | "commands")).collect();
        assert!(used.is_empty(), "{}: {used:?}", source.path.display());
    }
}

#[test]
fn unsafe_stands_only_in_ring() {
    let wrong = uses_outside_ring(&sources(), &["unsafe"]);
    assert!(wrong.is_empty(), "unsafe outside src/ring:\n{}", wrong.join("\n"));
}

#[test]
fn system_calls_clocks_and_threads_stand_only_in_ring() {
    let wrong = uses_outside_ring(&sources(), ONLY_IN_RING);
    assert!(wrong.is_empty(), "outside src/ring:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_800_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "bench", "tests"] {
        collect(&root.join(directory), &mut files);
    }
    for path in files {
        let lines = fs::read_to_string(&path).expect("a readable source file").lines().count();
        assert!(lines <= LINES_MAX, "{}: {lines} lines", path.display());
    }
}

/// The checks above see what they must: planted violations are found, look-alikes are not.
#[test]
fn planted_violations_are_found_and_look_alikes_are_not() {
    let layers: Vec<String> = ["base", "ring", "log", "api"].map(String::from).to_vec();
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };

    let up = [
        source("src/log/segment.rs", "use crate::{base::Offset, api::{table, x}};"),
        source("src/base/mod.rs", "fn f() -> crate::log::Log { todo!() }"),
        source("src/api/table.rs", "use crate::log::Log; // and base"),
        source(
            "src/log/mod.rs",
            "// crate::api\nconst A: &str = \"crate::api\";\n#[cfg(test)]\nmod tests { use crate::api::x; }",
        ),
    ];
    assert_eq!(imports_that_point_up(&up, &layers), ["src/log/segment.rs: crate::api", "src/base/mod.rs: crate::log"]);

    let calls = [
        source("src/log/mod.rs", "let a = 'x'; let q = '\"'; fn f<'a>() {}\nlet t = std::time::Instant::now();"),
        source("src/log/b.rs", "#![forbid(unsafe_code)]\nlet r = r#\"unsafe \"#; unsafe { f() }"),
        source("src/ring/mod.rs", "unsafe { libc::close(1) }"),
        source(
            "src/log/c.rs",
            "#[cfg(test)]\nmod tests { fn f() { std::fs::read(\"x\"); } }\nlet x = std::fs::read(p);",
        ),
    ];
    assert_eq!(uses_outside_ring(&calls, &["unsafe"]), ["src/log/b.rs:2: unsafe"]);
    assert_eq!(uses_outside_ring(&calls, ONLY_IN_RING), ["src/log/mod.rs:2: Instant::now", "src/log/c.rs:3: std::fs"]);
}
