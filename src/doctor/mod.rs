//! Looking at the machine: what deviates from `tuning/`, what corelog needs, what the disks and the network give.
//!
//! [`deviations`] is the short look at each start: reads of `/proc/sys` only. [`run`] is the whole report.

mod look;
mod mounts;
mod report;
mod settings;

pub use report::{Finding, Report, Verdict};

use crate::config::Config;
use crate::ring::selftest;
use std::io;
use std::path::Path;

/// Reads a file of the machine.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// One line on the kernel settings that deviate from `tuning/`, with the command that mends them; `None` where all are as
/// wanted, or the machine shows none (a container).
pub fn deviations(read: ReadFile) -> Option<String> {
    let deviating: Vec<String> = settings::compared(read)
        .filter_map(|setting| Some((setting.now?, setting.key, setting.wanted, setting.fits)))
        .filter(|(.., fits)| !fits)
        .map(|(now, key, wanted, _)| format!("{key}={now} (wanted {wanted})"))
        .collect();
    let (first, more) = (deviating.first()?, deviating.len() - 1);
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "kernel settings deviate from tuning/: {first}{others}; `corelog doctor` tells all, `sudo scripts/tune.sh apply` mends them"
    ))
}

/// The whole report. With `self_test` the log directories' disks and the loopback are measured, which takes some seconds
/// and writes to the disks.
pub fn run(config: &Config, read: ReadFile, self_test: bool) -> Report {
    let mut report = Report::default();
    look::kernel(&mut report, read);
    look::limits(&mut report, config);
    look::disks(&mut report, config, read);
    look::memory(&mut report, read);
    for setting in settings::compared(read) {
        let Some(now) = setting.now else {
            report.note("sysctl", &setting.key, "not on this kernel, or hidden from here", &setting.wanted);
            continue;
        };
        let mend = "sudo scripts/tune.sh apply";
        report.compare("sysctl", &setting.key, &now, &setting.wanted, setting.fits, mend);
    }
    look::sockets(&mut report, config, read);
    if self_test {
        measure(&mut report, config);
    }
    report
}

fn measure(report: &mut Report, config: &Config) {
    for dir in &config.log_dirs {
        let what = dir.display().to_string();
        // Where the directory is not there yet, the disk it will be on.
        match selftest::disk(&look::there(dir)) {
            Ok(numbers) => report.note("self-test, disk", &what, &numbers.to_string(), ""),
            Err(e) => report.broken("self-test, disk", &what, &e.to_string(), "a directory that can be written"),
        }
    }
    match selftest::loopback() {
        Ok(numbers) => report.note("self-test, network", "loopback", &numbers.to_string(), ""),
        Err(e) => report.broken("self-test, network", "loopback", &e.to_string(), "a connection to oneself"),
    }
}

#[cfg(test)]
mod tests;
