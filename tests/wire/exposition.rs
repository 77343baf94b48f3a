//! A strict reader of Prometheus' text format 0.0.4, and what `promtool check metrics` asks of names.

use std::collections::{BTreeMap, HashSet};

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

type Labels = Vec<(String, String)>;

/// Reads a scrape, and panics where it breaks the format; the families, by name.
pub fn check(text: &str) -> BTreeMap<String, Kind> {
    assert!(text.ends_with('\n'), "the last line ends too");
    let mut families = BTreeMap::new();
    let (mut helped, mut current) = (String::new(), None::<(String, Kind)>);
    let mut seen: HashSet<(String, Labels)> = HashSet::new();
    let mut buckets: Vec<(Labels, f64, f64)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            check_histogram(&mut buckets);
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(!help.trim().is_empty(), "{line}");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            assert_eq!(name, helped, "HELP stands before TYPE");
            let kind = match kind {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram,
                other => panic!("{other} is no type"),
            };
            assert!(is_name(name), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name} is a {kind:?}");
            assert!(families.insert(name.to_owned(), kind).is_none(), "{name} stands twice");
            current = Some((name.to_owned(), kind));
        } else {
            let (name, mut labels, value) = sample(line);
            let (family, kind) = current.as_ref().unwrap_or_else(|| panic!("no family: {line}"));
            assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
            let part = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line} under {family}"));
            assert!(*kind != Kind::Counter || value >= 0.0, "{line}");
            match (kind, part) {
                (Kind::Counter | Kind::Gauge, "") | (Kind::Histogram, "_sum") => {}
                (Kind::Histogram, "_bucket") => {
                    let at = labels.iter().position(|(label, _)| label == "le").expect("le");
                    let bound = number(&labels.remove(at).1);
                    buckets.push((labels, bound, value));
                }
                (Kind::Histogram, "_count") => {
                    let last = buckets.last().filter(|(of, bound, _)| *of == labels && *bound == f64::INFINITY);
                    assert_eq!(last.map(|(_, _, count)| *count), Some(value), "{line}");
                }
                _ => panic!("{line} under {family}"),
            }
        }
    }
    check_histogram(&mut buckets);
    families
}

/// Bounds ascend and so do counts, for each set of labels.
fn check_histogram(buckets: &mut Vec<(Labels, f64, f64)>) {
    for pair in buckets.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        assert!(pair[0].1 < pair[1].1 && pair[0].2 <= pair[1].2, "{pair:?}");
    }
    buckets.clear();
}

fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(rest)
}

fn number(text: &str) -> f64 {
    let number = match text {
        "+Inf" => f64::INFINITY,
        other => other.parse().unwrap_or_else(|_| panic!("{other:?} is no number")),
    };
    assert!(!number.is_nan());
    number
}

/// `name{label="value",...} number`.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label) && labels.iter().all(|(other, _)| other != label), "{line}");
            let (value, after) = quoted(after, line);
            labels.push((label.to_owned(), value));
            match after.split_at(1) {
                (",", after) => rest = after,
                ("}", after) => {
                    rest = after;
                    break;
                }
                _ => panic!("after a label: {line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    (name.to_owned(), labels, number(value))
}

/// The text until the quote that ends it, and what follows.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('\\' | '"')) => value.push(c),
                other => panic!("{other:?} is escaped: {line}"),
            },
            c => value.push(c),
        }
    }
    panic!("no end: {line}")
}

#[test]
fn what_breaks_the_format_is_found() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1,\\\"}\"} 2\n";
    assert_eq!(check(good).len(), 1);
    let histogram = |counts: [u32; 3]| {
        let [one, all, count] = counts;
        format!(
            "# HELP h H.\n# TYPE h histogram\nh_bucket{{le=\"1\"}} {one}\nh_bucket{{le=\"+Inf\"}} {all}\nh_sum 1\nh_count {count}\n"
        )
    };
    assert_eq!(check(&histogram([1, 2, 2])).len(), 1);
    for bad in [
        good.replace("a_total", "a"),
        good.replace("counter", "gauge"),
        good.replace("} 2", "} x"),
        good.replace("} 2", "} NaN"),
        good.replace("# HELP a_total A.\n", ""),
        good.replace("\na_total{", "\nb_total{"),
        format!("{good}{good}"),
        format!("{good}a_total{{x=\"1,\\\"}}\"}} 2\n"),
        good.replace("\\\"", "\\t"),
        histogram([3, 2, 2]),
        histogram([1, 2, 3]),
    ] {
        assert!(std::panic::catch_unwind(|| check(&bad)).is_err(), "{bad}");
    }
}
