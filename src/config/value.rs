//! A configuration value with its type, and the rule that says which values are allowed.

use super::share::ShareOffsetReset;

/// What kind of value a key takes (`org.apache.kafka.common.config.ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`, in any case.
    Boolean,
    /// Any text.
    String,
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Short,
    /// 64-bit integer.
    Long,
    /// Floating point.
    Double,
    /// Comma-separated texts.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

impl ConfigType {
    /// The type's number in DescribeConfigs (KIP-569).
    pub fn wire(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// The type by the name the tables use.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "BOOLEAN" => Self::Boolean,
            "STRING" => Self::String,
            "INT" => Self::Int,
            "SHORT" => Self::Short,
            "LONG" => Self::Long,
            "DOUBLE" => Self::Double,
            "LIST" => Self::List,
            "CLASS" => Self::Class,
            "PASSWORD" => Self::Password,
            _ => return None,
        })
    }
}

/// A typed value. `Null` is a key without a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not set, and no default.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width, already checked against its type's.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Text, a class name or a password.
    Text(String),
    /// A list's elements, trimmed.
    List(Vec<String>),
}

impl Value {
    /// The value as Kafka writes it (`ConfigDef.convertToString`); `None` where there is none.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(flag) => flag.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Double(n) => java_double(*n),
            Self::Text(text) => text.clone(),
            Self::List(list) => list.join(","),
        })
    }
}

