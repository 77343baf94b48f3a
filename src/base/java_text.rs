//! Java's way to make a string of bytes that may be no UTF-8.

/// `new String(bytes, UTF_8)`: what is no UTF-8 becomes U+FFFD, a surrogate that was encoded by itself one for all of it
/// (Rust's own `from_utf8_lossy` gives one for each of its bytes).
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    // How many bytes may still belong to the surrogate that an 0xED began.
    let mut of_surrogate = 0;
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            text.push_str(chunk.valid());
            of_surrogate = 0;
        }
        of_surrogate = match (chunk.invalid(), of_surrogate) {
            ([], _) => 0,
            ([0xA0..=0xBF], 2) => 1,
            ([0x80..=0xBF], 1) => 0,
            (other, _) => {
                text.push(char::REPLACEMENT_CHARACTER);
                if other == [0xED] { 2 } else { 0 }
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line as Java 17 answers.
    #[test]
    fn replacements_are_as_many_as_javas() {
        let table: [(&[u8], &str); 17] = [
            (&[0x61, 0xED, 0xA0, 0x80, 0x62], "a?b"),
            (&[0xED, 0xA0, 0x41], "?A"),
            (&[0xED, 0xA0], "?"),
            (&[0xED], "?"),
            (&[0xED, 0xED, 0xA0, 0x80], "??"),
            (&[0xED, 0xA0, 0x80, 0x80], "??"),
            (&[0xED, 0x41], "?A"),
            (&[0xE0, 0x80, 0x80], "???"),
            (&[0xF0, 0x80, 0x80, 0x80], "????"),
            (&[0xF4, 0x90, 0x80, 0x80], "????"),
            (&[0xF5, 0x80], "??"),
            (&[0xE1, 0x80], "?"),
            (&[0xF1, 0x80, 0x80], "?"),
            (&[0xED, 0xBF, 0xBF, 0xED, 0xBF], "??"),
            (&[0xC0, 0x80], "??"),
            (&[0xFF, 0xC3, 0xA9, 0xC3], "?é?"),
            (&[0xED, 0xA0, 0xED, 0x80, 0x80], "?퀀"),
        ];
        for (bytes, java) in table {
            assert_eq!(decode(bytes).replace('\u{FFFD}', "?"), java, "{bytes:x?}");
        }
    }
}
