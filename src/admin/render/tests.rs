use super::*;
use crate::admin::coordinators::{CoordinatorFacts, Phases};
use crate::admin::survey::{ApiFacts, CleanerFacts, ClientFacts, ShareTraffic};
use crate::base::histogram::Histogram;
use crate::base::{Offset, TopicIdPartition, TopicPartition, Uuid};
use crate::coordinator::group::{Counts, GroupFacts, GroupsFacts};
use crate::coordinator::transaction::TransactionFacts;
use crate::partition::PartitionFacts;
use crate::protocol::ApiKey;
use crate::ring::stats::{CoreStats, Stall};
use crate::shard::share::stats::ShareRequests;
use crate::shard::{Fetches, ShareFacts};
use std::collections::HashSet;
use std::time::Duration;

fn partition(topic: &str, index: i32) -> PartitionFacts {
    let mut id = [1; 16];
    topic.bytes().zip(&mut id).for_each(|(from, to)| *to = from);
    PartitionFacts {
        id: TopicIdPartition { topic_id: Uuid(id), partition: index },
        name: TopicPartition::new(topic, index),
        start: Offset(5),
        high_watermark: Offset(100),
        end: Offset(101),
        size_bytes: 4096,
        segments: 2,
        producers: 3,
        under_min_isr: false,
        leads: true,
        produces: 7,
        bytes_in: 4000,
        records_in: 96,
    }
}

fn core(number: usize, partitions: Vec<PartitionFacts>) -> CoreFacts {
    let times = Histogram::default();
    times.record(Duration::from_micros(100));
    times.record(Duration::from_secs(300));
    let produce = ApiFacts {
        key: ApiKey::Produce,
        requests: 2,
        request_bytes: 20,
        response_bytes: 10,
        total_time: times.snapshot(),
    };
    let fetched_by_topic = partitions.first().map(|p| (p.id.topic_id, Fetches { fetches: 4, bytes: 400, failed: 1 }));
    CoreFacts {
        core: number,
        runtime: CoreStats {
            stalls: vec![Stall { task: "corelog::x::y::{{closure}}", count: 2, total: Duration::from_millis(50) }],
            ..CoreStats::default()
        },
        requests: 2,
        hops: 1,
        batches: 1,
        writes: 1,
        flushes: 1,
        connections: 3,
        connections_taken: 4,
        connections_moved: 1,
        partitions_moved: 1,
        moves_in_vain: 0,
        connections_refused: 0,
        bytes_in: 4000,
        records_in: 96,
        produces: 7,
        produces_failed: 1,
        apis: vec![produce],
        errors: vec![(ApiKey::Produce, 6, 5)],
        fetched: Fetches { fetches: 4, bytes: 400, failed: 1 },
        fetched_by_topic: fetched_by_topic.into_iter().collect(),
        share: ShareTraffic {
            all: ShareRequests { fetches: 5, fetches_failed: 1, acknowledgements: 3, acknowledgements_failed: 2 },
            acknowledged: [0, 10, 4, 3, 1],
            locks_timed_out: 6,
            ..Default::default()
        },
        fetch_sessions: (1, 10),
        waiting_fetches: 2,
        partitions,
        offline_partitions: 0,
        cleaner: CleanerFacts::default(),
        groups: Vec::new(),
        group_count: 0,
        coordinators: CoordinatorFacts::default(),
        client_instances: 1,
        client_series_left_out: 3,
        client_series: vec![ClientFacts {
            client_id: "a \"client\"".into(),
            instance_id: Uuid([0; 16]),
            software: "librdkafka 2.6".into(),
            metric: "org.apache.kafka.producer.record.send.rate".into(),
            labels: "node=1".into(),
            value: 2.5,
        }],
    }
}

fn snapshot(cores: Vec<CoreFacts>) -> Snapshot {
    let dir = DirFacts { path: "/data".into(), failed: true, full: false, free_bytes: 1, total_bytes: 2 };
    Snapshot {
        node: BrokerId(1),
        cluster_id: "c".into(),
        started: TimestampMs(1_700_000_000_000),
        now: TimestampMs(1_700_000_010_000),
        phase: Phase::Serving,
        core_count: cores.len(),
        cores,
        image: Arc::default(),
        dirs: vec![dir],
        left_to_recover: (3, 1000),
        machine: MachineFacts::default(),
        pooled_idle_bytes: 0,
    }
}

fn group(id: &str, offsets: Vec<(Arc<str>, i32, i64)>) -> GroupFacts {
    GroupFacts { id: id.into(), members: 2, offsets }
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
}

