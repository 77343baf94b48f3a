//! Echo on corelog's own runtime: what the pump, the tasks and the leases cost.

use corelog::ring::net::{Listener, ListenerOptions, Stream};
use corelog::ring::runtime::{self, RingConfig};
use std::io;

pub fn serve(core: usize) -> io::Result<()> {
    let cores = runtime::run_cores(&[core], RingConfig::default(), |_| async {
        let options = ListenerOptions { backlog: 1024, ..Default::default() };
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), options)?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            runtime::spawn(echo(stream)).detach();
        }
    })?;
    cores.join().into_iter().try_for_each(|core| core.and_then(|outcome: io::Result<()>| outcome))
}

async fn echo(stream: Stream) {
    while let Ok(chunk) = stream.recv().await {
        if chunk.is_empty() || stream.send(vec![chunk]).await.is_err() {
            return;
        }
    }
}
