//! Arguments -> configuration -> broker; every failure is a sentence on standard error and exit code 1.

use clap::{CommandFactory, FromArgMatches};
use corelog::broker;
use corelog::commands::{self, TOOLS};
use corelog::config::arguments::{Arguments, Command};
use corelog::config::tool_arguments::{DoctorArguments, DumpArguments, TakeoverArguments, VerifyArguments};
use corelog::config::{Config, ConfigError, Given, Outside};
use corelog::doctor;
use corelog::ring::{clock, fs};
use corelog::storage;
use corelog::tools::dump::{self, DumpError, DumpRequest, Streams};
use corelog::tools::verify::{self, VerifyRequest};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let line = Arguments::command().subcommands(TOOLS.iter().map(commands::Tool::command));
    let parsed = line.try_get_matches().and_then(|mut matches| match matches.subcommand() {
        Some((name, given)) if commands::find(name).is_some() => Ok(Err((name.to_owned(), given.clone()))),
        _ => Arguments::from_arg_matches_mut(&mut matches).map(Ok),
    });
    let arguments = match parsed {
        Ok(Ok(arguments)) => arguments,
        Ok(Err((tool, given))) => return ask(&tool, &given),
        // Also --help and --version come this way, to standard output.
        Err(told) => {
            let printed = told.print();
            // The tools' exit code 1 is an answer: a line they cannot read is 2.
            let wrong = match std::env::args().nth(1).as_deref() {
                Some("verify" | "takeover" | "doctor") => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            };
            return if printed.is_ok() && !told.use_stderr() { ExitCode::SUCCESS } else { wrong };
        }
    };
    match arguments.command {
        Some(Command::Storage(command)) => {
            let done = storage::run(&command, &|file| load(Some(file.to_owned()), Vec::new()), clock::now().wall);
            tell(&done.text, done.success)
        }
        Some(Command::DumpLog(arguments)) => dump(&arguments),
        Some(Command::Verify(arguments)) => verify(arguments),
        Some(Command::Takeover(arguments)) => takeover(&arguments),
        Some(Command::Doctor(arguments)) => examine(arguments),
        None => match load(arguments.file, arguments.overrides) {
            Ok(config) => serve(config),
            Err(error) => tell(&error.to_string(), false),
        },
    }
}

/// Runs a tool that asks a broker.
fn ask(tool: &str, given: &clap::ArgMatches) -> ExitCode {
    let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
    let mut streams = commands::Streams { out: &mut out, err: &mut std::io::stderr() };
    match commands::find(tool).is_some_and(|tool| tool.run(given, &mut streams)) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn serve(config: Config) -> ExitCode {
    corelog::base::logging::init();
    match broker::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure.to_string(), false),
    }
}

fn dump(arguments: &DumpArguments) -> ExitCode {
    let request = match DumpRequest::of(arguments) {
        Ok(request) => request,
        Err(why) => return tell(&why, false),
    };
    let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
    let mut streams = Streams { out: &mut out, err: &mut std::io::stderr() };
    let done = dump::dump(&request, &mut streams);
    match (done, out.flush()) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        (Err(DumpError::File(error)), _) => tell(&error.to_string(), false),
        // Whoever read the text has had enough of it.
        (Err(DumpError::Output(_)), _) | (_, Err(_)) => ExitCode::FAILURE,
    }
}

fn examine(arguments: DoctorArguments) -> ExitCode {
    match load(arguments.config, Vec::new()) {
        Ok(config) => {
            let report = doctor::run(&config, &|path| fs::read(path), arguments.self_test);
            print!("{}", if arguments.json { report.json() } else { report.text() });
            ExitCode::from(report.exit_code())
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn verify(arguments: VerifyArguments) -> ExitCode {
    let mut whole = true;
    for dir in arguments.dirs {
        let request = VerifyRequest { dir, running: arguments.running };
        match verify::verify(&request, &mut std::io::stdout().lock()) {
            Ok(summary) => whole &= summary.findings == 0,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        }
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn takeover(arguments: &TakeoverArguments) -> ExitCode {
    let load = |file: &Path| load(Some(file.to_owned()), Vec::new());
    match storage::takeover::run(arguments, &load, clock::now().wall) {
        Ok(done) => {
            println!("{}", done.lines.join("\n"));
            if done.clear { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// Reads the properties file, what it refers to, and the overrides.
fn load(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Result<Config, ConfigError> {
    let read = |path: PathBuf| match fs::read(&path) {
        Ok(bytes) => Ok((path, bytes)),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    };
    let hostname = || {
        let bytes = fs::read(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    };
    let outside =
        Outside { read_file: &|path| fs::read(path), env: &|name| std::env::var(name).ok(), hostname: &hostname };
    Given { file: file.map(read).transpose()?, overrides }.config(&outside)
}

fn tell(text: &str, success: bool) -> ExitCode {
    if success {
        println!("{text}");
        ExitCode::SUCCESS
    } else {
        eprintln!("{text}");
        ExitCode::FAILURE
    }
}
