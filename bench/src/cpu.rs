//! CPU time and memory of another process, from /proc; and the CPUs there are.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

static ALLOWED: OnceLock<CpuSet> = OnceLock::new();

/// The CPUs this process might use when it began; it pins itself later, and who is started by it must not inherit that.
pub fn allowed() -> CpuSet {
    *ALLOWED.get_or_init(|| sched_getaffinity(Pid::from_raw(0)).unwrap_or_default())
}

/// How many they are.
pub fn allowed_count() -> usize {
    (0..CpuSet::count()).filter(|id| allowed().is_set(*id).unwrap_or(false)).count()
}

/// CPU time of all threads of `pid`, io_uring's kernel workers included.
pub fn of_process(pid: u32) -> io::Result<Duration> {
    let stats = of_tasks(pid, "schedstat")?;
    let nanoseconds = stats.iter().filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok());
    Ok(Duration::from_nanos(nanoseconds.sum()))
}

/// One file of each thread of `pid`; a thread may end while we look.
fn of_tasks(pid: u32, file: &str) -> io::Result<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?.collect::<io::Result<Vec<_>>>()?;
    Ok(tasks.iter().filter_map(|task| fs::read_to_string(task.path().join(file)).ok()).collect())
}

/// User and system CPU time of `pid`, in clock ticks' precision (10 ms).
pub fn user_and_system(pid: u32) -> io::Result<(Duration, Duration)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |index: usize| after_name.split(' ').nth(index).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    Ok((Duration::from_millis(ticks(11) * 10), Duration::from_millis(ticks(12) * 10)))
}

/// Resident memory of `pid` in bytes.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    Ok(statm.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 4096)
}

/// How often the threads of `pid` left the CPU, by waiting or by force.
pub fn context_switches(pid: u32) -> io::Result<u64> {
    let statuses = of_tasks(pid, "status")?;
    let counts = statuses.iter().flat_map(|status| status.lines()).filter(|line| line.contains("ctxt_switches:"));
    Ok(counts.filter_map(|line| line.split('\t').nth(1)?.parse::<u64>().ok()).sum())
}

/// Bytes that `pid` caused to be sent to disks. Zero where the kernel does not count them.
pub fn written_bytes(pid: u32) -> io::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.and_then(|n| n.parse().ok()).unwrap_or(0))
}

/// Bytes of pages that the whole machine has written back.
pub fn written_back_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/vmstat").ok()?;
    let pages = text.lines().find_map(|line| line.strip_prefix("nr_written "))?;
    Some(pages.parse::<u64>().ok()? * 4096)
}

/// Fills a file and removes it, so that the page cache a run fills at once afterwards is made of pages that the host of
/// a virtual machine backs already: a first touch costs more than everything that is measured. A host that takes back
/// free pages does so after two seconds, hence small runs.
pub fn warm_page_cache(dir: &std::path::Path, bytes: usize) -> io::Result<()> {
    let path = dir.join(format!("bench-warm-{}", std::process::id()));
    let mut file = fs::File::create(&path)?;
    fs::remove_file(&path)?;
    let block = vec![1_u8; 1 << 20];
    (0..bytes >> 20).try_for_each(|_| io::Write::write_all(&mut file, &block))
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_cpu_time_of_a_process_grows_while_it_works() {
        let pid = std::process::id();
        let before = of_process(pid).unwrap();
        let wanted = Duration::from_millis(50);
        let began = Instant::now();
        let mut spun = 0_u64;
        // Other work on the machine may take the core: it is the process's own time that has to pass.
        while of_process(pid).unwrap() < before + wanted {
            spun = std::hint::black_box(spun + 1);
            assert!(began.elapsed() < Duration::from_secs(60), "no CPU time is seen after {spun} turns");
        }
        let (user, system) = user_and_system(pid).unwrap();
        assert!(user + system > Duration::ZERO);
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert!(context_switches(pid).unwrap() > 0);
    }

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&mut [4.0]), 4.0);
        assert!(median(&mut []).is_nan());
    }
}
