use super::*;
use std::collections::HashMap;

/// A machine as its files tell of it.
struct Machine(HashMap<&'static str, &'static str>);

impl Machine {
    /// One on which nothing deviates.
    fn tuned() -> Self {
        Self(HashMap::from([
            ("/proc/sys/vm/dirty_background_ratio", "5"),
            ("/proc/sys/vm/dirty_background_bytes", "0"),
            ("/proc/sys/vm/dirty_ratio", "60"),
            ("/proc/sys/vm/dirty_bytes", "0"),
            ("/proc/sys/vm/swappiness", "1\n"),
            ("/proc/sys/vm/max_map_count", "262144"),
            ("/proc/sys/net/core/wmem_default", "131072"),
            ("/proc/sys/net/core/wmem_max", "4194304"),
            ("/proc/sys/net/core/rmem_default", "2097152"),
            ("/proc/sys/net/core/rmem_max", "2097152"),
            ("/proc/sys/net/core/netdev_max_backlog", "5000"),
            ("/proc/sys/net/core/somaxconn", "4096"),
            ("/proc/sys/net/ipv4/tcp_wmem", "4096\t65536\t2048000"),
            ("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t33554432"),
            ("/proc/sys/net/ipv4/tcp_window_scaling", "1"),
            ("/proc/sys/net/ipv4/tcp_max_syn_backlog", "4096"),
            ("/proc/self/mountinfo", "1 1 8:1 / / rw,noatime - xfs /dev/sda1 rw"),
            ("/sys/dev/block/8:1/../queue/scheduler", "[none] mq-deadline"),
            ("/sys/dev/block/8:1/../queue/rotational", "0"),
            ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"),
            ("/proc/meminfo", "MemTotal:       16000000 kB\nSwapTotal: 0 kB"),
            ("/proc/vmstat", "nr_dirty 10\nnr_dirty_threshold 1000"),
        ]))
    }

