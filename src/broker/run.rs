//! From a configuration to a serving broker, and back.

use super::Failure;
use super::bind::{self, Held};
use super::cores::Cores;
use super::stop;
use crate::admin::Admin;
use crate::base::{BrokerId, Uuid};
use crate::config::Config;
use crate::log::dirs::LogDirs;
use crate::metadata::store::Peeked;
use crate::metadata::{MetadataDelta, MetadataImage};
use crate::network::{self, BoundListener};
use crate::ring::mailbox::Receiver;
use crate::ring::process::{Signals, limits};
use crate::ring::{clock, probe, process, runtime};
use crate::shard::connection_limits::{Bounds, ConnectionLimits};
use crate::shard::{
    Ending, Identity, Job, LogLimits, MoveLimits, Shard, ShardIndex, SharedServices, open_files_budget,
};
use crate::storage::{self, Opened};
use std::rc::Rc;
use std::sync::Arc;

/// Runs a node until it is asked to stop. The error is the sentence to print; the exit code is 1.
pub fn run(config: Config) -> Result<(), Failure> {
    probe::check().map_err(Failure)?;
    let nofile =
        limits::raise_open_files().map_err(|e| Failure(format!("the limit of open files cannot be read: {e}")))?;
    let signals = Signals::install().map_err(|e| Failure(format!("signal handlers cannot be set: {e}")))?;
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let mut opened = storage::open(&config, clock::now().wall).map_err(Failure)?;
    opened.formatted.iter().for_each(|line| tracing::info!("{line}"));
    let held = bind::bind(&config.listeners.broker)?;
    let cores = Cores::choose(&config.cores)?;
    let peeked = opened.metadata.take();
    let shared = shared(config, opened, &held, open_files_budget(nofile))?;
    super::banner::print(&shared, &held.listeners, &cores);
    serve(shared, held, &cores, FirstSeat { signals, peeked })
}

fn shared(config: Config, opened: Opened, held: &Held, open_files_max: usize) -> Result<Arc<SharedServices>, Failure> {
    let mut incarnation = [0; 16];
    process::random_bytes(&mut incarnation);
    let identity = Identity {
        node_id: BrokerId(config.node.node_id),
        cluster_id: opened.cluster_id.into(),
        incarnation_id: Uuid::from_random(incarnation).unwrap_or(Uuid(incarnation)),
        directory_ids: opened.dirs.iter().filter_map(|dir| dir.meta().directory_id).collect(),
    };
    let connection_limits = ConnectionLimits::new(Bounds::of(&config.settings));
    let log_dirs =
        LogDirs::new(opened.dirs, opened.offline).map_err(|e| Failure(format!("the log dirs cannot be read: {e}")))?;
    Ok(Arc::new(SharedServices {
        endpoints: bind::endpoints(&config.listeners.advertised, &held.listeners),
        identity,
        log_dirs: Arc::new(log_dirs),
        open_files_max,
        connection_limits,
        log_limits: LogLimits::new(),
        moves: MoveLimits::default(),
        metadata_dir: opened.metadata_dir,
        config: Arc::new(config),
    }))
}

/// One core's part of the start, handed to its thread.
struct Seat {
    mailbox: Receiver<Job>,
    first: Option<FirstSeat>,
}

/// What the first core leads with.
struct FirstSeat {
    signals: Signals,
    peeked: Option<Peeked>,
}

