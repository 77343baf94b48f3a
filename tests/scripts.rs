//! The scripts with Kafka's names, and tune.sh.

mod cli_support;

use cli_support::{CORELOG, Said, meta, run, said};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A script of the checkout.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch directory")
}

#[test]
fn kafka_storage_formats_and_informs_from_any_directory() {
    let dir = scratch();
    let storage = script("kafka-storage.sh");
    let id = run(&storage, &["random-uuid"], dir.path()).out;
    assert_eq!(id.trim().len(), 22);
    fs::write(dir.path().join("server.properties"), "log.dirs=logs\n").unwrap();
    let info = ["info", "--config", "server.properties"];
    assert_eq!(run(&storage, &info, dir.path()).code, Some(1));
    let format = ["format", "--config", "server.properties", "--cluster-id", id.trim(), "--standalone"];
    let done = run(&storage, &format, dir.path());
    assert!(
        done.code == Some(0) && done.out.starts_with("Formatting dynamic metadata voter directory logs"),
        "{done:?}"
    );
    let again = run(&storage, &format, dir.path());
    assert!(again.code == Some(1) && again.err.contains("already formatted. Use --ignore-formatted"), "{again:?}");
    let done = run(&storage, &info, dir.path());
    assert!(done.code == Some(0) && done.out.contains(&format!("cluster.id={}", id.trim())), "{done:?}");
    assert_eq!(meta(&dir.path().join("logs"), "node.id"), "1");
}

#[test]
fn kafka_dump_log_prints_a_segment() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tools/dump/testdata/txn/00000000000000000000.log");
    let done = run(script("kafka-dump-log.sh"), &["--files", file, "--print-data-log"], scratch().path());
    assert!(done.code == Some(0) && done.out.contains("endTxnMarker: ABORT"), "{done:?}");
    let none = run(script("kafka-dump-log.sh"), &["--print-data-log"], scratch().path());
    assert!(none.code == Some(1) && none.err.contains("--files"), "{none:?}");
}

#[test]
fn the_binary_is_found_by_variable_beside_the_script_or_in_the_checkout() {
    let dir = scratch();
    let version = |script: &Path, corelog_bin: Option<&str>, target: Option<&Path>| -> Said {
        let mut command = Command::new(script);
        command.arg("--version").current_dir("/").env_remove("CORELOG_BIN").env_remove("CARGO_TARGET_DIR");
        command.envs(corelog_bin.map(|bin| ("CORELOG_BIN", bin)));
        command.envs(target.map(|target| ("CARGO_TARGET_DIR", target)));
        said(command)
    };
    let expected = Some(0);
    assert_eq!(version(&script("kafka-server-start.sh"), Some(CORELOG), None).code, expected);
    let missing = version(&script("kafka-server-start.sh"), Some("/nowhere/corelog"), None);
    assert!(missing.code == Some(1) && missing.err.contains("CORELOG_BIN"), "{missing:?}");
    // An installation: scripts and binary in one directory, called by a link.
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for name in ["kafka-server-start.sh", "corelog-env.sh"] {
        fs::copy(script(name), bin.join(name)).unwrap();
    }
    let alone = version(&bin.join("kafka-server-start.sh"), None, Some(dir.path()));
    assert!(alone.code == Some(1) && alone.err.contains("no corelog binary"), "{alone:?}");
    std::os::unix::fs::symlink(CORELOG, bin.join("corelog")).unwrap();
    std::os::unix::fs::symlink(bin.join("kafka-server-start.sh"), dir.path().join("start")).unwrap();
    assert_eq!(version(&dir.path().join("start"), None, None).code, expected);
    // A checkout with its release build.
    fs::create_dir_all(dir.path().join("target/release")).unwrap();
    std::os::unix::fs::symlink(CORELOG, dir.path().join("target/release/corelog")).unwrap();
    fs::remove_file(bin.join("corelog")).unwrap();
    assert_eq!(version(&bin.join("kafka-server-start.sh"), None, Some(&dir.path().join("target"))).code, expected);
}

#[test]
fn start_passes_over_what_is_for_a_jvm_in_one_line() {
    let dir = scratch();
    let mut command = Command::new(script("kafka-server-start.sh"));
    command.args(["-name", "kafkaServer", "-loggc", "--version"]).current_dir(dir.path());
    command.env("CORELOG_BIN", CORELOG).env("KAFKA_HEAP_OPTS", "-Xmx1G").env("KAFKA_JVM_PERFORMANCE_OPTS", "-server");
    let done = said(command);
    assert!(done.code == Some(0) && done.out.starts_with("corelog "), "{done:?}");
    assert_eq!(done.err.lines().count(), 1, "{done:?}");
    for word in ["-name", "-loggc", "KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS"] {
        assert!(done.err.contains(word), "{done:?}");
    }
    let usage = run(script("kafka-server-start.sh"), &[], dir.path());
    assert!(usage.code == Some(1) && usage.err.starts_with("USAGE:"), "{usage:?}");
}