#[test]
fn coordinators_of_all_cores_are_counted_together() {
    let facts = |groups: usize| CoordinatorFacts {
        groups: GroupsFacts {
            by_state: [
                (("classic", "Stable"), groups),
                (("consumer", "Reconciling"), 2),
                (("share", "Empty"), 1),
                (("streams", "NotReady"), 1),
            ]
            .into(),
            offsets: 10,
            counts: Counts {
                offset_commits: 7,
                offsets_expired: 1,
                consumer_rebalances: 4,
                streams_rebalances: 2,
                ..Counts::default()
            },
        },
        transactions: TransactionFacts {
            by_state: [("Ongoing", 2)].into(),
            retrying: 1,
            counts: crate::coordinator::transaction::Counts { committed: 5, aborted: 2, timed_out: 1, fenced: 3 },
        },
        share: ShareFacts { sessions: 2, session_partitions: 6, partitions: 3, in_flight: 40 },
        share_states: 4,
        group_phases: Phases { loading: 1, active: 20, failed: 1 },
        ..Default::default()
    };
    let mut cores = vec![core(0, Vec::new()), core(1, Vec::new())];
    (cores[0].coordinators, cores[1].coordinators) = (facts(3), facts(5));
    let text = text(&snapshot(cores));
    for line in [
        "kafka_coordinator_group_groupmetadatamanager_numoffsets 20",
        "kafka_coordinator_group_groupmetadatamanager_numgroupsstable 8",
        "kafka_coordinator_group_groupmetadatamanager_numgroupsdead 0",
        "kafka_server_group_coordinator_metrics_group_count{protocol=\"classic\"} 8",
        "corelog_groups_by_state{protocol=\"classic\",state=\"Stable\"} 8",
        "kafka_server_group_coordinator_metrics_consumer_group_count{state=\"reconciling\"} 4",
        "kafka_server_group_coordinator_metrics_share_group_count{state=\"empty\"} 2",
        "kafka_server_group_coordinator_metrics_offset_commit_total 14",
        "kafka_server_group_coordinator_metrics_offset_expiration_total 2",
        "kafka_server_group_coordinator_metrics_consumer_group_rebalance_total 8",
        "kafka_server_group_coordinator_metrics_streams_group_rebalance_total 4",
        "kafka_server_group_coordinator_metrics_streams_group_count{state=\"not_ready\"} 2",
        "kafka_server_group_coordinator_metrics_num_partitions{state=\"failed\"} 2",
        "corelog_transactional_ids{state=\"Ongoing\"} 4",
        "corelog_transactional_ids{state=\"Empty\"} 0",
        "kafka_coordinator_transaction_transactionmarkerchannelmanager_logappendretryqueuesize 2",
        "corelog_transactions_ended_total{outcome=\"commit\"} 10",
        "corelog_transactions_timed_out_total 2",
        "corelog_transactions_fenced_total 6",
        "kafka_server_sharesessioncache_sharepartitionscount 12",
        "kafka_server_sharepartitionmetrics_inflightmessagecount 80",
        "corelog_share_states 8",
    ] {
        has(&text, line);
    }
}

