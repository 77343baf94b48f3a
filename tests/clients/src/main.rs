//! librdkafka, through the `rdkafka` crate, as a program that the scenarios drive.
//!
//! What it does is told on the command line, what it saw is one line each on standard output, and the
//! end of its standard input asks it to finish. Lines of records are `key TAB value`, an absent key is `-`.

mod consume;
mod load;
mod member;
mod produce;
mod topic;
mod transact;

use clap::{Parser, Subcommand};
use rdkafka::ClientConfig;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Parser)]
#[command(name = "rdk")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// host:port of a broker
    #[arg(long, global = true, default_value = "127.0.0.1:9092")]
    brokers: String,
    /// a librdkafka property, `key=value`; may be given several times
    #[arg(short = 'X', global = true)]
    properties: Vec<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// write the records of standard input; prints `partition offset key TAB value` for each acknowledgement
    Produce(produce::Produce),
    /// read whole partitions to their present end; prints the records, or a digest of each partition
    Consume(consume::Consume),
    /// write numbered records until standard input ends; prints each acknowledgement
    Load(load::Load),
    /// be a member of a consumer group until standard input ends; prints what happens to it
    Member(member::Member),
    /// create or delete a topic
    Topic(topic::Topic),
    /// write in transactions that commit, abort, are fenced, or stay open
    Transact(transact::Transact),
}

fn main() {
    let arguments = Arguments::parse();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &arguments.brokers);
    for property in &arguments.properties {
        let (key, value) = property.split_once('=').expect("-X key=value");
        config.set(key, value);
    }
    let outcome = match arguments.verb {
        Verb::Produce(verb) => verb.run(config),
        Verb::Consume(verb) => verb.run(config),
        Verb::Load(verb) => verb.run(config),
        Verb::Member(verb) => verb.run(config),
        Verb::Topic(verb) => verb.run(config),
        Verb::Transact(verb) => verb.run(config),
    };
    if let Err(error) = outcome {
        eprintln!("rdk: {error}");
        std::process::exit(1);
    }
}

/// What any verb may fail with; the scenario shows it.
type Failure = Box<dyn std::error::Error>;

/// Becomes true when standard input ends: the scenario asks to finish.
fn asked_to_finish() -> Arc<AtomicBool> {
    let finish = Arc::new(AtomicBool::new(false));
    let told = finish.clone();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        // An error of the pipe means the same as its end.
        let _ = std::io::stdin().read_to_end(&mut rest);
        told.store(true, Ordering::Release);
    });
    finish
}
