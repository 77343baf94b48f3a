//! `groups`: what groups cost the broker, beside Apache Kafka's figures in the same call.
//!
//! Each member has a connection of its own. Figures are CPU time of the serving process; of a rebalance also the wall
//! time in which all members, answering at once, got through it.

use crate::members::{Member, assignment, wrong};
use crate::server::{Kind, Server, Servers};
use crate::wire::{Connection, Reply};
use crate::{cpu, kafka};
use corelog::protocol::ApiKey;
use corelog::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use corelog::protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use corelog::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use corelog::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse};
use std::io;
use std::time::{Duration, Instant};

const COMMIT: i16 = 7;
const FETCH: i16 = 8;
/// The topic of all groups.
pub const TOPIC: &str = "bench-groups";
/// How long a rebalance may take.
pub const REBALANCE_MS: i32 = 60_000;

/// Arguments of `groups`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    servers: Servers,
    /// Only what contains this: heartbeats, commits, rebalance, load.
    #[arg(long, default_value = "")]
    only: String,
    /// Groups that send heartbeats.
    #[arg(long, default_value_t = 2000)]
    groups: usize,
    /// Members of each.
    #[arg(long, default_value_t = 5)]
    members: usize,
    /// Members that rebalance.
    #[arg(long, default_value_t = 500)]
    rebalance_members: usize,
    /// Partitions they share.
    #[arg(long, default_value_t = 5000)]
    partitions: i32,
    /// Commits that are loaded.
    #[arg(long, default_value_t = 1_000_000)]
    commits: usize,
    /// Seconds of heartbeats and of commits.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// `groups`: each workload on each server in turn.
pub fn run(args: &Args) -> io::Result<()> {
    type Workload = fn(&Args, &Kind) -> io::Result<String>;
    let workloads: [(&str, Workload); 6] = [
        ("heartbeats classic", |args, kind| heartbeats(args, kind, false)),
        ("heartbeats consumer", |args, kind| heartbeats(args, kind, true)),
        ("commits", commits),
        ("rebalance classic", rebalance_classic),
        ("rebalance consumer", rebalance_consumer),
        ("load", load),
    ];
    for (name, workload) in workloads.into_iter().filter(|(name, _)| name.contains(&args.only)) {
        for kind in &args.servers.kinds() {
            println!("{name:>20}  {:<8} {}", kind.name(), workload(args, kind)?);
        }
    }
    Ok(())
}

/// All members through JoinGroup and SyncGroup of their groups; which of them lead.
fn form(members: &mut [Member], per_group: usize, partitions: i32) -> io::Result<Vec<usize>> {
    members.iter_mut().try_for_each(Member::join)?;
    joined_and_synced(members, per_group, partitions)
}

/// A rebalance of one group that is Stable: its leader joins again, then, told so by their heartbeats, the others.
fn again(members: &mut [Member], leader: usize, partitions: i32) -> io::Result<()> {
    let count = members.len();
    members[leader].join()?;
    // Who joins before the leader is answered at once, as nothing has changed.
    let witness = usize::from(leader == 0);
    while members[witness].is_stable()? {}
    for (_, member) in members.iter_mut().enumerate().filter(|(index, _)| *index != leader) {
        member.join()?;
    }
    joined_and_synced(members, count, partitions).map(drop)
}

fn joined_and_synced(members: &mut [Member], per_group: usize, partitions: i32) -> io::Result<Vec<usize>> {
    let mut leaders = Vec::new();
    for (index, member) in members.iter_mut().enumerate() {
        let ids = member.joined()?;
        if !ids.is_empty() {
            leaders.push((index, ids));
        }
    }
    let share = partitions / per_group as i32;
    let mut plans = vec![Vec::new(); members.len()];
    let which = leaders.iter().map(|(index, _)| *index).collect();
    for (index, ids) in leaders {
        let part = |(n, id): (i32, String)| SyncGroupRequestAssignment {
            member_id: id.into(),
            assignment: assignment(n * share..(n + 1) * share),
        };
        plans[index] = (0..).zip(ids).map(part).collect();
    }
    members.iter_mut().zip(plans).try_for_each(|(member, plan)| member.sync(plan))?;
    members.iter_mut().try_for_each(Member::synced)?;
    Ok(which)
}