#[test]
fn a_daemon_is_started_and_stopped_by_its_node_id() {
    let dir = scratch();
    // An id nobody else uses: stop looks at every broker of the machine.
    let node_id = 100_000_000 + std::process::id();
    let text = format!("node.id = {node_id}\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=logs\n");
    fs::write(dir.path().join("server.properties"), text).unwrap();
    let format = ["format", "-c", "server.properties", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-s"];
    assert_eq!(run(script("kafka-storage.sh"), &format, dir.path()).code, Some(0));
    let stop = [format!("--node-id={node_id}")];
    let stop: Vec<&str> = stop.iter().map(String::as_str).collect();
    let nobody = run(script("kafka-server-stop.sh"), &stop, dir.path());
    assert!(nobody.code == Some(1) && nobody.err.contains("No kafka server to stop"), "{nobody:?}");

    let mut command = Command::new(script("kafka-server-start.sh"));
    command.args(["-daemon", "server.properties"]).current_dir(dir.path());
    command.env("CORELOG_BIN", CORELOG).env("LOG_DIR", dir.path().join("out"));
    assert_eq!(said(command).code, Some(0));
    until("it listens", || log(dir.path()).contains("listening on"));
    assert_eq!(run(script("kafka-server-stop.sh"), &stop, dir.path()).code, Some(0));
    until("it has stopped cleanly", || dir.path().join("logs/.kafka_cleanshutdown").exists());
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("out/server.log")).unwrap_or_default()
}

/// Waits for something another process does.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !happened() {
        assert!(std::time::Instant::now() < end, "{what} does not come true");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A machine in a directory, for tune.sh.
struct Machine(tempfile::TempDir);

const SETTINGS: [(&str, &str); 16] = [
    ("vm/dirty_background_ratio", "0"),
    ("vm/dirty_background_bytes", "12345678"),
    ("vm/dirty_ratio", "20"),
    ("vm/dirty_bytes", "0"),
    ("vm/swappiness", "60"),
    ("vm/max_map_count", "65530"),
    ("net/core/wmem_default", "212992"),
    ("net/core/wmem_max", "4194304"),
    ("net/core/rmem_default", "212992"),
    ("net/core/rmem_max", "212992"),
    ("net/core/netdev_max_backlog", "1000"),
    ("net/core/somaxconn", "4096"),
    ("net/ipv4/tcp_wmem", "4096\t16384\t4194304"),
    ("net/ipv4/tcp_rmem", "4096\t16384\t1000000"),
    ("net/ipv4/tcp_window_scaling", "1"),
    ("net/ipv4/tcp_max_syn_backlog", "256"),
];

