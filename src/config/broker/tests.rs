use super::*;
use std::path::PathBuf;

#[test]
fn without_a_file_a_node_is_ready_to_use() {
    let config = Config::from_overrides(&[]).unwrap();
    assert_eq!(config.node.node_id, 1);
    assert_eq!(config.listeners.broker.len(), 1);
    assert_eq!(config.listeners.broker[0].to_string(), "PLAINTEXT://127.0.0.1:9092");
    assert_eq!(config.listeners.advertised, config.listeners.broker);
    assert_eq!(config.log_dirs, [PathBuf::from("./data")]);
    assert_eq!(config.metadata_log_dir, PathBuf::from("./data"));
    assert_eq!(config.cores, CoreSelection::All);
    assert_eq!(config.groups.offsets_topic_replication_factor, 1);
    assert_eq!(config.groups.initial_rebalance_delay_ms, 3000);
    assert_eq!(config.groups.offsets_retention_ms, 7 * 24 * 3_600_000);
    assert_eq!(config.network.socket_request_max_bytes, 104_857_600);
    assert!(config.topics.auto_create && config.topics.delete_enable);
    assert_eq!((config.topics.num_partitions, config.topics.default_replication_factor), (1, 1));
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.properties_file, None);
}

#[test]
fn cores_are_a_count_or_a_list() {
    let table = [
        ("all", Some(CoreSelection::All)),
        ("ALL", Some(CoreSelection::All)),
        ("1", Some(CoreSelection::Count(1))),
        ("0,2", Some(CoreSelection::List(vec![0, 2]))),
        ("0, 2-4", Some(CoreSelection::List(vec![0, 2, 3, 4]))),
        ("3-3", Some(CoreSelection::List(vec![3]))),
        ("0", None),
        ("-1", None),
        ("0,0", None),
        ("3-1", None),
        ("0,3-1", None),
        ("a", None),
        ("0-99999999", None),
        (",", None),
    ];
    for (text, want) in table {
        assert_eq!(cores(text).ok(), want, "{text}");
    }
}

#[test]
fn limits_by_address_are_read() {
    let config = Config::from_overrides(&[("max.connections.per.ip.overrides", "127.0.0.1:5, host:0")]).unwrap();
    let overrides = connections_per_ip_overrides(&config.settings).unwrap();
    assert_eq!(overrides, [("127.0.0.1".to_owned(), 5), ("host".to_owned(), 0)]);
    for bad in ["host", "host:-1", "host:many"] {
        assert!(Config::from_overrides(&[("max.connections.per.ip.overrides", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn log_dirs_win_over_log_dir_and_none_stands_twice() {
    let dirs = |pairs: &[(&str, &str)]| Config::from_overrides(pairs).map(|config| config.log_dirs);
    assert_eq!(dirs(&[("log.dir", "/a")]).unwrap(), [PathBuf::from("/a")]);
    assert_eq!(
        dirs(&[("log.dir", "/a"), ("log.dirs", "/b, /c,")]).unwrap(),
        [PathBuf::from("/b"), PathBuf::from("/c")]
    );
    assert!(dirs(&[("log.dirs", "/b,/b")]).is_err());
    let config = Config::from_overrides(&[("log.dirs", "/b,/c"), ("metadata.log.dir", "/m")]).unwrap();
    assert_eq!(config.metadata_log_dir, PathBuf::from("/m"));
}

#[test]
fn the_fetch_path_is_forced_by_name() {
    for (text, path) in [
        ("auto", FetchPath::Auto),
        ("sendfile", FetchPath::Sendfile),
        ("splice", FetchPath::Splice),
        ("read", FetchPath::Read),
    ] {
        assert_eq!(Config::from_overrides(&[("corelog.fetch.path", text)]).unwrap().fetch_path, path);
    }
    assert!(Config::from_overrides(&[("corelog.fetch.path", "teleport")]).is_err());
}

#[test]
fn socket_buffers_that_are_not_given_are_our_own() {
    let (receive, send) = ("socket.receive.buffer.bytes", "socket.send.buffer.bytes");
    let of = |given: &[(&str, &str)]| {
        let network = Config::from_overrides(given).unwrap().network;
        (network.socket_receive_buffer_bytes, network.socket_send_buffer_bytes)
    };
    assert_eq!(of(&[]), (-1, OWN_SEND_BUFFER_BYTES));
    assert_eq!(of(&[(receive, "102400"), (send, "102400")]), (102_400, 102_400), "as Kafka's own file says");
    assert_eq!(of(&[(send, "-1")]), (-1, -1));
}