/// `work` at `rate` a second for some seconds, in pieces of 10 ms; the part of a core that the server used.
fn paced(server: &Server, rate: usize, seconds: u64, mut work: impl FnMut(usize) -> io::Result<()>) -> io::Result<f64> {
    let (before, began) = (cpu::of_process(server.pid())?, Instant::now());
    for piece in 0..seconds * 100 {
        work((rate as u64 * (piece + 1) / 100 - rate as u64 * piece / 100) as usize)?;
        let due = Duration::from_millis((piece + 1) * 10);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    Ok((cpu::of_process(server.pid())? - before).as_secs_f64() / began.elapsed().as_secs_f64())
}

fn heartbeats(args: &Args, kind: &Kind, consumer: bool) -> io::Result<String> {
    let server = Server::start(kind, &args.servers.dir)?;
    kafka::create_topic(server.address, TOPIC, args.members as i32)?;
    server.await_coordinator()?;
    let name = |n: usize| format!("group-{}", n / args.members);
    let mut members: Vec<Member> =
        (0..args.groups * args.members).map(|n| Member::new(&server, name(n), n)).collect::<io::Result<_>>()?;
    let interval_ms = if consumer { 5000 } else { 3000 };
    if consumer {
        for _ in 0..4 {
            members.iter_mut().try_for_each(Member::beat)?;
            for member in &mut members {
                member.told()?;
            }
            // Targets keep their distance in time.
            std::thread::sleep(Duration::from_millis(1100));
        }
    } else {
        form(&mut members, args.members, args.members as i32)?;
    }
    let rate = members.len() * 1000 / interval_ms;
    let mut next = 0;
    let used = paced(&server, rate, args.seconds, |count| {
        let range: Vec<usize> = (next..next + count).map(|n| n % members.len()).collect();
        next += count;
        for &n in &range {
            if consumer { members[n].quiet_beat()? } else { members[n].heartbeat()? }
        }
        range.iter().try_for_each(|&n| if consumer { members[n].told().map(drop) } else { members[n].heard() })
    })?;
    Ok(format!("{:.1} % of a core at {rate} heartbeats/s of {} members", used * 100.0, members.len()))
}

fn commit_of(group: &str, partitions: std::ops::Range<i32>, offset: i64) -> OffsetCommitRequest {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some("".into()),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: partitions.map(partition).collect(),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

fn committed(reply: Reply) -> io::Result<()> {
    let reply: OffsetCommitResponse = reply.parse()?;
    let codes = reply.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
    codes.into_iter().find(|code| *code != 0).map_or(Ok(()), |code| Err(wrong("OffsetCommit", code)))
}

fn commits(args: &Args, kind: &Kind) -> io::Result<String> {
    const RATE: usize = 10_000;
    let server = Server::start(kind, &args.servers.dir)?;
    kafka::create_topic(server.address, TOPIC, 10)?;
    server.await_coordinator()?;
    let mut connections: Vec<Connection> =
        (0..100).map(|_| Connection::open(server.address)).collect::<io::Result<_>>()?;
    let mut sent = 0;
    let used = paced(&server, RATE, args.seconds, |count| {
        for n in 0..count {
            let request = commit_of(&format!("group-{n}"), 0..1, sent);
            sent += 1;
            connections[n % 100].send(ApiKey::OffsetCommit, COMMIT, &request)?;
        }
        (0..count).try_for_each(|n| committed(connections[n % 100].receive()?))
    })?;
    Ok(format!("{:.1} % of a core at {RATE} commits/s", used * 100.0))
}

fn rebalance_classic(args: &Args, kind: &Kind) -> io::Result<String> {
    let server = Server::start(kind, &args.servers.dir)?;
    kafka::create_topic(server.address, TOPIC, args.partitions)?;
    server.await_coordinator()?;
    let count = args.rebalance_members;
    let mut members: Vec<Member> =
        (0..count).map(|n| Member::new(&server, "rebalance".into(), n)).collect::<io::Result<_>>()?;
    let leaders = form(&mut members, count, args.partitions)?;
    let [leader] = leaders[..] else { return Err(io::Error::other("not one leader")) };
    let (before, began) = (cpu::of_process(server.pid())?, Instant::now());
    again(&mut members, leader, args.partitions)?;
    let (wall, used) = (began.elapsed(), cpu::of_process(server.pid())? - before);
    Ok(format!(
        "{:.0} ms of CPU, {:.0} ms in all: {count} members, {} partitions",
        used.as_secs_f64() * 1e3,
        wall.as_secs_f64() * 1e3,
        args.partitions
    ))
}

fn settle(members: &mut [Member], partitions: usize) -> io::Result<()> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        members.iter_mut().try_for_each(Member::beat)?;
        let mut news = false;
        for member in members.iter_mut() {
            news |= member.told()?;
        }
        let assigned: usize = members.iter().map(Member::partitions).sum();
        if !news && assigned == partitions && members.iter().all(|member| member.partitions() > 0) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(io::Error::other(format!(
                "{assigned} of {partitions} partitions are assigned after 2 minutes"
            )));
        }
        if !news {
            // Targets keep their distance in time: who asked oftener would measure heartbeats.
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

fn rebalance_consumer(args: &Args, kind: &Kind) -> io::Result<String> {
    let server = Server::start(kind, &args.servers.dir)?;
    kafka::create_topic(server.address, TOPIC, args.partitions)?;
    server.await_coordinator()?;
    let (count, partitions) = (args.rebalance_members, args.partitions as usize);
    let mut members: Vec<Member> =
        (0..count).map(|n| Member::new(&server, "rebalance".into(), n)).collect::<io::Result<_>>()?;
    settle(&mut members, partitions)?;
    // Half of the members go: the other half gets their partitions.
    let mut gone = members.split_off(count / 2);
    std::thread::sleep(Duration::from_millis(1200));
    let (before, began) = (cpu::of_process(server.pid())?, Instant::now());
    for member in &mut gone {
        member.epoch = -1;
        member.quiet_beat()?;
    }
    for member in &mut gone {
        member.told()?;
    }
    settle(&mut members, partitions)?;
    let (half, half_wall) = (cpu::of_process(server.pid())? - before, began.elapsed());
    // And all of them come back at once.
    for member in &mut gone {
        member.epoch = 0;
        member.assigned.clear();
    }
    members.append(&mut gone);
    std::thread::sleep(Duration::from_millis(1200));
    let (before, began) = (cpu::of_process(server.pid())?, Instant::now());
    settle(&mut members, partitions)?;
    let (all, wall) = (cpu::of_process(server.pid())? - before, began.elapsed());
    Ok(format!(
        "{:.0} ms of CPU ({:.0} ms in all) when half of {count} members leave {partitions} partitions, {:.0} ms ({:.0}) when they come back",
        half.as_secs_f64() * 1e3,
        half_wall.as_secs_f64() * 1e3,
        all.as_secs_f64() * 1e3,
        wall.as_secs_f64() * 1e3
    ))
}

fn load(args: &Args, kind: &Kind) -> io::Result<String> {
    const PARTITIONS: i32 = 100;
    let mut server = Server::start(kind, &args.servers.dir)?;
    kafka::create_topic(server.address, TOPIC, PARTITIONS)?;
    server.await_coordinator()?;
    let mut connection = Connection::open(server.address)?;
    let requests = args.commits / PARTITIONS as usize;
    let groups = requests.min(500);
    for first in (0..requests).step_by(50) {
        for n in first..(first + 50).min(requests) {
            let request = commit_of(&format!("group-{}", n % groups), 0..PARTITIONS, n as i64);
            connection.send(ApiKey::OffsetCommit, COMMIT, &request)?;
        }
        for _ in first..(first + 50).min(requests) {
            committed(connection.receive()?)?;
        }
    }
    drop(connection);
    server.restart()?;
    let began = Instant::now();
    let cpu = cpu::of_process(server.pid())?;
    let mut connection = Connection::open(server.address)?;
    let mut group = 0;
    while group < groups {
        let topic = OffsetFetchRequestTopics { name: TOPIC.into(), partition_indexes: vec![0], ..Default::default() };
        let asked = OffsetFetchRequestGroup {
            group_id: format!("group-{group}").into(),
            topics: Some(vec![topic]),
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
        connection.send(ApiKey::OffsetFetch, FETCH, &request)?;
        let reply: OffsetFetchResponse = connection.receive()?.parse()?;
        let Some(reply) = reply.groups.first() else { return Err(io::Error::other("no group in the answer")) };
        match reply.error_code {
            0 => {
                let offset = reply.topics.first().and_then(|t| t.partitions.first()).map_or(-1, |p| p.committed_offset);
                if offset < 0 {
                    return Err(io::Error::other(format!("the offset of group-{group} is lost")));
                }
                group += 1;
            }
            // Still loading, or not yet led.
            14..=16 => std::thread::sleep(Duration::from_millis(1)),
            code => return Err(wrong("OffsetFetch", code)),
        }
        if began.elapsed() > Duration::from_secs(120) {
            return Err(io::Error::other("not loaded after two minutes"));
        }
    }
    let ready = server.until_listening.as_secs_f64() + began.elapsed().as_secs_f64();
    let used = (cpu::of_process(server.pid())? - cpu).as_secs_f64();
    Ok(format!(
        "{:.2} s after the first connection ({ready:.2} s after the process began, {used:.2} s of CPU since): {} commits",
        began.elapsed().as_secs_f64(),
        requests * PARTITIONS as usize
    ))
}