/// `Double.toString`: at least one digit behind the point, and an exponent from 10^7 on and below 10^-3.
fn java_double(n: f64) -> String {
    if n == 0.0 || (1e-3..1e7).contains(&n.abs()) {
        return format!("{n:?}");
    }
    let text = format!("{n:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Which values of a type are allowed.
#[derive(Clone, Debug, PartialEq)]
pub enum Valid {
    /// All of them.
    Any,
    /// A number from `min` to `max`, or exactly `or`.
    Range {
        /// The least allowed value.
        min: i64,
        /// The greatest, or no limit but the type's.
        max: Option<i64>,
        /// One more value outside the range.
        or: Option<i64>,
    },
    /// One of these texts; for a list, each element.
    OneOf {
        /// The allowed texts.
        names: Vec<&'static str>,
        /// Whether letters' case counts.
        ignore_case: bool,
    },
    /// Not the empty text.
    NonEmpty,
    /// `partition:broker,...`, `*` or nothing: the throttled replicas of a topic.
    ThrottledReplicas,
    /// `latest`, `earliest` or `by_duration:` and an ISO-8601 duration.
    AutoOffsetReset,
}

impl Valid {
    /// Reads the rule as the tables write it, e.g. `[0,...,1]` or `[compact, delete]`.
    pub(super) fn parse(text: &'static str) -> Self {
        let (ignore_case, text) = match text.strip_prefix("(case insensitive) ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        match text {
            "non-empty string" => return Self::NonEmpty,
            _ if text.starts_with("[partitionId]") => return Self::ThrottledReplicas,
            _ if text.contains("by_duration") => return Self::AutoOffsetReset,
            _ => {}
        }
        let (list, or) = match text.split_once(" or ") {
            Some((list, or)) => (list, or.parse().ok()),
            None => (text, None),
        };
        let Some(inner) = list.strip_prefix('[').and_then(|l| l.strip_suffix(']')) else { return Self::Any };
        match inner.split_once(",...") {
            Some((min, max)) => Self::Range {
                min: min.parse().unwrap_or(i64::MIN),
                max: max.strip_prefix(',').and_then(|m| m.parse().ok()),
                or,
            },
            None => Self::OneOf { names: inner.split(", ").collect(), ignore_case },
        }
    }

    /// Why `value` is not allowed, in words; `Ok` when it is.
    fn check(&self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::Range { or, .. }, Value::Int(n)) if *or == Some(*n) => Ok(()),
            (Self::Range { min, max, .. }, Value::Int(n)) => self.check_range(n < min, max.is_some_and(|m| *n > m)),
            (Self::Range { min, max, .. }, Value::Double(n)) => {
                self.check_range(*n < *min as f64, max.is_some_and(|m| *n > m as f64))
            }
            (Self::OneOf { names, ignore_case }, Value::Text(text)) => self.check_name(names, *ignore_case, text),
            (Self::OneOf { names, ignore_case }, Value::List(list)) => {
                list.iter().try_for_each(|text| self.check_name(names, *ignore_case, text))
            }
            (Self::NonEmpty, Value::Text(text)) if text.is_empty() => Err(self.words()),
            (Self::ThrottledReplicas, Value::List(list)) => {
                let all = list.len() == 1 && list[0] == "*";
                if all || list.iter().all(|e| is_partition_and_broker(e)) { Ok(()) } else { Err(self.words()) }
            }
            (Self::AutoOffsetReset, Value::Text(text)) => {
                if ShareOffsetReset::of(text).is_some() {
                    return Ok(());
                }
                // As Kafka's validator has it, which names value and key a second time.
                Err(format!("Invalid value `{text}` for configuration share.auto.offset.reset. {}", self.words()))
            }
            _ => Ok(()),
        }
    }

    fn check_range(&self, below: bool, above: bool) -> Result<(), String> {
        match self {
            Self::Range { or: Some(_), .. } if below || above => Err(self.words()),
            Self::Range { min, .. } if below => Err(format!("Value must be at least {min}")),
            Self::Range { max: Some(max), .. } if above => Err(format!("Value must be no more than {max}")),
            _ => Ok(()),
        }
    }

    fn check_name(&self, names: &[&'static str], ignore_case: bool, text: &str) -> Result<(), String> {
        let known = names.iter().any(|n| *n == text || (ignore_case && n.eq_ignore_ascii_case(text)));
        if known { Ok(()) } else { Err(self.words()) }
    }

    /// The rule as a clause of an error sentence.
    fn words(&self) -> String {
        match self {
            Self::Any => "any value is allowed".into(),
            Self::Range { min, max: None, or: None } => format!("Value must be at least {min}"),
            Self::Range { min, max: Some(max), or: None } => format!("Value must be from {min} to {max}"),
            Self::Range { min, max, or: Some(or) } => match max {
                Some(max) => format!("Value must be between {min} and {max} or equal to {or}"),
                None => format!("Value must be at least {min}, or {or}"),
            },
            Self::OneOf { names, .. } => format!("String must be one of: {}", names.join(", ")),
            Self::NonEmpty => "Value must not be empty".into(),
            Self::ThrottledReplicas => {
                "Value must be the literal '*' or a list of replicas: [partitionId]:[brokerId],[partitionId]:[brokerId],...".into()
            }
            Self::AutoOffsetReset => {
                "The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.".into()
            }
        }
    }
}

fn is_partition_and_broker(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    text.split_once(':').is_some_and(|(p, b)| digits(p.trim()) && digits(b.trim()))
}

/// Reads `text` as a value of `kind` and checks it; the error is the reason in words, without the key.
pub(super) fn parse(kind: ConfigType, valid: &Valid, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let mut value = match kind {
        ConfigType::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err("Expected value to be either true or false".into()),
        },
        ConfigType::Int => integer(trimmed, i32::MIN.into(), i32::MAX.into(), "INT")?,
        ConfigType::Short => integer(trimmed, i16::MIN.into(), i16::MAX.into(), "SHORT")?,
        ConfigType::Long => integer(trimmed, i64::MIN, i64::MAX, "LONG")?,
        ConfigType::Double => match trimmed.trim_end_matches(['d', 'f', 'D', 'F']).parse::<f64>() {
            Ok(n) if !n.is_nan() => Value::Double(n),
            _ => return Err("Not a number of type DOUBLE".into()),
        },
        ConfigType::List => Value::List(split_list(trimmed)),
        ConfigType::String | ConfigType::Class => Value::Text(trimmed.to_owned()),
        ConfigType::Password => Value::Text(text.to_owned()),
    };
    valid.check(&value)?;
    // What is chosen from a list of names is chosen once (KIP-1161).
    if let (Valid::OneOf { .. }, Value::List(list)) = (valid, &mut value) {
        let mut seen = Vec::with_capacity(list.len());
        list.retain(|element| {
            !seen.contains(element) && {
                seen.push(element.clone());
                true
            }
        });
    }
    Ok(value)
}

