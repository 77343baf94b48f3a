//! Who serves in a campaign.

use crate::campaign::plan::Item;
use crate::cgroup::MemoryGroup;
use crate::floor::Floor;
use crate::how::{Once, Setting};
use crate::server::{Kind, Server, Setup};
use crate::target::{Gauge, Target};
use std::io;

/// Who serves.
pub enum Contender {
    /// A server that we started, and the memory group it is in, which goes after it.
    Own { name: &'static str, server: Server, _group: Option<MemoryGroup> },
    /// One that runs already.
    Other(String, Target),
    /// A bare loop, started for each run.
    Floor(Floor),
}

impl Contender {
    /// For tables.
    pub fn name(&self) -> &str {
        match self {
            Self::Own { name, .. } => name,
            Self::Other(name, _) => name,
            Self::Floor(_) => "floor",
        }
    }
}

/// All that serve a workload in turn.
///
/// # Errors
/// A server that does not start; memory groups that are not there.
pub fn of(once: &Once, item: &Item) -> io::Result<Vec<Contender>> {
    let setting = item.workload.how().setting;
    let mut all = Vec::new();
    if let Some(address) = once.address {
        let gauge = match (once.pid, once.metrics, &once.cgroup) {
            (Some(pid), ..) => Gauge::Process(pid),
            (_, Some(metrics), _) => Gauge::Metrics(metrics),
            (.., Some(dir)) => Gauge::Group(dir.clone()),
            _ => Gauge::Nothing,
        };
        all.push(Contender::Other(once.label.clone(), Target { address, gauge, data: None, until_listening: None }));
        return Ok(all);
    }
    for kind in once.servers.kinds() {
        all.push(own(&kind, once, setting, item.workload.work().properties())?);
    }
    // The floors are bare loops on one core.
    if !once.no_floor && setting.cores == Some(1) {
        all.extend(item.workload.work().floor()?.map(Contender::Floor));
    }
    Ok(all)
}

fn own(kind: &Kind, once: &Once, setting: &Setting, more: Vec<(&'static str, &'static str)>) -> io::Result<Contender> {
    // A heap of 1 GB is not what is compared.
    let heap = if matches!(kind, Kind::Kafka(_)) { 1024 } else { 0 };
    let group = setting.memory.map(|megabytes| MemoryGroup::new((megabytes + heap) << 20)).transpose()?;
    let own = setting.properties.iter().map(|(key, value)| (key.clone().into(), value.clone()));
    let setup = Setup {
        group: group.as_ref().map(MemoryGroup::entrance),
        cores: setting.cores.map(|cores| cores as usize),
        properties: more.into_iter().map(|(key, value)| (key.into(), value.to_owned())).chain(own).collect(),
    };
    let server = Server::start_in(kind, &once.servers.dir, &setup)?;
    Ok(Contender::Own { name: kind.name(), server, _group: group })
}
