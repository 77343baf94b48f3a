//! System calls and io_uring requests of a server, counted by `perf stat` on the kernel's tracepoints, where that is
//! there and allowed. Counting costs the server a little, so it is done in the run that warms up.

use crate::campaign::Contender;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const EVENTS: &str = "raw_syscalls:sys_enter,io_uring:io_uring_submit_req";

/// Counts until it is ended.
pub struct Counter(Result<Child, String>);

impl Counter {
    /// Of a server on this machine.
    pub fn start(contender: &Contender) -> Self {
        let pid = match contender {
            Contender::Own { server, .. } => Ok(server.pid()),
            Contender::Other(_, target) => target.gauge.pid().ok_or("it is no process of this machine"),
            Contender::Floor(_) => Err("it is started for each run"),
        };
        Self(pid.map_err(str::to_owned).and_then(|pid| {
            let mut command = Command::new("perf");
            command.args(["stat", "-x", ",", "-e", EVENTS, "-p", &pid.to_string()]);
            let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
            // It attaches to all threads before it counts.
            std::thread::sleep(Duration::from_millis(300));
            child.map_err(|error| format!("perf: {error}"))
        }))
    }

    /// System calls per request; says on standard error why there are none, and how many io_uring requests there were.
    pub fn end(self, server: &str, requests: u64) -> Option<f64> {
        let counts = self.0.and_then(|mut child| {
            let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGINT);
            let mut text = String::new();
            let read = child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut text));
            let _ = child.wait();
            read.transpose().map_err(|error| error.to_string())?;
            count(&text).ok_or_else(|| format!("perf says {}", text.trim()))
        });
        match counts {
            Ok((calls, submitted)) => {
                let per = |count: u64| count as f64 / requests.max(1) as f64;
                let ring = submitted.map_or("not counted".to_owned(), |n| format!("{:.2}", per(n)));
                eprintln!("{server}: {:.2} system calls a request, requests by io_uring: {ring}", per(calls));
                Some(per(calls))
            }
            Err(why) => {
                eprintln!("{server}: system calls are not counted: {why}");
                None
            }
        }
    }
}

/// System calls, and io_uring requests where they are counted, in the lines of `perf stat -x ,`.
fn count(text: &str) -> Option<(u64, Option<u64>)> {
    let of = |event: &str| text.lines().find(|line| line.contains(event))?.split(',').next()?.parse::<u64>().ok();
    Some((of("raw_syscalls:sys_enter")?, of("io_uring_submit_req")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_perf_are_read() {
        let text = "1234,,raw_syscalls:sys_enter,500,100.00,,\n56,,io_uring:io_uring_submit_req,500,100.00,,\n";
        assert_eq!(count(text), Some((1234, Some(56))));
        assert_eq!(count("1234,,raw_syscalls:sys_enter,500,100.00,,\n"), Some((1234, None)));
        assert_eq!(count("<not supported>,,raw_syscalls:sys_enter,,,,\n"), None);
        assert_eq!(count("Error: no permission"), None);
    }
}
