//! Waits, with a bound, until a server does what a load stands on.

use crate::interrupt;
use crate::wire::Connection;
use corelog::protocol::ApiKey;
use corelog::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use corelog::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use corelog::protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, OffsetFetchRequest, OffsetFetchResponse,
};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a coordinator may take.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Groups in a request.
const GROUPS_AT_ONCE: usize = 100;
const OFFSET_FETCH: i16 = 8;
const FIND_COORDINATOR: i16 = 3;
/// `FindCoordinatorRequest.key_type`.
pub const GROUP: i8 = 0;
/// As above.
pub const TRANSACTION: i8 = 1;

/// Until the coordinators of these groups serve them: the topic of offsets is made, led and loaded.
///
/// # Errors
/// Another error than "not yet", or two minutes.
pub fn coordinators(address: SocketAddr, groups: &[String]) -> io::Result<()> {
    each(address, groups, |_| Ok(()))
}

/// The same, and each of the groups has an offset: what was committed is loaded.
///
/// # Errors
/// As above, and a group without one.
pub fn offsets(address: SocketAddr, groups: &[String]) -> io::Result<()> {
    each(address, groups, |group| {
        let offset = group.topics.first().and_then(|topic| topic.partitions.first());
        match offset.map_or(-1, |partition| partition.committed_offset) {
            0.. => Ok(()),
            _ => Err(io::Error::other(format!("the offset of {} is lost", &*group.group_id))),
        }
    })
}

fn each(
    address: SocketAddr,
    groups: &[String],
    check: impl Fn(&OffsetFetchResponseGroup) -> io::Result<()>,
) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    find(&mut connection, GROUP, groups.first().map_or("any", String::as_str))?;
    let began = Instant::now();
    let mut left: Vec<&str> = groups.iter().map(String::as_str).collect();
    while !left.is_empty() {
        let asked = left.iter().take(GROUPS_AT_ONCE).map(|group| OffsetFetchRequestGroup {
            group_id: (*group).into(),
            topics: None,
            ..Default::default()
        });
        let request = OffsetFetchRequest { groups: asked.collect(), ..Default::default() };
        connection.send(ApiKey::OffsetFetch, OFFSET_FETCH, &request)?;
        let reply: OffsetFetchResponse = connection.receive()?.parse()?;
        let mut served = BTreeSet::new();
        for group in &reply.groups {
            match group.error_code {
                0 => {
                    check(group)?;
                    served.insert(&*group.group_id);
                }
                code => not_yet(began, "OffsetFetch", code)?,
            }
        }
        left.retain(|group| !served.contains(group));
        if served.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// Until the coordinator of a group, or of a transactional id, is known.
///
/// # Errors
/// As above.
pub fn find(connection: &mut Connection, kind: i8, key: &str) -> io::Result<()> {
    let began = Instant::now();
    loop {
        let request = FindCoordinatorRequest { key: key.into(), key_type: kind, ..Default::default() };
        connection.send(ApiKey::FindCoordinator, FIND_COORDINATOR, &request)?;
        let reply: FindCoordinatorResponse = connection.receive()?.parse()?;
        if reply.error_code == 0 {
            return Ok(());
        }
        not_yet(began, "FindCoordinator", reply.error_code)?;
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Nothing, where waiting longer may help: the coordinator is not available, loads, or is not there yet.
///
/// # Errors
/// Any other code, and the bound.
pub fn not_yet(began: Instant, what: &str, code: i16) -> io::Result<()> {
    interrupt::check()?;
    if !(14..=16).contains(&code) {
        return Err(io::Error::other(format!("{what} was answered with error {code}")));
    }
    if began.elapsed() > WAIT_MAX {
        let seconds = WAIT_MAX.as_secs();
        return Err(io::Error::other(format!("{what} is still answered with error {code} after {seconds} s")));
    }
    Ok(())
}
