//! Servers under measurement run as processes of their own, so that all of them are measured alike.

use crate::{bare, ring_echo};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Bare io_uring echo.
    BareEcho,
    /// Echo on corelog's runtime.
    RingEcho,
    /// Small requests: receive, crc, reply.
    SmallCrc,
    /// The same, and one append per turn for all requests of it.
    SmallAppend,
    /// The same, with an append and an fdatasync for each request.
    SmallSync,
    /// Frames of a known size: receive, crc, append, reply.
    Produce,
    /// Ranges of a file by sendfile.
    Sendfile,
    /// Ranges of a file read and sent.
    ReadSend,
}

/// Arguments of the hidden `serve`.
#[derive(clap::Args, Clone, Debug)]
pub struct ServeArgs {
    /// Which server.
    #[arg(long)]
    pub kind: Kind,
    /// Core to run on.
    #[arg(long, default_value_t = 0)]
    pub core: usize,
    /// Frame or range size in bytes.
    #[arg(long, default_value_t = 1 << 20)]
    pub size: usize,
    /// Directory for the files.
    #[arg(long, default_value = ".")]
    pub dir: PathBuf,
}

/// Serves until killed. Prints the address first.
pub fn serve(args: &ServeArgs) -> io::Result<()> {
    if args.kind == Kind::RingEcho {
        return ring_echo::serve(args.core);
    }
    core_affinity::set_for_current(core_affinity::CoreId { id: args.core });
    bare::serve(args)
}

/// A server running in its own process; killed on drop.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts one of our own servers.
    pub fn start(args: &ServeArgs) -> io::Result<Self> {
        let kind = format!("{:?}", args.kind);
        let kind =
            kind.chars().flat_map(|c| if c.is_uppercase() { vec!['-', c.to_ascii_lowercase()] } else { vec![c] });
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--kind", kind.collect::<String>().trim_start_matches('-')])
            .args(["--core", &args.core.to_string(), "--size", &args.size.to_string()])
            .arg("--dir")
            .arg(&args.dir)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| io::Error::other(format!("the server said {line:?}")))?;
        Ok(Self { child, address })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
