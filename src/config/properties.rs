//! Java's `.properties` format (`java.util.Properties.load`).

use std::collections::BTreeMap;

/// Reads a properties file. Later lines of a key win. UTF-8 where the bytes are that, else ISO-8859-1.
/// The error names the line of a bad `\u` escape.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let mut map = BTreeMap::new();
    for (number, line) in logical_lines(&text) {
        let (key, value) = split(&line);
        let read = |part: &str| unescape(part).ok_or_else(|| format!("line {number}: malformed \\uxxxx escape"));
        map.insert(read(key)?, read(value)?);
    }
    Ok(map)
}

/// Joins continued lines; drops blank lines and comments. Numbers count natural lines from 1.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    // "\r\n" gives one empty line more, which is dropped like any other.
    let mut number = 0;
    for natural in text.split_inclusive(['\n', '\r']) {
        let after_cr = natural == "\n" && number > 0 && text[..offset(text, natural)].ends_with('\r');
        if after_cr {
            continue;
        }
        number += 1;
        let natural = natural.trim_end_matches(['\n', '\r']).trim_start_matches(BLANK);
        // While nothing of a line was read, the next may still be a comment, also after a continuation.
        let (first, mut line) = match open.take().filter(|(_, begun)| !begun.is_empty()) {
            Some(begun) => begun,
            None if natural.is_empty() || natural.starts_with(['#', '!']) => continue,
            None => (number, String::new()),
        };
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            line.push_str(&natural[..natural.len() - 1]);
            open = Some((first, line));
        } else {
            line.push_str(natural);
            lines.push((first, line));
        }
    }
    // A backslash as the very last character still begins a line, as in Java.
    lines.extend(open.filter(|(_, line)| !line.is_empty() || text.ends_with('\\')));
    lines
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// Where `part`, a slice of `text`, begins in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Splits at the first unescaped `=`, `:` or blank; blanks round one `=` or `:` belong to neither side.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let found = !escaped && (matches!(c, '=' | ':') || BLANK.contains(c));
        escaped = *c == '\\' && !escaped;
        found
    });
    let Some((end, _)) = end else { return (line, "") };
    let rest = line[end..].trim_start_matches(BLANK);
    let value = rest.strip_prefix(['=', ':']).map_or(rest, |value| value.trim_start_matches(BLANK));
    (&line[..end], value)
}

fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            match chars.next() {
                None => break,
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| hex)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
            }
        } else {
            c
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap().into_iter().collect()
    }

    #[test]
    fn lines_are_read_as_java_reads_them() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("a=b", &[("a", "b")]),
            ("a = b ", &[("a", "b ")]),
            ("a:b", &[("a", "b")]),
            ("a b c", &[("a", "b c")]),
            ("a  :  b", &[("a", "b")]),
            ("a = = b", &[("a", "= b")]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=b", &[("", "b")]),
            ("  # note\n! note\n\n\t\n a=1", &[("a", "1")]),
            ("a=1\r\nb=2\rc=3", &[("a", "1"), ("b", "2"), ("c", "3")]),
            ("a=1,\\\n   2,\\\r\n\t3\nb=4", &[("a", "1,2,3"), ("b", "4")]),
            ("a=1\\\n# no comment", &[("a", "1# no comment")]),
            ("a=1\\\n\nb=2", &[("a", "1"), ("b", "2")]),
            ("a=c:\\\\d\\\\\nb=2", &[("a", "c:\\d\\"), ("b", "2")]),
            ("a=\\u0041\\u00e9\\uD83D\\uDE00", &[("a", "Aé😀")]),
            ("a\\ b\\=c\\:d=e", &[("a b=c:d", "e")]),
            ("a=\\t\\n\\r\\f\\q\\#", &[("a", "\t\n\r\u{c}q#")]),
            ("a=x\\", &[("a", "x")]),
            ("listeners=PLAINTEXT://[::1]:9092", &[("listeners", "PLAINTEXT://[::1]:9092")]),
            ("a=1\na=2", &[("a", "2")]),
            ("a=b#c", &[("a", "b#c")]),
            ("\u{feff}a=1", &[("a", "1")]),
            ("\\", &[("", "")]),
            ("\\\n", &[]),
        ];
        for (text, want) in table {
            let want: Vec<_> = want.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(read(text), want, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin1() {
        assert_eq!(parse(b"a=\xe9").unwrap()["a"], "é");
        assert_eq!(parse("a=é".as_bytes()).unwrap()["a"], "é");
    }

    #[test]
    fn a_bad_escape_names_its_line() {
        for bad in ["x=1\ny=\\u12", "x=1\ny=\\u12g4", "x=\\\n1\n", "# c\ny=\\u+123"] {
            let told = parse(bad.as_bytes());
            if bad.contains("\\u") {
                assert_eq!(told.unwrap_err(), "line 2: malformed \\uxxxx escape", "{bad:?}");
            } else {
                assert!(told.is_ok());
            }
        }
    }

    /// Random files of all that is special in the format.
    #[test]
    fn files_are_read_as_java_itself_read_them() {
        let rows = include_str!("testdata/properties.tsv").lines().filter(|line| !line.starts_with('#'));
        let mut read = 0;
        for row in rows {
            let (file, want) = row.split_once('\t').unwrap();
            let file = bytes(file);
            let shown = String::from_utf8_lossy(&file);
            match parse(&file) {
                Err(_) => assert_eq!(want, "!", "{shown:?}"),
                Ok(map) => {
                    let pairs = want.split(',').filter(|pair| !pair.is_empty());
                    let want: Vec<_> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "no error"))).collect();
                    let got: Vec<_> = map.iter().map(|(k, v)| (hex(k), hex(v))).collect();
                    let got: Vec<_> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                    assert_eq!(got, want, "{shown:?}");
                }
            }
            read += 1;
        }
        assert_eq!(read, 400);
    }

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }
}
