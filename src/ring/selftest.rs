//! What a disk and the loopback give, measured in a few seconds. Blocking; not for a core's thread.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Written and read at once.
const PIECE_BYTES: usize = 1 << 20;
/// Written to the disk.
const DISK_BYTES: usize = 256 << 20;
/// Each part ends after this time, however slow the disk is.
const TIME_MAX: Duration = Duration::from_secs(2);
/// Single syncs timed.
const SYNCS: usize = 100;
/// Sent over the loopback.
const LOOPBACK_BYTES: usize = 512 << 20;
/// Questions and answers of one byte over the loopback.
const ROUND_TRIPS: usize = 2000;

/// What a log directory's disk gives.
#[derive(Clone, Copy, Debug)]
pub struct DiskNumbers {
    /// Bytes a second written one after the other, synced at the end.
    pub write_bytes_per_second: f64,
    /// The middle one of single `fdatasync` after 4 KiB.
    pub sync_median: Duration,
    /// The slowest but one of a hundred.
    pub sync_p99: Duration,
}

impl std::fmt::Display for DiskNumbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mb = self.write_bytes_per_second / 1e6;
        write!(f, "{mb:.0} MB/s written and synced; fdatasync of 4 KiB {:?}, p99 {:?}", self.sync_median, self.sync_p99)
    }
}

/// What the loopback gives: an upper bound of what one connection costs on this machine.
#[derive(Clone, Copy, Debug)]
pub struct LoopbackNumbers {
    /// Bytes a second over one connection.
    pub bytes_per_second: f64,
    /// The middle one of the round trips of one byte.
    pub round_trip_median: Duration,
}

impl std::fmt::Display for LoopbackNumbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} MB/s over one connection; round trip {:?}",
            self.bytes_per_second / 1e6,
            self.round_trip_median
        )
    }
}

/// Removes the file it names.
struct Remove<'a>(&'a Path);

impl Drop for Remove<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Writes and syncs a file in `dir`, and removes it.
pub fn disk(dir: &Path) -> io::Result<DiskNumbers> {
    let path = dir.join(format!(".corelog-self-test-{}", std::process::id()));
    let file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    let _remove = Remove(&path);
    let piece = vec![0x5a; PIECE_BYTES];
    let (began, mut written) = (Instant::now(), 0);
    while written < DISK_BYTES && began.elapsed() < TIME_MAX {
        file.write_all_at(&piece, written as u64)?;
        written += piece.len();
    }
    file.sync_data()?;
    let write_bytes_per_second = written as f64 / began.elapsed().as_secs_f64();
    let (began, mut syncs) = (Instant::now(), Vec::new());
    while syncs.is_empty() || (syncs.len() < SYNCS && began.elapsed() < TIME_MAX) {
        let at = Instant::now();
        // Appended, as a log's are: the sync has to write the new size too.
        file.write_all_at(&piece[..4096], (written + syncs.len() * 4096) as u64)?;
        file.sync_data()?;
        syncs.push(at.elapsed());
    }
    let (sync_median, sync_p99) = middle_and_p99(syncs);
    Ok(DiskNumbers { write_bytes_per_second, sync_median, sync_p99 })
}

fn middle_and_p99(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at =
        |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last()).copied().unwrap_or_default();
    (at(0.5), at(0.99))
}

/// Sends bytes from one thread to another over the loopback.
pub fn loopback() -> io::Result<LoopbackNumbers> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let peer = std::thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut byte = [0];
        for _ in 0..ROUND_TRIPS {
            stream.read_exact(&mut byte)?;
            stream.write_all(&byte)?;
        }
        let mut piece = vec![0; PIECE_BYTES];
        while stream.read(&mut piece)? > 0 {}
        stream.write_all(&byte)
    });
    let numbers = ask(TcpStream::connect(address)?);
    peer.join().map_err(|_| io::Error::other("the other end panicked"))??;
    numbers
}

fn ask(mut stream: TcpStream) -> io::Result<LoopbackNumbers> {
    stream.set_nodelay(true)?;
    let mut byte = [0];
    let mut trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let at = Instant::now();
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        trips.push(at.elapsed());
    }
    let piece = vec![0x5a; PIECE_BYTES];
    let (began, mut sent) = (Instant::now(), 0);
    while sent < LOOPBACK_BYTES && began.elapsed() < TIME_MAX {
        stream.write_all(&piece)?;
        sent += piece.len();
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_exact(&mut byte)?;
    let bytes_per_second = sent as f64 / began.elapsed().as_secs_f64();
    Ok(LoopbackNumbers { bytes_per_second, round_trip_median: middle_and_p99(trips).0 })
}
