//! The single looks: kernel, limits, disks, memory, sockets.

use super::mounts::{self, Mount};
use super::{ReadFile, Report, settings};
use crate::config::{Config, OWN_SEND_BUFFER_BYTES};
use crate::ring::process::limits;
use crate::ring::{fs, probe};
use std::path::{Path, PathBuf};

/// Descriptors for a broker of some size.
const OPEN_FILES_WANTED: u64 = 100_000;
/// Below this much free space a log directory is soon full.
const FREE_SHARE_MIN: f64 = 0.15;
/// Below this, many clients that come back at once find no place in the queue (docs/TUNING.md).
const BACKLOG_OF_A_CROWD: i32 = 1024;
/// From here on the second profile is the better one.
const MUCH_MEMORY_BYTES: u64 = 128 << 30;

fn text(read: ReadFile, path: &str) -> Option<String> {
    let bytes = read(Path::new(path)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Of `[always] madvise never` what is chosen.
fn chosen(text: &str) -> &str {
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(text, |(chosen, _)| chosen)
}

/// The kernel, io_uring, the clock, the cores.
pub fn kernel(report: &mut Report, read: ReadFile) {
    let release = text(read, "/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into());
    match probe::check() {
        Ok(()) => report.compare("kernel", "corelog runs here", "yes", "yes", true, ""),
        Err(why) => report.broken("kernel", "corelog runs here", "no", &why),
    }
    report.note("kernel", "release", &release, "");
    clock_and_cores(report, read);
    match probe::operations() {
        Ok(operations) => {
            for (name, there) in operations {
                if there {
                    report.compare("io_uring", name, "there", "there", true, "");
                } else {
                    report.broken("io_uring", name, "missing", "there");
                }
            }
        }
        Err(e) => report.broken("io_uring", "a ring", &e.to_string(), "can be set up"),
    }
}

fn clock_and_cores(report: &mut Report, read: ReadFile) {
    if let Some(clock) = text(read, "/sys/devices/system/clocksource/clocksource0/current_clocksource") {
        // Others need a system call for each look at the clock.
        let fast = matches!(clock.as_str(), "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter");
        report.compare(
            "kernel",
            "clock source",
            &clock,
            "tsc",
            fast,
            "boot with clocksource=tsc where the CPU allows it",
        );
    }
    if let Some(governor) = text(read, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        let fits = governor == "performance";
        report.compare("kernel", "CPU governor", &governor, "performance", fits, "sudo scripts/tune.sh apply");
    }
    if let Some(nodes) = text(read, "/sys/devices/system/node/online") {
        let one = nodes == "0";
        let mend = "give one broker the cores and the memory of one node: numactl, or CPUAffinity= and NUMAPolicy= in the unit";
        report.compare("kernel", "NUMA nodes", &nodes, "0", one, mend);
    }
    for (what, path) in [
        ("transparent huge pages", "/sys/kernel/mm/transparent_hugepage/enabled"),
        ("their defragmentation", "/sys/kernel/mm/transparent_hugepage/defrag"),
    ] {
        if let Some(setting) = text(read, path) {
            let now = chosen(&setting);
            report.compare("kernel", what, now, "madvise", now != "always", "sudo scripts/tune.sh apply");
        }
    }
}

/// What the process may.
pub fn limits(report: &mut Report, config: &Config) {
    let files = limits::raise_open_files().unwrap_or(0);
    let mend = "LimitNOFILE= in the unit, tuning/limits.d for logins";
    let wanted = format!("{OPEN_FILES_WANTED} or more");
    report.compare("limits", "open files", &files.to_string(), &wanted, files >= OPEN_FILES_WANTED, mend);
    let locked = limits::locked_memory_bytes().unwrap_or(0);
    let shown = if locked == u64::MAX { "unlimited".to_owned() } else { format!("{} KiB", locked >> 10) };
    let mend = "LimitMEMLOCK= in the unit, tuning/limits.d for logins";
    report.compare("limits", "locked memory", &shown, "8192 KiB or more", locked >= 8 << 20, mend);
    let path = config.properties_file.as_deref().map_or("none".into(), |file| file.display().to_string());
    report.note("limits", "properties file", &path, "");
}

/// The file systems of the log directories, and the disks below.
pub fn disks(report: &mut Report, config: &Config, read: ReadFile) {
    let mountinfo = text(read, "/proc/self/mountinfo").unwrap_or_default();
    let mut seen: Vec<String> = Vec::new();
    for dir in &config.log_dirs {
        let area = format!("log dir {}", dir.display());
        let there = there(dir);
        if there != fs::absolute(dir) {
            report.note(&area, "directory", &format!("is not there yet; {} is", there.display()), "");
        }
        let place = fs::canonical(&there).unwrap_or(there);
        let Some(mount) = mounts::of(&mountinfo, &place) else {
            report.note(&area, "file system", "is not told here", "");
            continue;
        };
        file_system(report, &area, &mount);
        if let Ok((free, total)) = fs::free_and_total_bytes(&place) {
            let share = free as f64 / total.max(1) as f64;
            let now = format!("{} of {} GB free", free / 1_000_000_000, total / 1_000_000_000);
            report.compare(&area, "space", &now, "15 % or more", share >= FREE_SHARE_MIN, "delete, or add a disk");
        }
        block_device(report, &area, &mount, read);
        if seen.contains(&mount.device) {
            report.compare(
                &area,
                "its disk",
                "holds another log dir too",
                "one of its own",
                false,
                "one log dir per disk",
            );
        }
        seen.push(mount.device);
    }
}

/// The directory, or what of its path there is already.
pub fn there(dir: &Path) -> PathBuf {
    let whole = fs::absolute(dir);
    whole.ancestors().find(|path| fs::exists(path)).unwrap_or(&whole).to_owned()
}

fn file_system(report: &mut Report, area: &str, mount: &Mount) {
    match mount.kind.as_str() {
        "xfs" => report.compare(area, "file system", "xfs", "xfs", true, ""),
        "ext4" => report.note(
            area,
            "file system",
            "ext4: does as well; a stop after many partitions were written takes longer",
            "xfs",
        ),
        other => report.compare(area, "file system", other, "xfs or ext4", false, "put the logs on XFS"),
    }
    let mend = "add noatime to its options in /etc/fstab, then mount -o remount";
    let atime = if mount.has("noatime") { "noatime" } else { "access times are kept" };
    report.compare(area, "access times", atime, "noatime", mount.has("noatime"), mend);
    for harmful in ["sync", "dirsync", "data=journal", "data=writeback", "nobarrier", "barrier=0"] {
        if mount.has(harmful) {
            report.compare(area, "mount option", harmful, "none of it", false, "see tuning/mount/fstab.example");
        }
    }
}

/// Scheduler and kind of the disk; a partition's are those of its disk.
fn block_device(report: &mut Report, area: &str, mount: &Mount, read: ReadFile) {
    let of = |file: &str| {
        let own = format!("/sys/dev/block/{}/queue/{file}", mount.device);
        text(read, &own).or_else(|| text(read, &format!("/sys/dev/block/{}/../queue/{file}", mount.device)))
    };
    let (Some(scheduler), Some(rotational)) = (of("scheduler"), of("rotational")) else { return };
    let now = chosen(&scheduler);
    let fits = matches!(now, "none" | "mq-deadline");
    report.compare(area, "I/O scheduler", now, "none or mq-deadline", fits, "install tuning/udev/60-corelog.rules");
    let kind = if rotational == "1" { "spinning" } else { "flash or virtual" };
    let ahead = of("read_ahead_kb").unwrap_or_default();
    report.note(area, "disk", &format!("{kind}, read-ahead {ahead} KiB"), "");
}

/// Memory, dirty pages against their limits.
pub fn memory(report: &mut Report, read: ReadFile) {
    let field = |path: &str, name: &str| -> u64 {
        let text = text(read, path).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with([' ', ':'])).map(str::to_owned));
        let number = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok());
        number.unwrap_or(0)
    };
    let total = field("/proc/meminfo", "MemTotal") << 10;
    let mb = |bytes: u64| format!("{} MB", bytes / 1_000_000);
    report.note("memory", "memory", &mb(total), "");
    let pages = |name: &str| field("/proc/vmstat", name) * 4096;
    let dirty = format!(
        "{} dirty, {} being written; write-back begins at {}, writers wait at {}",
        mb(pages("nr_dirty")),
        mb(pages("nr_writeback")),
        mb(pages("nr_dirty_background_threshold")),
        mb(pages("nr_dirty_threshold")),
    );
    report.note("memory", "dirty pages", &dirty, "");
    let bytes = settings::value(read, "vm.dirty_bytes").unwrap_or_default();
    if total >= MUCH_MEMORY_BYTES && matches!(bytes.as_str(), "" | "0") {
        let mend = "sudo scripts/tune.sh apply --profile large-memory";
        report.compare("memory", "vm.dirty_bytes", "0", "bytes in place of ratios", false, mend);
    }
    let swap = field("/proc/meminfo", "SwapTotal") << 10;
    report.note("memory", "swap", &mb(swap), "");
}

