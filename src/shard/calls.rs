//! Asking another core: a job travels there, its answer comes home to the waiting task.
//!
//! The waiting task's end stays in a slab on the home core, so nothing that is not `Send` leaves
//! its thread and no foreign thread wakes a task of ours.

use super::{Shard, ShardIndex};
use crate::base::local::{self, Receiver};
use crate::ring::runtime;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

/// What a mailbox carries: work to do on the shard that reads it.
pub type Job = Box<dyn FnOnce(&Rc<Shard>) + Send>;

/// The other core stopped before it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

type Answer = Box<dyn Any + Send>;

/// Calls of this core that other cores have not answered yet.
#[derive(Default)]
pub(super) struct Calls {
    waiting: RefCell<HashMap<u64, Box<dyn FnOnce(Answer)>>>,
    next: RefCell<u64>,
}

impl Calls {
    fn register<R: 'static>(&self) -> (u64, Receiver<R>) {
        let (tx, rx) = local::oneshot::<R>();
        let mut next = self.next.borrow_mut();
        *next += 1;
        let give = move |answer: Answer| {
            if let Ok(value) = answer.downcast::<R>() {
                tx.send(*value);
            }
        };
        self.waiting.borrow_mut().insert(*next, Box::new(give));
        (*next, rx)
    }

    fn answer(&self, call: u64, answer: Answer) {
        let waiting = self.waiting.borrow_mut().remove(&call);
        if let Some(give) = waiting {
            give(answer);
        }
    }
}

impl Shard {
    /// Sends a job without waiting for it. Jobs from one core to another run in the order sent.
    pub fn post(&self, to: ShardIndex, job: impl FnOnce(&Rc<Shard>) + Send + 'static) {
        if to != self.index {
            self.stats.hops.set(self.stats.hops.get() + 1);
        }
        self.mail(to, Box::new(job));
    }

    fn mail(&self, to: ShardIndex, job: Job) {
        // A core that has left takes no mail: the broker is at its end, nobody waits for an answer.
        if let Some(peer) = self.peers.get(to.0) {
            drop(peer.send(job));
        }
    }

    /// Runs `work` on core `to` and brings its answer home. The job is sent when this is called,
    /// not when the future is first polled: order among calls is the order of calling. A call to
    /// the own core does not hop.
    pub fn call<R, F, Fut>(self: &Rc<Self>, to: ShardIndex, work: F) -> CallFuture<R>
    where
        R: Send + 'static,
        F: FnOnce(Rc<Shard>) -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
    {
        if to == self.index {
            return CallFuture::Here(Box::pin(work(self.clone())));
        }
        let home = self.index;
        let (call, rx) = self.calls.register::<R>();
        self.post(to, move |shard| {
            let shard = shard.clone();
            let running = work(shard.clone());
            runtime::spawn(async move {
                let answer = running.await;
                // The way home is part of the same hop.
                shard.mail(home, Box::new(move |home: &Rc<Shard>| home.calls.answer(call, Box::new(answer))));
            })
            .detach();
        });
        CallFuture::There(rx)
    }

    /// Takes jobs from the mailbox until the broker stops.
    pub async fn serve_mailbox(self: Rc<Self>, mut mailbox: crate::ring::mailbox::Receiver<Job>) {
        while let Some(job) = mailbox.recv().await {
            job(&self);
        }
    }
}

/// The answer of a [`Shard::call`].
pub enum CallFuture<R> {
    /// Runs on this core.
    Here(std::pin::Pin<Box<dyn Future<Output = R>>>),
    /// Comes by mail.
    There(Receiver<R>),
}

impl<R: 'static> Future for CallFuture<R> {
    type Output = Result<R, Gone>;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        match self.get_mut() {
            Self::Here(future) => future.as_mut().poll(cx).map(Ok),
            Self::There(rx) => std::pin::Pin::new(rx).poll(cx).map_err(|_| Gone),
        }
    }
}