#[test]
fn cores_are_merged_and_told_apart_where_it_matters() {
    let mut one = core(0, vec![partition("orders", 0)]);
    one.groups = vec![group("g", vec![("orders".into(), 0, 90), ("orders".into(), 1, 120), ("gone".into(), 0, 1)])];
    one.group_count = 1;
    let text = text(&snapshot(vec![one, core(1, vec![partition("orders", 1)])]));
    for line in [
        "kafka_network_requestmetrics_requests_total{request=\"Produce\"} 4",
        "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NOT_LEADER_OR_FOLLOWER\"} 10",
        "kafka_network_requestmetrics_totaltime_seconds_bucket{request=\"Produce\",le=\"0.000098304\"} 0",
        "kafka_network_requestmetrics_totaltime_seconds_bucket{request=\"Produce\",le=\"0.000131072\"} 2",
        "kafka_network_requestmetrics_totaltime_seconds_bucket{request=\"Produce\",le=\"+Inf\"} 4",
        "kafka_network_requestmetrics_totaltime_seconds_count{request=\"Produce\"} 4",
        "kafka_server_brokertopicmetrics_bytesin_total 8000",
        "kafka_server_brokertopicmetrics_bytesin_total{topic=\"orders\"} 8000",
        "kafka_server_brokertopicmetrics_bytesout_total{topic=\"orders\"} 800",
        "kafka_log_log_size{topic=\"orders\",partition=\"1\"} 4096",
        "kafka_consumergroup_lag{consumergroup=\"g\",topic=\"orders\",partition=\"0\"} 10",
        // Committed beyond the high watermark: not behind.
        "kafka_consumergroup_lag{consumergroup=\"g\",topic=\"orders\",partition=\"1\"} 0",
        "kafka_consumergroup_current_offset{consumergroup=\"g\",topic=\"gone\",partition=\"0\"} 1",
        "kafka_consumergroup_lag_sum{consumergroup=\"g\"} 10",
        "kafka_server_brokertopicmetrics_totalsharefetchrequests_total 10",
        "kafka_server_brokertopicmetrics_failedsharefetchrequests_total 2",
        "kafka_server_brokertopicmetrics_totalshareacknowledgementrequests_total 6",
        "kafka_server_brokertopicmetrics_failedshareacknowledgementrequests_total 4",
        "kafka_server_sharegroupmetrics_recordacknowledgements_total{ackType=\"Accept\"} 20",
        "kafka_server_sharegroupmetrics_recordacknowledgements_total{ackType=\"Renew\"} 2",
        "kafka_server_sharepartitionmetrics_acquisitionlocktimeout_total 12",
        "kafka_server_socket_server_metrics_connection_count{core=\"1\"} 3",
        "corelog_reactor_stalls_total{task=\"x::y\"} 4",
        "corelog_reactor_stall_seconds_total{task=\"x::y\"} 0.1",
        "kafka_server_clientmetrics_clientmetricsinstancecount 2",
        "corelog_metrics_client_series_left_out 6",
        "corelog_client_metric{client_id=\"a \\\"client\\\"\",client_instance_id=\"AAAAAAAAAAAAAAAAAAAAAA\",client_software=\"librdkafka 2.6\",metric=\"org.apache.kafka.producer.record.send.rate\",labels=\"node=1\"} 2.5",
        "kafka_log_logmanager_offlinelogdirectorycount 1",
        "kafka_log_logmanager_remaininglogstorecover 3",
        "process_start_time_seconds 1700000000",
        "corelog_uptime_seconds 10",
    ] {
        has(&text, line);
    }
    assert!(!text.contains("kafka_consumergroup_lag{consumergroup=\"g\",topic=\"gone\""));
}

#[test]
fn a_core_that_does_not_answer_is_told() {
    let mut told = snapshot(vec![core(1, Vec::new())]);
    told.core_count = 2;
    let text = text(&told);
    has(&text, "corelog_core_up{core=\"0\"} 0");
    has(&text, "corelog_core_up{core=\"1\"} 1");
}

#[test]
fn the_text_is_bounded_and_says_what_it_sums() {
    let topics = topics::TOPICS_MAX + 10;
    let many = (0..topics as i32 * 3).map(|n| partition(&format!("t{:05}", n / 3), n % 3)).collect();
    let mut one = core(0, many);
    let offsets: Vec<(Arc<str>, i32, i64)> = (0..20).map(|p| ("t00000".into(), p, 0)).collect();
    one.groups = (0..groups::GROUPS_MAX + 50).map(|n| group(&format!("g{n}"), offsets.clone())).collect();
    one.group_count = 5000;
    let text = text(&snapshot(vec![one]));
    has(&text, "corelog_metrics_topics_summed 10");
    has(&text, &format!("kafka_server_brokertopicmetrics_bytesin_total{{topic=\"(others)\"}} {}", 10 * 3 * 4000));
    // 2,000 partitions are 666 whole topics of 3.
    has(&text, &format!("corelog_metrics_partitions_left_out {}", topics * 3 - 1998));
    has(&text, "corelog_metrics_groups_left_out 4000");
    has(&text, &format!("corelog_metrics_group_offsets_left_out {}", groups::GROUPS_MAX * 20 - groups::OFFSETS_MAX));
    assert!(text.lines().count() < 50_000 && text.len() < 5 << 20, "{} bytes", text.len());
}

#[test]
fn every_family_is_named_once_and_has_its_samples_behind_it() {
    let text = text(&snapshot(vec![core(0, vec![partition("a", 0)]), core(1, vec![partition("b", 0)])]));
    let (mut seen, mut current) = (HashSet::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(seen.insert(name.to_owned()), "{name} twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            current = name.to_owned();
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(name == current || base == current, "{line} under {current}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
}
