//! The command line as a user meets it: starting, refusing, formatting, stopping.

#[path = "cli_support/broker.rs"]
mod broker;
mod cli_support;

use broker::Broker;
use cli_support::{CORELOG, Said, meta, run, said};
use nix::sys::signal::Signal;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const PORT_0: &str = "listeners=PLAINTEXT://127.0.0.1:0";

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch directory")
}

fn corelog(arguments: &[&str], dir: &Path) -> Said {
    run(CORELOG, arguments, dir)
}

/// That it ended with 1 and one or more sentences on standard error alone.
fn assert_refused(done: &Said, words: &[&str]) {
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(!done.err.contains("panicked"), "{done:?}");
    for word in words {
        assert!(done.err.contains(word), "{word} is missing: {done:?}");
    }
}

#[test]
fn help_and_version_end_with_0_and_wrong_usage_with_1() {
    let dir = scratch();
    let help = corelog(&["--help"], dir.path());
    assert!(help.code == Some(0) && help.out.contains("--override"), "{help:?}");
    let version = corelog(&["--version"], dir.path());
    assert_eq!((version.code, version.out.trim()), (Some(0), concat!("corelog ", env!("CARGO_PKG_VERSION"))));
    for wrong in [&["--frob"][..], &["--override"], &["--override", "novalue"], &["a", "b"], &["storage", "frob"]] {
        assert_refused(&corelog(wrong, dir.path()), &["error"]);
    }
}

#[test]
fn what_it_must_not_start_with_is_refused_and_nothing_is_created() {
    let table: &[(&str, &[&str])] = &[
        ("num.partitions=0", &["num.partitions", "Invalid value 0", "at least 1"]),
        ("log.segment.bytes=many", &["log.segment.bytes", "many", "INT"]),
        ("log.segment.bytes=10", &["log.segment.bytes", "10", "1048576"]),
        ("compression.type=brotli", &["compression.type", "brotli", "zstd"]),
        ("corelog.cores=none", &["corelog.cores", "none"]),
        ("corelog.fetch.path=teleport", &["corelog.fetch.path", "teleport", "sendfile"]),
        ("listeners=PLAINTEXT://127.0.0.1:99999", &["listeners", "99999", "65535"]),
        ("listeners=SASL_SSL://127.0.0.1:0", &["SASL_SSL", "unguarded"]),
        ("authorizer.class.name=org.example.A", &["authorizer.class.name", "unguarded"]),
        ("super.users=User:a", &["super.users", "unguarded"]),
        ("process.roles=broker", &["process.roles", "cannot join a cluster"]),
        ("controller.quorum.voters=2@b:9093", &["controller.quorum.voters", "cannot join a cluster"]),
    ];
    for (property, words) in table {
        let dir = scratch();
        let done = corelog(&["--override", PORT_0, "--override", property], dir.path());
        assert_refused(&done, words);
        assert_eq!(done.out, "", "{property}");
        assert!(!dir.path().join("data").exists(), "{property}");
    }
}

#[test]
fn a_node_of_the_zookeeper_era_is_not_started_before_it_was_taken_over() {
    let dir = scratch();
    let done = corelog(&["--override", PORT_0, "--override", "zookeeper.connect=zk:2181"], dir.path());
    assert_refused(&done, &["zookeeper.connect", "KRaft"]);
    assert!(!dir.path().join("data").exists());
}

#[test]
fn the_tools_say_by_their_exit_code_what_they_found() {
    let dir = scratch();
    for (line, code) in [
        (&["verify"][..], Some(2)),
        (&["verify", "nowhere"], Some(2)),
        (&["takeover"], Some(2)),
        (&["takeover", "--check", "nowhere"], Some(1)),
        (&["dump-log", "00000000000000000007.log"], Some(1)),
    ] {
        assert_eq!(corelog(line, dir.path()).code, code, "{line:?}");
    }
}

#[test]
fn a_properties_file_that_cannot_be_read_is_told() {
    let dir = scratch();
    assert_refused(&corelog(&["nowhere.properties"], dir.path()), &["nowhere.properties", "No such file"]);
    std::fs::write(dir.path().join("bad.properties"), "a=1\nb=\\u12\n").unwrap();
    assert_refused(&corelog(&["bad.properties"], dir.path()), &["bad.properties", "line 2"]);
}

#[test]
fn without_a_file_a_node_formats_serves_and_comes_back_as_the_same() {
    let dir = scratch();
    let data = dir.path().join("data");
    let broker = Broker::start(&["--override", PORT_0], dir.path());
    let cluster_id = meta(&data, "cluster.id");
    for fact in [env!("CARGO_PKG_VERSION"), &broker.address.to_string(), &cluster_id] {
        assert!(broker.said.contains(fact), "{fact} is missing: {}", broker.said);
    }
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.wait(), Some(0));
    assert!(data.join(".kafka_cleanshutdown").exists());
    let again = Broker::start(&["--override", PORT_0], dir.path());
    assert_eq!(meta(&data, "cluster.id"), cluster_id);
    again.signal(Signal::SIGINT);
    assert_eq!(again.wait(), Some(0));
}

