use super::*;

fn with_file(text: &str, overrides: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let overrides = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let file = Some((PathBuf::from("/etc/server.properties"), text.as_bytes().to_vec()));
    let outside = Outside { hostname: &|| "box7".into(), ..Outside::NOTHING };
    Given { file, overrides }.config(&outside)
}

/// As Kafka 4.3 ships it, with its comments gone.
const KAFKAS_EXAMPLE: &str = "
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

#[test]
fn the_file_kafka_ships_is_taken() {
    let config = with_file(KAFKAS_EXAMPLE, &[]).unwrap();
    assert_eq!(config.node.node_id, 1);
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kraft-combined-logs")]);
    assert_eq!(config.listeners.broker[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.listeners.advertised[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(config.properties_file, Some(PathBuf::from("/etc/server.properties")));
    assert!(!config.warnings.iter().any(|w| w.contains("unknown")), "{:?}", config.warnings);
}

#[test]
fn with_a_file_kafkas_defaults_hold() {
    let config = with_file("", &[]).unwrap();
    assert_eq!(config.listeners.broker[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.listeners.advertised[0].to_string(), "PLAINTEXT://box7:9092");
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kafka-logs")]);
    assert_eq!(config.groups.offsets_topic_partitions, 50);
}

#[test]
fn internal_replication_above_the_live_brokers_is_lowered_with_a_warning() {
    let config = with_file("offsets.topic.replication.factor=2", &[]).unwrap();
    assert_eq!(config.groups.offsets_topic_replication_factor, 1);
    assert_eq!(config.transactions.state_log_replication_factor, 1);
    let told = config.warnings.join("\n");
    assert!(told.contains("offsets.topic.replication.factor=2 is lowered to 1"), "{told}");
    assert!(told.contains("transaction.state.log.replication.factor=3 is lowered to 1"), "{told}");
}

#[test]
fn the_last_override_wins_over_the_file() {
    let config = with_file("num.partitions=2", &[("num.partitions", "3"), ("num.partitions", "4")]).unwrap();
    assert_eq!(config.topics.num_partitions, 4);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = "num.partitions=0\nlog.preallocate=maybe\nsuper.users=User:a\nprocess.roles=broker\n";
    let told = with_file(text, &[]).unwrap_err();
    assert_eq!(told.sentences.len(), 4, "{told}");
    let told = with_file("listeners=x\ncorelog.cores=none\nlog.retention.ms=0\n", &[]).unwrap_err();
    assert_eq!(told.sentences.len(), 3, "{told}");
}

#[test]
fn a_file_that_is_no_properties_file_is_told_with_its_line() {
    let told = with_file("a=1\nb=\\u00zz\n", &[]).unwrap_err().to_string();
    assert_eq!(told, "/etc/server.properties: line 2: malformed \\uxxxx escape");
}

#[test]
fn the_example_file_is_taken_and_names_only_known_keys() {
    let text = include_str!("../../../tuning/server.properties");
    let config = with_file(text, &[]).unwrap();
    assert!(!config.warnings.iter().any(|w| w.contains("unknown") || w.contains("lowered")), "{:?}", config.warnings);
    // What is commented out is as true as the rest: with all of it put in force the file still reads.
    let keys = text.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    for (key, value) in keys.filter(|(key, _)| !key.contains(' ')) {
        let known = crate::config::table::Table::broker().get(key);
        assert!(known.is_some_and(|known| known.parse(value).is_ok()), "{key}={value}");
    }
}

#[test]
fn the_documentation_names_our_own_keys_and_all_guards() {
    use crate::config::table::{Table, Treatment};
    let text = include_str!("../../../docs/CONFIGURATION.md");
    for key in Table::broker().keys() {
        let family = key.name.starts_with("ssl.") || key.name.starts_with("sasl.");
        let told = key.name.starts_with("corelog.") || (key.treatment == Treatment::Guard && !family);
        assert!(!told || text.contains(&format!("`{}`", key.name)), "docs/CONFIGURATION.md does not tell {}", key.name);
    }
    assert!(text.contains("`ssl.*`") && text.contains("`sasl.*`"));
}
