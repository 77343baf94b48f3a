//! Accepting, receiving heads, answering: bounded in connections, bytes and time.

use super::http::{self, Parsed, Request, Status};
use super::{Admin, health, render};
use crate::config::AdminListener;
use crate::ring::net::{self, Listener, ListenerOptions, Stream};
use crate::ring::runtime;
use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// Connections served at once; one more is told to come later.
const CONNECTIONS_MAX: usize = 16;
/// The rest of a request's head must come within this time.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A connection on which nothing is asked is kept this long: more than the usual time between two scrapes.
const IDLE_TIME: Duration = Duration::from_secs(120);
/// An answer must be taken within this time.
const SEND_TIME: Duration = Duration::from_secs(30);
/// What Prometheus expects.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the listener for as long as the process runs.
pub(super) async fn run(admin: Rc<Admin>, wanted: AdminListener) {
    if let Err(e) = serve(admin, &wanted).await {
        tracing::warn!("corelog.admin.listener={wanted}: {e}. /metrics and /health are not served; the broker goes on");
    }
}

async fn serve(admin: Rc<Admin>, wanted: &AdminListener) -> io::Result<()> {
    let (host, port) = (wanted.host.clone(), wanted.port);
    // Held as long as we listen: another broker must not share the port with us.
    let held = runtime::blocking(move || net::reserve(net::resolve(&host, port)?)).await?;
    let options = ListenerOptions { backlog: CONNECTIONS_MAX as i32, ..ListenerOptions::default() };
    let listener = Listener::bind(held.address(), options)?;
    tracing::info!("metrics on http://{0}/metrics, health on http://{0}/health", held.address());
    let open = Rc::new(Cell::new(0));
    loop {
        let (stream, peer) = listener.accept().await?;
        if open.get() >= CONNECTIONS_MAX {
            let _ = within(SEND_TIME, stream.send(http::plain(Status::Unavailable, None))).await;
            stream.shutdown();
            continue;
        }
        let (admin, place) = (admin.clone(), Place::take(&open));
        runtime::spawn(async move {
            converse(&admin, &stream, peer).await;
            stream.shutdown();
            drop(place);
        })
        .detach();
    }
}

/// A place among the connections, given back when dropped.
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(open: &Rc<Cell<usize>>) -> Self {
        open.set(open.get() + 1);
        Self(open.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Answers the requests of one connection until either side has had enough.
async fn converse(admin: &Rc<Admin>, stream: &Stream, peer: SocketAddr) {
    let mut received = BytesMut::new();
    loop {
        let request = match next_request(stream, &mut received).await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(status) => {
                tracing::debug!("admin listener: {peer}: {status:?}");
                let _ = within(SEND_TIME, stream.send(http::plain(status, None))).await;
                return;
            }
        };
        let answer = respond(admin, &request).await;
        if !matches!(within(SEND_TIME, stream.send(answer)).await, Some(Ok(()))) || request.close {
            return;
        }
    }
}

/// The next request; `None` where there is none, a status where it is none.
async fn next_request(stream: &Stream, received: &mut BytesMut) -> Result<Option<Request>, Status> {
    loop {
        match http::parse(received) {
            Parsed::Request(request, len) => {
                let _ = received.split_to(len);
                return Ok(Some(request));
            }
            Parsed::Bad(status) => return Err(status),
            Parsed::NeedMore => {}
        }
        let (begun, time) = if received.is_empty() { (false, IDLE_TIME) } else { (true, HEAD_TIME) };
        match within(time, stream.recv()).await {
            Some(Ok(chunk)) if !chunk.is_empty() => received.extend_from_slice(&chunk),
            None if begun => return Err(Status::RequestTimeout),
            // The client went away, or asked nothing for a long time.
            _ => return Ok(None),
        }
    }
}

async fn respond(admin: &Rc<Admin>, request: &Request) -> Vec<Bytes> {
    match request.path.as_str() {
        "/metrics" => {
            let _turn = admin.scraping.lock().await;
            http::answer(Status::Ok, METRICS_TYPE, render::scrape(admin, request.gzip).await, Some(request))
        }
        "/health" => {
            let (healthy, body) = health::report(admin).await;
            let status = if healthy { Status::Ok } else { Status::Unavailable };
            http::answer(status, "application/json", body.into(), Some(request))
        }
        "/" => {
            let page = "corelog\n/metrics\n/health\n".to_owned();
            http::answer(Status::Ok, "text/plain; charset=utf-8", page.into(), Some(request))
        }
        _ => http::plain(Status::NotFound, Some(request)),
    }
}

/// The outcome, unless it takes too long.
pub(super) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    let too_long = async {
        runtime::sleep(time).await;
        None
    };
    or(async { Some(work.await) }, too_long).await
}
