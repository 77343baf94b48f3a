//! The tables of known keys: Kafka's broker, topic and group configurations, and corelog's own.

use super::value::{ConfigType, Valid, Value, parse};
use std::sync::OnceLock;

/// What corelog does with a broker key that somebody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It takes effect.
    Acts,
    /// It takes effect, and is shown to nobody, as Kafka hides it.
    Internal,
    /// Known, but without effect yet: named in one warning at start.
    Later,
    /// It guards something that corelog cannot guard yet: setting it refuses the start.
    Guard,
}

/// One known key.
#[derive(Clone, Debug)]
pub struct KeyDef {
    /// The key.
    pub name: &'static str,
    /// The type of its values.
    pub kind: ConfigType,
    /// The default as text; `None` where there is none.
    pub default: Option<&'static str>,
    /// Which values are allowed.
    pub valid: Valid,
    /// The rule as the table writes it, for messages; may be empty.
    pub rule: &'static str,
    /// What is done with it; topic and group keys are all stored and described.
    pub treatment: Treatment,
}

impl KeyDef {
    /// Reads `text` as a value of this key. The error names the key, the value and what is allowed;
    /// a password's value is not shown.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        if self.has_empty_element(text) {
            return Err(format!("Configuration '{}' values must not be empty.", self.name));
        }
        parse(self.kind, &self.valid, text).map_err(|reason| {
            let shown = if self.sensitive() { "[hidden]" } else { self.first_wrong(text) };
            format!("Invalid value {shown} for configuration {}: {reason}", self.name)
        })
    }

    /// `ConfigDef.ValidList`: between commas there has to be a name.
    fn has_empty_element(&self, text: &str) -> bool {
        let named = self.kind == ConfigType::List && matches!(self.valid, Valid::OneOf { .. });
        named && !text.trim().is_empty() && text.split(',').any(|element| element.trim().is_empty())
    }

    /// What of `text`, which is not allowed, is told of: of a list of names the first that is none.
    fn first_wrong<'t>(&self, text: &'t str) -> &'t str {
        let named = self.kind == ConfigType::List && matches!(self.valid, Valid::OneOf { .. });
        let wrong = |element: &&str| parse(self.kind, &self.valid, element).is_err();
        text.split(',').map(str::trim).filter(|_| named).find(wrong).unwrap_or(text)
    }

    /// The default as a value.
    pub fn default_value(&self) -> Value {
        match self.default {
            // A default outside its own rule is one that counts as "not set", as in Kafka.
            Some(text) => parse(self.kind, &Valid::Any, text).unwrap_or(Value::Null),
            None => Value::Null,
        }
    }

    /// True for values that no request may show.
    pub fn sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }
}

/// A table of known keys, sorted by name.
#[derive(Debug)]
pub struct Table(Vec<KeyDef>);

impl Table {
    /// The broker's keys, corelog's own among them.
    pub fn broker() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::read(include_str!("broker_configs.tsv")))
    }

    /// The topic-level keys.
    pub fn topic() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::read(include_str!("topic_configs.tsv")))
    }

    /// The group-level keys.
    pub fn group() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::read(include_str!("group_configs.tsv")))
    }

    /// The keys of client metrics resources.
    pub fn client_metrics() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::read(include_str!("client_metrics_configs.tsv")))
    }

    fn read(text: &'static str) -> Self {
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        Self(rows.filter_map(key_def).collect())
    }

    /// The key's place in the table.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|key| key.name.cmp(name)).ok()
    }

    /// The key by name.
    pub fn get(&self, name: &str) -> Option<&KeyDef> {
        self.index(name).and_then(|at| self.0.get(at))
    }

    /// All keys, sorted by name.
    pub fn keys(&self) -> &[KeyDef] {
        &self.0
    }
}

fn key_def(row: &'static str) -> Option<KeyDef> {
    let mut fields = row.split('\t');
    let name = fields.next()?;
    let kind = ConfigType::by_name(fields.next()?)?;
    let default = fields.next().filter(|text| !matches!(*text, "null" | "(required)"));
    let rule = fields.next().unwrap_or_default();
    let treatment = match fields.next() {
        Some("later") => Treatment::Later,
        Some("guard") => Treatment::Guard,
        Some("internal") => Treatment::Internal,
        _ => Treatment::Acts,
    };
    Some(KeyDef { name, kind, default, valid: Valid::parse(rule), rule, treatment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_read() {
        for (table, text) in [
            (Table::broker(), include_str!("broker_configs.tsv")),
            (Table::topic(), include_str!("topic_configs.tsv")),
            (Table::group(), include_str!("group_configs.tsv")),
        ] {
            let rows: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
            assert_eq!(table.keys().len(), rows.len());
            for row in rows {
                let name = row.split('\t').next().unwrap();
                assert_eq!(table.get(name).map(|key| key.name), Some(name), "sorted and found");
            }
        }
    }

    #[test]
    fn every_default_has_its_keys_type_and_range() {
        // These defaults stand for "nothing given", which the rule itself does not allow.
        let unset = ["controller.quorum.bootstrap.servers", "controller.quorum.voters"];
        for key in Table::broker().keys().iter().chain(Table::topic().keys()).chain(Table::group().keys()) {
            if let Some(text) = key.default.filter(|_| !unset.contains(&key.name)) {
                assert!(key.parse(text).is_ok(), "{} = {text}", key.name);
            }
        }
    }

    #[test]
    fn every_rule_but_free_text_is_understood() {
        for key in Table::broker().keys().iter().chain(Table::topic().keys()).chain(Table::group().keys()) {
            let free = matches!(key.rule, "" | "non-null string" | "non-empty list");
            assert_eq!(key.valid == Valid::Any, free, "{}: {}", key.name, key.rule);
        }
    }

    #[test]
    fn a_wrong_value_is_told_with_key_value_and_range_but_no_password() {
        let told = Table::broker().get("num.partitions").unwrap().parse("0").unwrap_err();
        assert_eq!(told, "Invalid value 0 for configuration num.partitions: Value must be at least 1");
        let key = KeyDef {
            name: "secret",
            kind: ConfigType::Password,
            default: None,
            valid: Valid::NonEmpty,
            rule: "",
            treatment: Treatment::Guard,
        };
        assert!(!key.parse("").unwrap_err().contains("\"\""));
    }
}