    fn with(mut self, path: &'static str, text: &'static str) -> Self {
        self.0.insert(path, text);
        self
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn deviations(&self) -> Option<String> {
        deviations(&|path| self.read(path))
    }

    fn report(&self, config: &Config) -> Report {
        run(config, &|path| self.read(path), false)
    }
}

fn config(settings: &[(&str, &str)]) -> Config {
    Config::from_overrides(settings).unwrap()
}

fn verdict_of(report: &Report, what: &str) -> Verdict {
    let found = report.findings.iter().find(|finding| finding.what == what);
    found.unwrap_or_else(|| panic!("nothing on {what}:\n{}", report.text())).verdict
}

#[test]
fn a_tuned_machine_and_one_that_shows_nothing_have_no_line_at_start() {
    assert_eq!(Machine::tuned().deviations(), None);
    assert_eq!(Machine(HashMap::new()).deviations(), None);
}

#[test]
fn the_line_at_start_names_the_first_that_deviates_and_the_command() {
    let machine = Machine::tuned()
        .with("/proc/sys/vm/swappiness", "60")
        .with("/proc/sys/net/core/rmem_max", "212992")
        .with("/proc/sys/net/ipv4/tcp_rmem", "4096 16384 1000000");
    let line = machine.deviations().unwrap();
    assert!(line.contains("vm.swappiness=60 (wanted 1) and 2 more") && line.contains("tune.sh apply"), "{line}");
    assert!(!line.contains('\n'));
}

#[test]
fn each_setting_is_judged_as_tune_sh_judges_it() {
    for (path, value, fits) in [
        ("/proc/sys/vm/dirty_background_ratio", "0", false),
        ("/proc/sys/vm/dirty_background_ratio", "9", true),
        ("/proc/sys/vm/dirty_background_ratio", "10", false),
        ("/proc/sys/vm/dirty_ratio", "59", false),
        ("/proc/sys/vm/dirty_ratio", "80", true),
        ("/proc/sys/vm/dirty_ratio", "81", false),
        ("/proc/sys/net/core/somaxconn", "128", false),
        ("/proc/sys/net/core/wmem_default", "212992", false),
        ("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 4194304", true),
        ("/proc/sys/net/ipv4/tcp_wmem", "4096 65536 2047999", false),
    ] {
        assert_eq!(Machine::tuned().with(path, value).deviations().is_none(), fits, "{path}={value}");
    }
    // Bytes that are set stand in place of the ratio, which the kernel then shows as 0.
    let profile =
        Machine::tuned().with("/proc/sys/vm/dirty_ratio", "0").with("/proc/sys/vm/dirty_bytes", "10737418240");
    assert_eq!(profile.deviations(), None);
}

#[test]
fn the_report_judges_disks_sockets_and_memory() {
    let tuned = Machine::tuned().report(&config(&[("log.dirs", "/nowhere/a")]));
    for what in ["file system", "access times", "I/O scheduler", "transparent huge pages", "vm.swappiness"] {
        assert_eq!(verdict_of(&tuned, what), Verdict::Ok, "{what}: {}", tuned.text());
    }
    let machine = Machine::tuned()
        .with("/proc/self/mountinfo", "1 1 8:1 / / rw,relatime - btrfs /dev/sda1 rw,nobarrier")
        .with("/sys/dev/block/8:1/../queue/scheduler", "none [bfq]")
        .with("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never")
        .with("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
        .with("/sys/devices/system/node/online", "0-1")
        .with("/proc/meminfo", "MemTotal: 536870912 kB")
        .with("/proc/sys/net/core/somaxconn", "128");
    let asked = [
        ("log.dirs", "/nowhere/a,/nowhere/b"),
        ("socket.listen.backlog.size", "1000"),
        ("socket.receive.buffer.bytes", "8388608"),
    ];
    let report = machine.report(&config(&asked));
    for what in [
        "file system",
        "access times",
        "mount option",
        "I/O scheduler",
        "its disk",
        "transparent huge pages",
        "CPU governor",
        "NUMA nodes",
        "vm.dirty_bytes",
        "socket.listen.backlog.size",
        "socket.receive.buffer.bytes",
    ] {
        assert_eq!(verdict_of(&report, what), Verdict::Deviates, "{what}: {}", report.text());
    }
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn kafkas_backlog_of_50_is_told_and_a_large_one_is_not() {
    let told = |backlog: &str| {
        let report = Machine::tuned().report(&config(&[("socket.listen.backlog.size", backlog)]));
        report.findings.iter().find(|finding| finding.what == "clients at once").map(|finding| finding.verdict)
    };
    assert_eq!((told("50"), told("1023"), told("1024")), (Some(Verdict::Note), Some(Verdict::Note), None));
}

#[test]
fn a_report_is_text_json_and_an_exit_code() {
    let mut report = Report::default();
    report.compare("a", "x", "1", "1", true, "nothing");
    assert_eq!((report.exit_code(), report.text().as_str()), (0, "a\n  ok        x: 1\nall as wanted\n"));
    report.compare("a", "y", "2", "3", false, "mend it");
    assert!(
        report.exit_code() == 1 && report.text().contains("deviates  y: 2 (wanted: 3); mend it"),
        "{}",
        report.text()
    );
    report.broken("b", "z", "gone", "there");
    assert_eq!(report.exit_code(), 2);
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!((json["broken"].as_u64(), json["findings"][1]["mend"].as_str()), (Some(1), Some("mend it")));
}

#[test]
fn the_self_test_measures_a_disk_and_the_loopback_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let report = run(&config(&[("log.dirs", dir.path().to_str().unwrap())]), &|path| crate::ring::fs::read(path), true);
    let numbers: Vec<&str> =
        report.findings.iter().filter(|f| f.area.starts_with("self-test")).map(|f| f.now.as_str()).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|text| text.contains("MB/s")), "{}", report.text());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
