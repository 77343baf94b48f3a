//! What a campaign runs, as its file says it. The keys of a workload are the flags of its subcommand; where a key has a
//! list of values, there is a workload for each of them.

use crate::how::Once;
use crate::workload::Workload;
use clap::{Args, Parser};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use toml::{Table, Value};

/// A file of workloads.
#[derive(Debug)]
pub struct Plan {
    /// Runs of each workload on each server that count; one more before them warms up.
    pub rounds: usize,
    /// The workloads, in order.
    pub items: Vec<Item>,
}

/// One workload.
#[derive(Clone, Debug)]
pub struct Item {
    /// For tables and comparisons.
    pub name: String,
    /// Its name without what varies: points of one curve.
    pub family: String,
    /// What varies.
    pub varied: BTreeMap<String, String>,
    /// The flags, as `bench` takes them.
    pub args: Vec<String>,
    /// What they say.
    pub workload: Workload,
}

/// A subcommand by itself.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Only {
    #[command(subcommand)]
    workload: Workload,
}

/// The workload that these flags describe.
///
/// # Errors
/// What is wrong with them.
pub fn workload_of(args: &[String]) -> Result<Workload, String> {
    let parsed = Only::try_parse_from(args).map_err(|error| error.to_string())?;
    Ok(parsed.workload)
}

impl Plan {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file, what stands in it, or a value out of its range, by name.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::parse(&text).map_err(|why| io::Error::other(format!("{}: {why}", path.display())))
    }

    /// The same of a text.
    ///
    /// # Errors
    /// As above.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let rounds = match table.remove("rounds") {
            None => 5,
            Some(Value::Integer(n)) if n >= 1 => n as usize,
            Some(_) => return Err("rounds must be a number of at least one".to_owned()),
        };
        let Some(Value::Array(workloads)) = table.remove("workload") else {
            return Err("nothing to run: there is no [[workload]]".to_owned());
        };
        if let Some(key) = table.keys().next() {
            return Err(format!("{key} is no key of a campaign"));
        }
        let mut items: Vec<Item> = Vec::new();
        for workload in &workloads {
            items.extend(workload.as_table().ok_or("a workload must be a table").map_err(str::to_owned).and_then(of)?);
        }
        let mut names = BTreeSet::new();
        if let Some(item) = items.iter().find(|item| !names.insert(item.name.clone())) {
            return Err(format!("two workloads are called {}", item.name));
        }
        Ok(Self { rounds, items })
    }
}

/// The workloads of one table: more than one where a key has a list.
fn of(table: &Table) -> Result<Vec<Item>, String> {
    let mut table = table.clone();
    let mut text = |key: &str| match table.remove(key) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("a workload must have a {key}")),
    };
    let (family, kind) = (text("name")?, text("kind")?);
    let wrong = |what: String| format!("workload {family}: {what}");
    let once = Once::augment_args(clap::Command::new("once"));
    if let Some(key) = table.keys().find(|key| once.get_arguments().any(|flag| flag.get_long() == Some(&dashed(key)))) {
        return Err(wrong(format!("{key} belongs on the command line")));
    }
    let mut combinations = vec![(vec![kind], BTreeMap::new())];
    for (key, value) in &table {
        let varies = value.is_array();
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        if values.is_empty() {
            return Err(wrong(format!("{key} has no value")));
        }
        let mut next = Vec::new();
        for (args, varied) in &combinations {
            for value in &values {
                let (mut args, mut varied) = (args.clone(), varied.clone());
                args.extend(flags(key, value).map_err(wrong)?);
                if varies {
                    varied.insert(dashed(key), plain(value).map_err(wrong)?);
                }
                next.push((args, varied));
            }
        }
        combinations = next;
    }
    let item = |(args, varied): (Vec<String>, BTreeMap<String, String>)| {
        let workload = workload_of(&args).map_err(wrong)?;
        let name = varied.iter().fold(family.clone(), |name, (key, value)| format!("{name}, {key} {value}"));
        Ok(Item { name, family: family.clone(), varied, args, workload })
    };
    combinations.into_iter().map(item).collect()
}

fn dashed(key: &str) -> String {
    key.replace('_', "-")
}

fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        other => Err(format!("a {} is no value", other.type_str())),
    }
}

/// A key and its value as flags.
fn flags(key: &str, value: &Value) -> Result<Vec<String>, String> {
    match (key, value) {
        ("properties", Value::Table(lines)) => {
            lines.iter().map(|(key, value)| Ok(format!("--property={key}={}", plain(value)?))).collect()
        }
        (_, Value::Boolean(true)) => Ok(vec![format!("--{}", dashed(key))]),
        (_, Value::Boolean(false)) => Ok(Vec::new()),
        _ => Ok(vec![format!("--{}={}", dashed(key), plain(value)?)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_of_this_repository_are_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
        let files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        let plans = files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "toml"));
        assert!(plans.map(|file| assert!(!Plan::read(file).unwrap().items.is_empty())).count() >= 2);
    }

    #[test]
    fn a_wrong_plan_is_refused_by_name() {
        let workload = |more: &str| format!("[[workload]]\nname='a'\nkind='produce'\n{more}");
        let bad = [
            (String::new(), "workload"),
            (workload("requests=0"), "workload a"),
            (workload("requests=1\nrate=0"), "rate"),
            (workload("rate=5\nclosed=true"), "closed"),
            (workload("size=1"), "size"),
            (workload("cores=0"), "cores"),
            (workload("what=3"), "what"),
            (workload("rate=[]"), "no value"),
            (workload("address='127.0.0.1:1'"), "command line"),
            ("[[workload]]\nname='a'\nkind='nothing'".to_owned(), "nothing"),
            ("[[workload]]\nkind='produce'".to_owned(), "name"),
            (workload("") + &workload(""), "two workloads"),
            ("rounds=0\n".to_owned() + &workload(""), "rounds"),
            ("round=1\n".to_owned() + &workload(""), "round is no key"),
        ];
        for (text, said) in bad {
            let why = Plan::parse(&text).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
    }

    #[test]
    fn keys_are_flags_and_lists_are_workloads() {
        let plan = Plan::parse(
            "[[workload]]\nname='a'\nkind='small'\nclosed=true\nin_flight=3\ncores=[1,2]\nacks=[-1,1]\n\
             properties={'flush.messages'='1'}",
        )
        .unwrap();
        assert_eq!(plan.rounds, 5);
        let names: Vec<_> = plan.items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["a, acks -1, cores 1", "a, acks -1, cores 2", "a, acks 1, cores 1", "a, acks 1, cores 2"]);
        let item = &plan.items[1];
        assert_eq!((item.family.as_str(), item.varied["cores"].as_str()), ("a", "2"));
        let setting = item.workload.how().setting;
        assert_eq!(setting.cores, Some(2));
        assert_eq!(setting.properties, [("flush.messages".to_owned(), "1".to_owned())]);
    }
}
