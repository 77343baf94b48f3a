//! One connection: a reader that starts requests in order, a writer that answers in that order.

use super::frame::{Assembler, SIZE_BYTES, Step};
use super::pending::{InFlight, Pending};
use super::send;
use crate::api::{self, Close, ConnectionInfo, Reply, ResponseHeader, Started};
use crate::base::Instant;
use crate::config;
use crate::protocol::ApiKey;
use crate::ring::clock;
use crate::ring::net::{Detached, FetchPath, Stream};
use crate::ring::runtime;
use crate::shard::stay::{CONNECTION_PATIENCE, Stay};
use crate::shard::{Shard, ShardIndex};
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;

/// Chunks of a dribbling small frame held in receive buffers before they are copied together.
const CHUNKS_HELD_MAX: usize = 4;

/// Frames from this size on that have not wholly arrived are received into a buffer of their own.
const LARGE_FRAME_BYTES: usize = 32 << 10;

/// Answers ready at the same time leave in one send up to about this many bytes.
const COALESCE_BYTES: usize = 256 << 10;

/// A request whose answer is on its way, to be counted when that has left.
struct Answered {
    key: ApiKey,
    began: Instant,
    request_bytes: usize,
    response_bytes: usize,
}

/// A live connection as its shard knows it.
pub struct Connection {
    /// What its requests are told of it.
    pub info: Rc<ConnectionInfo>,
    stream: Stream,
    stay: Stay,
    pending: Pending,
    last_active: Cell<Instant>,
    /// After so many requests for one core's partitions a better place is looked for.
    look_again_at: Cell<u32>,
}

/// Why nothing more is read.
enum End {
    /// The peer has ended, or the broker does.
    Closed,
    /// It goes to another core. With what was received and belongs to no request yet.
    Leaves(ShardIndex, Vec<Bytes>),
}

impl Connection {
    /// Wraps an accepted socket.
    pub fn new(stream: Stream, info: ConnectionInfo, stay: Stay, now: Instant) -> Rc<Self> {
        let (info, pending) = (Rc::new(info), Pending::default());
        let look_again_at = Cell::new(CONNECTION_PATIENCE);
        Rc::new(Self { info, stream, stay, pending, last_active: Cell::new(now), look_again_at })
    }

    /// When a request last arrived or an answer last left; `None` while something is in flight.
    pub fn idle_since(&self) -> Option<Instant> {
        self.pending.is_idle().then(|| self.last_active.get())
    }

    /// Ends the connection from our side.
    pub fn close(&self) {
        self.pending.close();
        self.stream.shutdown();
    }

    /// Serves until either side ends it, or it goes to another core.
    pub async fn serve(self: Rc<Self>, shard: Rc<Shard>) -> Option<(ShardIndex, Detached)> {
        let writer = runtime::spawn(self.clone().write(shard.clone()));
        let leaves = match self.clone().read(&shard).await {
            Ok(End::Leaves(to, rest)) => Some((to, rest)),
            Ok(End::Closed) => None,
            Err(why) => {
                self.warn(&shard, &why);
                None
            }
        };
        let Some((to, rest)) = leaves else {
            self.close();
            writer.await;
            return None;
        };
        // Nothing is in flight; the last answer may still be on its way out.
        self.pending.close();
        writer.await;
        match self.stream.detach(rest).await {
            Ok(detached) => Some((to, detached)),
            Err(e) => {
                self.warn(&shard, &e.to_string());
                self.close();
                None
            }
        }
    }

    /// The core that had better serve it, looked for now and then.
    fn better_place(&self, shard: &Shard) -> Option<ShardIndex> {
        let (owner, requests) = self.info.traffic.owner()?;
        let look_at = self.look_again_at.get();
        if requests < look_at {
            if requests + CONNECTION_PATIENCE < look_at {
                // They are counted anew, being for another core's partitions.
                self.look_again_at.set(CONNECTION_PATIENCE);
            }
            return None;
        }
        // What is to be done here at its end binds it to this core.
        if !shard.shared.config.move_connections || !self.info.ending.is_empty() {
            return None;
        }
        let to = self.stay.next(owner, requests, |core| runtime::load_of(core.0));
        // One that waits for its answers is asked again soon.
        let pause = if to.is_some() { 1 } else { CONNECTION_PATIENCE };
        self.look_again_at.set(requests.saturating_add(pause));
        to
    }

    /// Whether it may leave now: nothing is in flight. Fetches may wait long for their answers, writes do not.
    async fn may_leave(&self) -> bool {
        if !self.pending.is_idle() && self.info.traffic.only_writes() {
            self.pending.until_idle().await;
        }
        self.pending.is_idle()
    }