/// What the properties ask of sockets, and what the kernel gives.
pub fn sockets(report: &mut Report, config: &Config, read: ReadFile) {
    let kernel = |key: &str| settings::value(read, key).and_then(|value| value.rsplit(' ').next()?.parse::<i64>().ok());
    let network = &config.network;
    let asked = [
        ("socket.send.buffer.bytes", network.socket_send_buffer_bytes, "net.core.wmem_max"),
        ("socket.receive.buffer.bytes", network.socket_receive_buffer_bytes, "net.core.rmem_max"),
        ("socket.listen.backlog.size", network.socket_listen_backlog_size, "net.core.somaxconn"),
    ];
    for (key, wanted, bound) in asked {
        let Some(most) = kernel(bound) else { continue };
        if wanted < 0 {
            report.note("sockets", key, "-1: left to the kernel", "");
            continue;
        }
        if wanted == OWN_SEND_BUFFER_BYTES {
            report.note(
                "sockets",
                key,
                &format!("not given: {} of {wanted} ({bound}={most})", most.min(wanted.into())),
                "",
            );
            continue;
        }
        let mend = format!("raise {bound}");
        let now = format!("{bound}={most}");
        report.compare("sockets", key, &now, &format!("{wanted} or more"), most >= i64::from(wanted), &mend);
    }
    let backlog = network.socket_listen_backlog_size;
    if (0..BACKLOG_OF_A_CROWD).contains(&backlog) {
        let now = format!("{backlog} wait to be accepted at most; thousands that come back together wait for seconds");
        report.note("sockets", "clients at once", &now, "socket.listen.backlog.size=4096");
    }
    for (tcp, core) in [("net.ipv4.tcp_rmem", "net.core.rmem_max"), ("net.ipv4.tcp_wmem", "net.core.wmem_max")] {
        if let (Some(own), Some(most)) = (kernel(tcp), kernel(core)) {
            let now = format!("a connection grows to {own} by itself; {core}={most} bounds sizes that are asked for");
            report.note("sockets", tcp, &now, "");
        }
    }
}
