//! The coordinators of groups, transactions and share groups: what they hold and did.

use crate::admin::coordinators::Phases;
use crate::admin::survey::CoreFacts;
use crate::admin::text::{Kind, Text};
use crate::coordinator::group::GroupsFacts;
use crate::coordinator::transaction::{TransactionFacts, TxnState};
use crate::shard::ShareFacts;

/// Kafka's names for the states of classic groups in `GroupMetadataManager`'s gauges.
const CLASSIC_STATES: [(&str, &str); 5] = [
    ("PreparingRebalance", "kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance"),
    ("CompletingRebalance", "kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance"),
    ("Stable", "kafka_coordinator_group_groupmetadatamanager_numgroupsstable"),
    ("Dead", "kafka_coordinator_group_groupmetadatamanager_numgroupsdead"),
    ("Empty", "kafka_coordinator_group_groupmetadatamanager_numgroupsempty"),
];

/// All cores together.
pub fn write(cores: &[CoreFacts], out: &mut Text) {
    groups(cores, out);
    transactions(cores, out);
    share(cores, out);
}

fn groups(cores: &[CoreFacts], out: &mut Text) {
    let mut facts = GroupsFacts::default();
    cores.iter().for_each(|core| facts.add(core.coordinators.groups.clone()));
    let count = |kind: &str, state: &str| {
        let named = facts.by_state.iter().filter(|((k, s), _)| *k == kind && s.eq_ignore_ascii_case(state));
        named.map(|(_, count)| count).sum::<usize>()
    };
    out.gauge("kafka_coordinator_group_groupmetadatamanager_numoffsets", "Committed offsets.", facts.offsets);
    for (state, name) in CLASSIC_STATES {
        out.gauge(name, "Classic groups in this state.", count("classic", state));
    }
    let of_kind = |kind: &str| facts.by_state.iter().filter(|((k, _), _)| *k == kind).map(|(_, n)| n).sum::<usize>();
    let mut family =
        out.family("kafka_server_group_coordinator_metrics_group_count", Kind::Gauge, "Groups by protocol.");
    ["classic", "consumer", "share", "streams"]
        .iter()
        .for_each(|kind| family.sample(&[("protocol", kind)], of_kind(kind)));
    let states: [(&str, &str, &[&str]); 3] = [
        (
            "consumer",
            "kafka_server_group_coordinator_metrics_consumer_group_count",
            &["empty", "assigning", "reconciling", "stable"],
        ),
        ("share", "kafka_server_group_coordinator_metrics_share_group_count", &["empty", "stable"]),
        (
            "streams",
            "kafka_server_group_coordinator_metrics_streams_group_count",
            &["empty", "not_ready", "assigning", "reconciling", "stable"],
        ),
    ];
    for (kind, name, states) in states {
        let mut family = out.family(name, Kind::Gauge, "Groups by state.");
        states.iter().for_each(|state| family.sample(&[("state", state)], count(kind, &state.replace('_', ""))));
    }
    let counts = facts.counts;
    let name = "kafka_server_group_coordinator_metrics_offset_commit_total";
    out.counter(name, "Offsets committed, those in transactions included.", counts.offset_commits);
    let name = "kafka_server_group_coordinator_metrics_offset_expiration_total";
    out.counter(name, "Offsets that grew too old.", counts.offsets_expired);
    let name = "corelog_group_offsets_removed_total";
    out.counter(name, "Offsets taken out: too old, deleted, or of deleted topics.", counts.offsets_removed);
    let name = "kafka_server_group_coordinator_metrics_group_completed_rebalance_total";
    out.counter(name, "Rebalances of classic groups that ended with an assignment.", counts.classic_rebalances);
    let name = "kafka_server_group_coordinator_metrics_consumer_group_rebalance_total";
    out.counter(name, "Epochs that consumer groups began.", counts.consumer_rebalances);
    let name = "kafka_server_group_coordinator_metrics_share_group_rebalance_total";
    out.counter(name, "Epochs that share groups began.", counts.share_rebalances);
    let name = "kafka_server_group_coordinator_metrics_streams_group_rebalance_total";
    out.counter(name, "Epochs that streams groups began.", counts.streams_rebalances);
    let mut phases = Phases::default();
    cores.iter().for_each(|core| phases.add(core.coordinators.group_phases));
    partitions("kafka_server_group_coordinator_metrics_num_partitions", phases, out);
}

fn partitions(name: &str, phases: Phases, out: &mut Text) {
    let help =
        "Partitions of the internal topic by where their coordinator stands; failed: its records cannot be read.";
    let mut family = out.family(name, Kind::Gauge, help);
    for (state, count) in [("loading", phases.loading), ("active", phases.active), ("failed", phases.failed)] {
        family.sample(&[("state", &state)], count);
    }
}

fn transactions(cores: &[CoreFacts], out: &mut Text) {
    let mut facts = TransactionFacts::default();
    let mut phases = Phases::default();
    for core in cores {
        facts.add(core.coordinators.transactions.clone());
        phases.add(core.coordinators.transaction_phases);
    }
    let mut family = out.family("corelog_transactional_ids", Kind::Gauge, "Transactional ids by state.");
    for state in TxnState::ALL.map(TxnState::name) {
        family.sample(&[("state", &state)], facts.by_state.get(state).copied().unwrap_or(0));
    }
    let help = "Transactions whose markers or last record could not be written yet and are tried again.";
    out.gauge(
        "kafka_coordinator_transaction_transactionmarkerchannelmanager_logappendretryqueuesize",
        help,
        facts.retrying,
    );
    let counts = facts.counts;
    let mut family =
        out.family("corelog_transactions_ended_total", Kind::Counter, "Transactions that ended, all markers written.");
    family.sample(&[("outcome", &"commit")], counts.committed);
    family.sample(&[("outcome", &"abort")], counts.aborted);
    let help = "Transactions aborted because they were open for too long.";
    out.counter("corelog_transactions_timed_out_total", help, counts.timed_out);
    let help = "Transactions aborted because another producer began with their id.";
    out.counter("corelog_transactions_fenced_total", help, counts.fenced);
    partitions("corelog_transaction_coordinator_partitions", phases, out);
}

fn share(cores: &[CoreFacts], out: &mut Text) {
    let mut facts = ShareFacts::default();
    let (mut states, mut phases) = (0, Phases::default());
    for core in cores {
        facts.add(core.coordinators.share);
        states += core.coordinators.share_states;
        phases.add(core.coordinators.share_phases);
    }
    out.gauge("kafka_server_sharesessioncache_sharesessionscount", "Share sessions.", facts.sessions);
    let help = "Partitions in share sessions.";
    out.gauge("kafka_server_sharesessioncache_sharepartitionscount", help, facts.session_partitions);
    out.gauge("corelog_share_partitions", "Share partitions that are being read.", facts.partitions);
    let help = "Records of share partitions between their start and end offset.";
    out.gauge("kafka_server_sharepartitionmetrics_inflightmessagecount", help, facts.in_flight);
    out.gauge("corelog_share_states", "Share partitions whose progress is kept here.", states);
    partitions("kafka_server_share_coordinator_metrics_num_partitions", phases, out);
}