    async fn read(self: Rc<Self>, shard: &Rc<Shard>) -> Result<End, String> {
        let network = &shard.shared.config.network;
        let mut assembler = Assembler::new(network.socket_request_max_bytes, LARGE_FRAME_BYTES);
        loop {
            let step = assembler.next_step().map_err(|e| e.to_string())?;
            let frame = match step {
                Step::Frame(frame) => frame,
                Step::NeedMore => {
                    if assembler.chunks() > CHUNKS_HELD_MAX {
                        assembler.compact();
                    }
                    let chunk = self.stream.recv().await.map_err(|e| quiet(&e))?;
                    if chunk.is_empty() {
                        return Ok(End::Closed);
                    }
                    assembler.push(chunk);
                    if let Some(to) = self.better_place(shard)
                        && self.may_leave().await
                    {
                        return Ok(End::Leaves(to, assembler.into_rest()));
                    }
                    continue;
                }
                Step::Large { len, arrived } => self.stream.recv_exact(len, arrived).await.map_err(|e| quiet(&e))?,
            };
            if !self.may_start(shard).await {
                return Ok(End::Closed);
            }
            self.start(shard, frame).map_err(|e| e.to_string())?;
        }
    }

    /// Waits until there is room for one more request, and none has to wait for a partition that changes its core.
    async fn may_start(&self, shard: &Shard) -> bool {
        while self.pending.has_room().await {
            if shard.is_gate_open() {
                return true;
            }
            shard.until_gate_is_open().await;
        }
        false
    }

    fn start(&self, shard: &Rc<Shard>, frame: Bytes) -> Result<(), Close> {
        let frame_len = frame.len();
        let started = api::start(shard, &self.info, frame)?;
        shard.stats.requests.set(shard.stats.requests.get() + 1);
        self.last_active.set(started.began);
        self.pending.push(InFlight { started, frame_len });
        Ok(())
    }

    async fn write(self: Rc<Self>, shard: Rc<Shard>) {
        let fetch_path = fetch_path(shard.shared.config.fetch_path);
        let mut answered = Vec::new();
        while let Some((request, reply)) = self.pending.next_reply().await {
            let mut batch = send::Batch::default();
            let mut end = self.add(&mut batch, &mut answered, request, reply);
            while end.is_none() && batch.bytes() < COALESCE_BYTES {
                let Some((request, reply)) = self.pending.ready_reply().await else { break };
                end = self.add(&mut batch, &mut answered, request, reply);
            }
            let sent = batch.send(&self.stream, fetch_path).await;
            let now = clock::mono();
            self.last_active.set(now);
            for Answered { key, began, request_bytes, response_bytes } in answered.drain(..) {
                shard.stats.apis.answered(key, request_bytes, response_bytes, now.since(began));
            }
            match (end, sent) {
                (None, Ok(())) => continue,
                (Some(why), _) => self.warn(&shard, &why.to_string()),
                (None, Err(e)) => self.warn(&shard, &quiet(&e)),
            }
            self.close();
            return;
        }
    }

    fn warn(&self, shard: &Shard, why: &str) {
        // A peer that went away says nothing; see `quiet`.
        if !why.is_empty() {
            let text = format!("connection of {} closed: {why}", self.info.peer);
            shard.shared.log_limits.warn("closed", &text, shard.now().mono);
        }
    }

    fn add(
        &self,
        batch: &mut send::Batch,
        answered: &mut Vec<Answered>,
        request: InFlight,
        reply: Reply,
    ) -> Option<Close> {
        let InFlight { started: Started { response_header: header, key, began, .. }, frame_len } = request;
        let before = batch.bytes();
        let end = Self::add_reply(batch, header, reply);
        if end.is_none() {
            let response_bytes = batch.bytes() - before;
            answered.push(Answered { key, began, request_bytes: SIZE_BYTES + frame_len, response_bytes });
        }
        end
    }

    fn add_reply(batch: &mut send::Batch, header: ResponseHeader, reply: Reply) -> Option<Close> {
        match reply {
            Reply::Silent => None,
            Reply::Close(why) => Some(why),
            Reply::Send(response) => {
                batch.push(header, response);
                None
            }
        }
    }
}

fn fetch_path(configured: config::FetchPath) -> FetchPath {
    match configured {
        config::FetchPath::Auto => FetchPath::Auto,
        config::FetchPath::Sendfile => FetchPath::Sendfile,
        config::FetchPath::Splice => FetchPath::Splice,
        config::FetchPath::Read => FetchPath::ReadSend,
    }
}

/// A peer that goes away is no news; anything else is told.
fn quiet(e: &std::io::Error) -> String {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    if matches!(e.kind(), ConnectionReset | BrokenPipe | UnexpectedEof) { String::new() } else { e.to_string() }
}
