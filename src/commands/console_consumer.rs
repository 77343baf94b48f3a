//! `corelog console-consumer` (`org.apache.kafka.tools.consumer.ConsoleConsumer`).

mod arguments;
mod deserializer;
mod formatter;
mod reading;

use super::{Streams, Tool, ToolError};
use arguments::Arguments;
use clap::{Args, FromArgMatches};
use formatter::Formatter;
use reading::Reading;

pub const TOOL: Tool = Tool {
    name: "console-consumer",
    script: "kafka-console-consumer.sh",
    about: "Prints the records of topics",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    arguments.check(streams)?;
    let formatter = Formatter::of(arguments)?;
    let mut reading = Reading::begin(arguments)?;
    let mut count = 0;
    let read = print_all(arguments, &formatter, &mut reading, &mut count, streams);
    reading.end();
    let flushed = streams.out.flush();
    writeln!(streams.err, "Processed a total of {count} messages")?;
    if arguments.enable_systest_events {
        writeln!(streams.out, "shutdown_complete")?;
    }
    read.and(flushed.map_err(Into::into))
}

fn print_all(
    arguments: &Arguments,
    formatter: &Formatter,
    reading: &mut Reading,
    count: &mut u64,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    while arguments.max_messages.is_none_or(|most| most < 0 || *count < most.unsigned_abs()) {
        let Some(record) = reading.next(streams)? else { return Ok(()) };
        *count += 1;
        if let Err(why) = formatter.print(&record, streams.out)? {
            if !arguments.skip_message_on_error {
                return Err(ToolError::Failed(why));
            }
            writeln!(streams.err, "ERROR Error processing message, skipping this message: {why}")?;
        }
    }
    Ok(())
}