/// The kernel parts numbers by tabs, people by blanks.
fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Machine {
    fn new() -> Self {
        let machine = Self(scratch());
        for (name, value) in SETTINGS {
            let path = machine.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        machine
    }

    fn path(&self, setting: &str) -> PathBuf {
        self.0.path().join("proc/sys").join(setting)
    }

    fn get(&self, setting: &str) -> String {
        one_blank(&fs::read_to_string(self.path(setting)).unwrap())
    }

    fn tune(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(script("tune.sh"));
        command.args(arguments).env("TUNE_ROOT", self.0.path());
        said(command)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("etc").join(name)
    }

    fn is_as_before(&self) -> bool {
        // A real kernel sets a ratio to 0 when its twin in bytes is written.
        let kept = SETTINGS.iter().filter(|(name, _)| *name != "vm/dirty_background_ratio");
        kept.clone().all(|(name, value)| self.get(name) == one_blank(value))
    }
}

#[test]
fn tune_check_changes_nothing_and_names_what_deviates() {
    let machine = Machine::new();
    let done = machine.tune(&["check"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let line = |name: &str| done.out.lines().find(|line| line.trim().starts_with(name)).unwrap_or_default().to_owned();
    for (name, state) in [
        ("vm.swappiness", "deviates"),
        ("vm.dirty_background_ratio", "deviates"),
        ("net.core.wmem_max", "ok"),
        ("net.core.rmem_max", "deviates"),
        ("net.core.somaxconn", "ok"),
        ("net.ipv4.tcp_wmem", "ok"),
        ("net.ipv4.tcp_rmem", "deviates"),
    ] {
        assert!(line(name).trim().ends_with(state), "{name}: {}", done.out);
    }
    assert!(done.out.contains("tune.sh apply") && machine.is_as_before(), "{done:?}");
    assert_eq!(machine.tune(&["check", "--strict"]).code, Some(1));
}

#[test]
fn tune_apply_sets_installs_keeps_higher_maxima_and_is_idempotent() {
    let machine = Machine::new();
    assert_eq!(machine.tune(&["apply"]).code, Some(0));
    for (name, value) in [
        ("vm/swappiness", "1"),
        ("vm/dirty_background_ratio", "5"),
        ("vm/dirty_ratio", "60"),
        ("net/core/rmem_max", "2097152"),
        ("net/core/wmem_max", "4194304"),
        ("net/ipv4/tcp_rmem", "4096 65536 2048000"),
        ("net/ipv4/tcp_wmem", "4096 16384 4194304"),
    ] {
        assert_eq!(machine.get(name), value, "{name}");
    }
    let installed = fs::read_to_string(machine.file("sysctl.d/90-corelog.conf")).unwrap();
    assert!(
        installed.contains("vm.swappiness = 1\n") && installed.contains("net.core.wmem_max = 4194304\n"),
        "{installed}"
    );
    assert!(machine.file("security/limits.d/90-corelog.conf").exists());
    assert_eq!(machine.tune(&["apply"]).code, Some(0));
    assert_eq!(fs::read_to_string(machine.file("sysctl.d/90-corelog.conf")).unwrap(), installed);
    assert_eq!(machine.tune(&["check", "--strict"]).code, Some(0));
    assert_eq!(machine.tune(&["revert"]).code, Some(0));
    assert!(machine.is_as_before());
}

#[test]
fn tune_revert_puts_back_what_was_there_before_the_first_apply() {
    let machine = Machine::new();
    let sysctl = machine.file("sysctl.d/90-corelog.conf");
    fs::create_dir_all(sysctl.parent().unwrap()).unwrap();
    fs::write(&sysctl, "# an administrator's own\n").unwrap();
    let done = machine.tune(&["revert"]);
    assert!(done.code == Some(0) && done.out.contains("nothing was applied"), "{done:?}");
    machine.tune(&["apply"]);
    machine.tune(&["apply", "--lower"]);
    assert_eq!(machine.get("net/core/wmem_max"), "131072");
    assert_eq!(machine.tune(&["revert"]).code, Some(0));
    assert!(machine.is_as_before());
    assert_eq!(fs::read_to_string(&sysctl).unwrap(), "# an administrator's own\n");
    assert!(!machine.file("security/limits.d/90-corelog.conf").exists());
}

#[test]
fn tune_dry_run_and_a_container_change_nothing_and_say_so() {
    let machine = Machine::new();
    for verb in ["apply", "revert"] {
        assert_eq!(machine.tune(&[verb, "--dry-run"]).code, Some(0));
        assert!(machine.is_as_before() && !machine.0.path().join("etc").exists());
    }
    // What a container hides or forbids: a setting that is not there, and one that cannot be written.
    fs::remove_file(machine.path("net/core/rmem_default")).unwrap();
    fs::remove_file(machine.path("vm/swappiness")).unwrap();
    fs::create_dir(machine.path("vm/swappiness")).unwrap();
    let done = machine.tune(&["apply"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("not on this kernel, or hidden from here"), "{done:?}");
    assert_eq!(machine.get("vm/dirty_ratio"), "60");
}

#[test]
fn tune_offers_bytes_for_machines_with_much_memory_and_remembers_the_profile() {
    let machine = Machine::new();
    let profile = ["--profile", "large-memory"];
    assert_eq!(machine.tune(&["apply", profile[0], profile[1]]).code, Some(0));
    let dirty = |machine: &Machine| {
        ["vm/dirty_bytes", "vm/dirty_background_bytes", "vm/dirty_ratio"].map(|name| machine.get(name))
    };
    assert_eq!(dirty(&machine), ["10737418240", "1073741824", "20"]);
    let installed = fs::read_to_string(machine.file("sysctl.d/90-corelog.conf")).unwrap();
    assert!(installed.contains("vm.dirty_bytes = 10737418240") && !installed.contains("dirty_ratio"), "{installed}");
    assert_eq!(machine.tune(&["check", "--strict"]).code, Some(0), "the profile that was applied counts");
    assert_eq!(machine.tune(&["check", "--strict", "--profile", "default"]).code, Some(1));
    assert_eq!(machine.tune(&["revert"]).code, Some(0));
    assert_eq!(dirty(&machine)[1..], ["12345678", "20"]);
    // A real kernel sets the bytes to 0 when the ratio is written back.
    fs::write(machine.path("vm/dirty_bytes"), "0\n").unwrap();
    assert!(machine.is_as_before());
    // Another profile takes the place of the one before.
    machine.tune(&["apply", profile[0], profile[1]]);
    let done = machine.tune(&["apply", "--profile", "default"]);
    assert_eq!((done.code, machine.get("vm/dirty_ratio").as_str()), (Some(0), "60"), "{done:?}");
    assert_eq!(machine.tune(&["check", "--profile", "nothing"]).code, Some(2));
}

#[test]
fn tune_sets_what_is_no_sysctl_and_puts_it_back() {
    let machine = Machine::new();
    let file = |name: &str| machine.0.path().join(name);
    let give = |name: &str, text: &str| {
        fs::create_dir_all(file(name).parent().unwrap()).unwrap();
        fs::write(file(name), text).unwrap();
    };
    let before = [
        ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n", "madvise"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n", "performance"),
        ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n", "performance"),
        ("sys/class/net/eth9/queues/rx-0/rps_cpus", "0000,00000000\n", "2,00000003"),
        ("proc/irq/40/smp_affinity_list", "0-63\n", "0-1,33"),
    ];
    before.iter().for_each(|(name, text, _)| give(name, text));
    give("sys/class/net/eth9/device/msi_irqs/40", "msix\n");
    let words = ["apply", "--interface", "eth9", "--irq-cpus", "0-1,33"];
    assert_eq!(machine.tune(&words).code, Some(0));
    let now = |name: &str| one_blank(&fs::read_to_string(file(name)).unwrap());
    for (name, _, wanted) in before {
        assert_eq!(now(name), wanted, "{name}");
    }
    for name in ["udev/rules.d/60-corelog.rules", "tmpfiles.d/corelog.conf"] {
        assert!(machine.file(name).exists(), "{name}");
    }
    assert!(machine.tune(&words).out.lines().filter(|line| line.contains("eth9")).all(|line| line.ends_with("stays")));
    assert_eq!(machine.tune(&["revert"]).code, Some(0));
    assert_eq!(now("sys/kernel/mm/transparent_hugepage/enabled"), "always");
    assert_eq!(now("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"), "powersave");
    assert_eq!(now("proc/irq/40/smp_affinity_list"), "0-63");
    assert!(!machine.file("udev/rules.d/60-corelog.rules").exists());
    assert_eq!(machine.tune(&["apply", "--interface", "eth9"]).code, Some(2), "the CPUs are missing");
}

/// A file of the checkout.
fn checkout(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn each_kernel_setting_has_its_reason_and_the_values_asked_for() {
    for name in ["tuning/sysctl.d/90-corelog.conf", "tuning/profiles/large-memory.conf"] {
        let text = checkout(name);
        let blocks = text.split("\n\n").filter(|block| block.lines().any(|line| !line.starts_with('#')));
        for block in blocks {
            assert!(block.trim_start().starts_with("# "), "{name}: no reason before\n{block}");
        }
    }
    let text = checkout("tuning/sysctl.d/90-corelog.conf");
    for line in [
        "vm.swappiness = 1",
        "vm.dirty_background_ratio = 5",
        "vm.dirty_ratio = 60",
        "net.core.wmem_default = 131072",
        "net.core.wmem_max = 131072",
        "net.core.rmem_default = 2097152",
        "net.core.rmem_max = 2097152",
        "net.ipv4.tcp_wmem = 4096 65536 2048000",
        "net.ipv4.tcp_rmem = 4096 65536 2048000",
        "net.ipv4.tcp_window_scaling = 1",
        "net.ipv4.tcp_max_syn_backlog = 4096",
        "net.core.netdev_max_backlog = 5000",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
}

/// systemd's own check, where it is installed: the unit's program is one that exists here.
#[test]
fn the_unit_and_the_udev_rules_are_well_formed() {
    let dir = scratch();
    let unit = checkout("tuning/systemd/corelog.service").replace("/usr/local/bin/corelog", "/bin/true");
    fs::write(dir.path().join("corelog.service"), unit).unwrap();
    let mut known = Command::new("sh");
    known.args(["-c", "command -v systemd-analyze"]);
    if said(known).code == Some(0) {
        let done = run("systemd-analyze", &["verify", "./corelog.service"], dir.path());
        let ours: Vec<&str> = done.err.lines().filter(|line| line.contains("corelog.service:")).collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
    for line in checkout("tuning/udev/60-corelog.rules").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        for pair in line.split(", ") {
            let quoted = pair.ends_with('"') && pair.matches('"').count() == 2;
            assert!(quoted && (pair.contains("==") || pair.starts_with("ATTR{queue/")), "{pair}");
        }
    }
}

#[test]
fn wrong_words_for_tune_are_refused() {
    let machine = Machine::new();
    for wrong in [&[][..], &["frob"], &["check", "apply"]] {
        assert_eq!(machine.tune(wrong).code, Some(2), "{wrong:?}");
    }
}