fn serve(shared: Arc<SharedServices>, held: Held, cores: &Cores, first: FirstSeat) -> Result<(), Failure> {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        cores.numbers().iter().map(|_| crate::ring::mailbox::channel()).unzip();
    let ring = runtime::RingConfig { pack_light_load: shared.config.pack_light_load, ..Default::default() };
    let mut first = Some(first);
    let seats: Vec<_> = receivers
        .into_iter()
        .map(|mailbox| std::sync::Mutex::new(Some(Seat { mailbox, first: first.take() })))
        .collect();
    let listeners: Arc<[BoundListener]> = held.listeners.clone().into();
    let make = move |index: usize| {
        let seat = seats[index].lock().ok().and_then(|mut seat| seat.take());
        let (shared, senders, listeners) = (shared.clone(), senders.clone(), listeners.clone());
        async move {
            let Some(Seat { mailbox, first }) = seat else { return Ending::Asked };
            let shard = Shard::new(ShardIndex(index), shared, senders, Arc::new(MetadataImage::default()));
            runtime::spawn(shard.clone().serve_mailbox(mailbox)).detach();
            runtime::spawn(shard.clone().flush_dirty()).detach();
            runtime::spawn_background(shard.clone().expire_producers()).detach();
            runtime::spawn_background(shard.clone().enforce_retention()).detach();
            match first {
                Some(first) => first_core(shard, first, listeners).await,
                None => {
                    shard.until_left().await;
                    Ending::Asked
                }
            }
        }
    };
    let running = runtime::run_cores(cores.numbers(), ring, make)
        .map_err(|e| Failure(format!("a core's io_uring cannot be set up: {e}")))?;
    let endings = running.join();
    drop(held);
    for ending in endings {
        match ending {
            Ok(Ending::Asked) => {}
            Ok(Ending::Failed(why)) => return Err(Failure(why)),
            Err(e) => return Err(Failure(format!("a core ended: {e}"))),
        }
    }
    Ok(())
}

/// The first core leads: metadata, the others' partitions, listening, the wait, the stop.
async fn first_core(shard: Rc<Shard>, first: FirstSeat, listeners: Arc<[BoundListener]>) -> Ending {
    let FirstSeat { signals, peeked } = first;
    let ending = match start(&shard, peeked, listeners).await {
        Ok(()) => {
            let asking = shard.clone();
            runtime::spawn(async move {
                signals.recv().await;
                asking.end(Ending::Asked);
            })
            .detach();
            shard.until_end().await
        }
        Err(Failure(why)) => Ending::Failed(why),
    };
    stop::stop(&shard, &ending).await;
    ending
}

/// Opens all logs that are there, before anybody asks for one: so many threads per directory, no shard among them.
async fn open_logs(shard: &Rc<Shard>, image: &MetadataImage) {
    let (dirs, wanted) = (shard.shared.log_dirs.clone(), shard.wanted_logs(image));
    let threads = shard.shared.config.log.recovery_threads_per_dir;
    runtime::blocking(move || dirs.open_ahead(wanted, threads, clock::now(), clock::mono)).await;
}

async fn start(shard: &Rc<Shard>, peeked: Option<Peeked>, listeners: Arc<[BoundListener]>) -> Result<(), Failure> {
    let admin = Admin::start(shard);
    shard.release_reserves().await;
    let log = super::metadata_log::open(shard, peeked).await?;
    let image = Arc::new(log.image().clone());
    shard.take_metadata_log(log);
    open_logs(shard, &image).await;
    let delta = Arc::new(MetadataDelta::all_of(&image));
    shard.publish(image, delta).await;
    super::metadata_log::register(shard).await?;
    shard.cordon_at_start();
    for (core, ways) in network::Ways::among(shard.shard_count()).into_iter().enumerate() {
        let listeners = listeners.clone();
        let serving = shard.call(ShardIndex(core), move |shard| async move {
            network::serve(&shard, &listeners, ways)
                .map(|connections| shard.keep_closing(move || connections.close_all()))
        });
        match serving.await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(Failure(format!("cannot listen: {e}"))),
            Err(_) => return Err(Failure("a core went away during the start".into())),
        }
    }
    runtime::spawn_background(shard.clone().hold_reserves()).detach();
    for core in (0..shard.shard_count()).map(ShardIndex) {
        shard.post(core, |shard| shard.resume_moves());
    }
    shard.hire_cleaners();
    admin.set_serving();
    tracing::info!("ready");
    Ok(())
}