#[test]
fn several_log_dirs_by_override_are_formatted_and_empty_ones_join() {
    let dir = scratch();
    let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    for dirs in ["a,b", "a,b,c"] {
        let dirs = format!("log.dirs={dirs}");
        let broker = Broker::start(&["--override", PORT_0, "--override", &dirs], dir.path());
        broker.signal(Signal::SIGTERM);
        assert_eq!(broker.wait(), Some(0));
    }
    for other in [&b, &c] {
        assert_eq!(meta(other, "cluster.id"), meta(&a, "cluster.id"));
        assert_ne!(meta(other, "directory.id"), meta(&a, "directory.id"));
    }
}

#[test]
fn with_a_file_the_directories_must_be_formatted_and_the_command_is_named() {
    let dir = scratch();
    std::fs::write(dir.path().join("server.properties"), format!("{PORT_0}\nlog.dirs=logs\n")).unwrap();
    let done = corelog(&["server.properties"], dir.path());
    assert_refused(&done, &["logs", "kafka-storage.sh format", "server.properties"]);
    assert!(!dir.path().join("logs").exists());
    let id = corelog(&["storage", "random-uuid"], dir.path()).out;
    let format = ["storage", "format", "--standalone", "-c", "server.properties", "-t", id.trim()];
    assert_eq!(corelog(&format, dir.path()).code, Some(0));
    let broker = Broker::start(&["server.properties"], dir.path());
    assert_eq!(meta(&dir.path().join("logs"), "cluster.id"), id.trim());
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.wait(), Some(0));
    let done = corelog(&["server.properties", "--override", "node.id=2"], dir.path());
    assert_refused(&done, &["node id 1", "2"]);
}

#[test]
fn a_directory_with_topics_but_no_meta_properties_is_never_formatted() {
    let dir = scratch();
    std::fs::create_dir_all(dir.path().join("data/precious-0")).unwrap();
    let done = corelog(&["--override", PORT_0], dir.path());
    assert_refused(&done, &["data", "topic directories", "meta.properties"]);
    let left: Vec<_> = std::fs::read_dir(dir.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["precious-0"]);
}

#[test]
fn a_taken_port_and_a_taken_directory_are_refused() {
    let dir = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners = format!("listeners=PLAINTEXT://{}", taken.local_addr().unwrap());
    let done = corelog(&["--override", &listeners], dir.path());
    assert_refused(&done, &["listeners", &taken.local_addr().unwrap().port().to_string()]);
    let broker = Broker::start(&["--override", PORT_0], dir.path());
    assert_refused(&corelog(&["--override", PORT_0], dir.path()), &["data", "another process"]);
    drop(broker);
}

#[test]
fn several_addresses_and_ipv6_are_listened_on() {
    let dir = scratch();
    let listeners = "listeners=PLAINTEXT://127.0.0.1:0,SIX://[::1]:0";
    let map = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SIX:PLAINTEXT";
    let broker = Broker::start(&["--override", listeners, "--override", map], dir.path());
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.wait(), Some(0));
}

#[test]
fn warnings_are_told_once_and_the_node_starts() {
    let dir = scratch();
    let arguments = ["num.network.threads=3", "no.such.key=1", PORT_0].map(|p| ["--override", p]).concat();
    let broker = Broker::start(&arguments, dir.path());
    for word in ["num.network.threads", "no.such.key"] {
        assert_eq!(broker.said.matches(word).count(), 1, "{}", broker.said);
    }
}

/// The clean stop may be over before the second signal arrives, so it is tried until one arrives in time.
#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let dir = scratch();
        let ended = (0..50).find_map(|_| {
            let broker = Broker::start(&["--override", PORT_0], dir.path());
            broker.signal(signal);
            while is_pending(&broker, signal) {}
            broker.signal(signal);
            match broker.wait() {
                Some(0) => None,
                other => Some(other),
            }
        });
        assert_eq!(ended, Some(Some(code)), "{signal}");
    }
}

/// Whether a signal sent to the process has not been delivered yet.
fn is_pending(broker: &Broker, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid())).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap_or("0").trim();
    u64::from_str_radix(mask, 16).unwrap_or(0) & (1 << (signal as i32 - 1)) != 0
}

#[test]
fn limits_that_are_too_low_are_told_in_one_sentence_with_the_remedy() {
    for (limit, words) in [("-n 64", ["open files", "ulimit -Hn"]), ("-l 64", ["locked memory", "ulimit -l"])] {
        let dir = scratch();
        let mut command = Command::new("bash");
        let script = format!("ulimit {limit}; exec \"$0\" --override \"$1\"");
        command.args(["-c", &script, CORELOG, PORT_0]).current_dir(dir.path());
        let done = said(command);
        assert_refused(&done, &words);
        assert_eq!(done.err.trim().lines().count(), 1, "{done:?}");
        assert!(!dir.path().join("data").exists(), "{limit}");
    }
}
