//! Names given as regular expressions (`org.apache.kafka.tools.filter.TopicFilter`).

use super::ToolError;
use regex::Regex;

/// A pattern that a whole name must match; a comma means "or".
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a list of expressions separated by commas, quotes and blanks left out.
    ///
    /// # Errors
    /// It is no regular expression, or one that needs what Java's have alone (look-around, back references).
    pub fn list(raw: &str) -> Result<Self, ToolError> {
        let quotes = ['"', '\''];
        let text = raw.trim().replace(',', "|").replace(' ', "");
        Self::whole(text.trim_start_matches(quotes).trim_end_matches(quotes))
    }

    /// One expression as it is.
    ///
    /// # Errors
    /// As of [`Self::list`].
    pub fn whole(text: &str) -> Result<Self, ToolError> {
        let read = Regex::new(&format!("^(?:{text})$"));
        read.map(Self).map_err(|_| ToolError::Failed(format!("{text} is an invalid regex.")))
    }

    /// Whether it fits the whole name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_match_whole_names() {
        let table = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a,b", "b", true),
            (" 'a.* , b\" ", "axx", true),
            ("a|b.c", "b.c", true),
            (".*", "", true),
        ];
        for (pattern, name, fits) in table {
            assert_eq!(Pattern::list(pattern).unwrap().matches(name), fits, "{pattern} {name}");
        }
        assert!(Pattern::list("a(").is_err());
    }
}