fn integer(text: &str, min: i64, max: i64, kind: &str) -> Result<Value, String> {
    match text.parse::<i64>() {
        Ok(n) if (min..=max).contains(&n) => Ok(Value::Int(n)),
        _ => Err(format!("Not a number of type {kind}")),
    }
}

/// Splits at commas and trims, as Kafka reads a LIST; the empty text is the empty list.
pub(super) fn split_list(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(|part| part.trim().to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_type_are_read_or_refused() {
        use ConfigType::*;
        let any = Valid::Any;
        let good = [
            (Boolean, "TRUE ", Value::Bool(true)),
            (Int, " 42", Value::Int(42)),
            (Int, "+42", Value::Int(42)),
            (Long, "9223372036854775807", Value::Int(i64::MAX)),
            (Short, "-1", Value::Int(-1)),
            (Double, "1.7976931348623157E308", Value::Double(f64::MAX)),
            (Double, "0.5", Value::Double(0.5)),
            (List, "a , b,c", Value::List(vec!["a".into(), "b".into(), "c".into()])),
            (List, "", Value::List(vec![])),
            (String, " x ", Value::Text("x".into())),
        ];
        for (kind, text, want) in good {
            assert_eq!(parse(kind, &any, text), Ok(want), "{kind:?} {text:?}");
        }
        let bad = [
            (Boolean, "yes"),
            (Int, "2147483648"),
            (Int, "1.0"),
            (Int, ""),
            (Short, "32768"),
            (Long, "9223372036854775808"),
            (Double, "half"),
            (Double, "NaN"),
        ];
        for (kind, text) in bad {
            assert!(parse(kind, &any, text).is_err(), "{kind:?} {text:?}");
        }
    }

    #[test]
    fn values_are_written_as_java_writes_them() {
        use ConfigType::*;
        let table = [
            (Int, " 77 ", "77"),
            (Double, "0.50", "0.5"),
            (Double, "1", "1.0"),
            (Double, "1.7976931348623157E308", "1.7976931348623157E308"),
            (Double, "10000000", "1.0E7"),
            (Double, "0.00015", "1.5E-4"),
            (Boolean, " TRUE", "true"),
            (List, " a , b", "a,b"),
        ];
        for (kind, text, want) in table {
            assert_eq!(parse(kind, &Valid::Any, text).unwrap().text().as_deref(), Some(want));
        }
        let names = Valid::parse("[compact, delete]");
        assert_eq!(parse(List, &names, "delete,compact,delete").unwrap().text().as_deref(), Some("delete,compact"));
        assert_eq!(Value::Null.text(), None);
    }

    #[test]
    fn rules_are_read_and_kept() {
        use ConfigType::*;
        let table = [
            ("[0,...]", Int, "0", "-1"),
            ("[0,...,1]", Double, "1", "1.01"),
            ("[1,...,9] or -1", Int, "-1", "0"),
            ("[-131072,...,22]", Int, "-131072", "23"),
            ("[compact, delete]", List, "delete,compact", "compact,purge"),
            ("(case insensitive) [DISABLED, UPGRADE]", String, "upgrade", "up"),
            ("non-empty string", String, "x", ""),
            ("[partitionId]:[brokerId],[partitionId]:[brokerId],...", List, "0:1,1:2", "0"),
            ("[partitionId]:[brokerId],[partitionId]:[brokerId],...", List, "*", "*,0:1"),
            ("[latest, earliest, by_duration:PnDTnHnMn.nS]", String, "by_duration:PT1H", "soon"),
        ];
        for (rule, kind, good, bad) in table {
            let valid = Valid::parse(rule);
            assert!(parse(kind, &valid, good).is_ok(), "{rule} must allow {good}");
            assert!(parse(kind, &valid, bad).is_err(), "{rule} must refuse {bad}");
        }
    }
}
