use crate::config::Config;

fn warnings(pairs: &[(&str, &str)]) -> Vec<String> {
    Config::from_overrides(pairs).unwrap().warnings
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    match Config::from_overrides(pairs) {
        Ok(_) => panic!("{pairs:?} must refuse the start"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_guards_refuses_the_start() {
    for (key, value) in [
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", "User:admin"),
        ("create.topic.policy.class.name", "com.example.Policy"),
        ("alter.config.policy.class.name", "com.example.Policy"),
        ("principal.builder.class", "com.example.Builder"),
        ("client.quota.callback.class", "com.example.Quota"),
        ("delegation.token.secret.key", "secret"),
        ("ssl.keystore.location", "/k.jks"),
        ("ssl.client.auth", "required"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        ("sasl.jaas.config", "x"),
        ("listener.name.plaintext.sasl.enabled.mechanisms", "PLAIN"),
        ("listener.name.plaintext.plain.sasl.jaas.config", "x"),
        ("listener.name.plaintext.ssl.client.auth", "required"),
        ("listener.name.plaintext.principal.builder.class", "com.example.Builder"),
        ("security.inter.broker.protocol", "SASL_SSL"),
    ] {
        let told = refusal(&[(key, value)]);
        assert!(told.starts_with(key) && told.contains("unguarded"), "{told}");
        assert!(!told.contains("secret") || key.contains("secret"), "no value is shown: {told}");
    }
}

#[test]
fn a_guard_left_at_its_default_or_empty_is_none() {
    for (key, value) in [
        ("authorizer.class.name", ""),
        ("ssl.client.auth", "none"),
        ("sasl.enabled.mechanisms", "GSSAPI"),
        ("principal.builder.class", "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
        ("security.inter.broker.protocol", "PLAINTEXT"),
        ("super.users", ""),
    ] {
        assert!(Config::from_overrides(&[(key, value)]).is_ok(), "{key}={value}");
    }
}

#[test]
fn only_a_node_of_its_own_starts() {
    for (key, value, why) in [
        ("process.roles", "broker", "cannot join a cluster"),
        ("process.roles", "controller", "cannot join a cluster"),
        ("process.roles", "", "process.roles"),
        ("process.roles", "broker,king", "process.roles"),
        ("controller.quorum.voters", "1@a:9093,2@b:9093", "cannot join a cluster"),
        ("controller.quorum.voters", "2@b:9093", "cannot join a cluster"),
        ("controller.quorum.voters", "1", "id@host:port"),
        ("controller.quorum.voters", "1@host", "id@host:port"),
        ("controller.quorum.voters", "1@:9093", "id@host:port"),
    ] {
        let told = refusal(&[(key, value)]);
        assert!(told.contains(key) && told.contains(why), "{key}={value}: {told}");
    }
    assert_eq!(warnings(&[("process.roles", "controller, broker")]), [""; 0]);
    assert_eq!(warnings(&[("node.id", "5"), ("controller.quorum.voters", "5@localhost:9093")]), [""; 0]);
}

#[test]
fn guards_are_passed_over_on_loopback_when_asked_for() {
    const KEY: (&str, &str) = ("corelog.takeover.unguarded.loopback", "true");
    let guarded = [("authorizer.class.name", "org.example.A"), ("super.users", "User:a")];
    let with = |listener| [&guarded[..], &[KEY, ("listeners", listener)]].concat();
    for listener in ["PLAINTEXT://127.0.0.1:5", "PLAINTEXT://localhost:5", "PLAINTEXT://[::1]:5"] {
        let told = warnings(&with(listener));
        assert_eq!(told.iter().filter(|line| line.contains("not acted on, as")).count(), 2, "{listener}: {told:?}");
    }
    for listener in ["PLAINTEXT://:5", "PLAINTEXT://10.0.0.1:5", "PLAINTEXT://kafka1:5"] {
        assert!(refusal(&with(listener)).contains("reached from other machines"), "{listener}");
    }
    let off = ("corelog.takeover.unguarded.loopback", "false");
    assert!(refusal(&[&guarded[..], &[off]].concat()).contains("authorizer.class.name"));
}

#[test]
fn zookeepers_address_is_told_and_not_asked() {
    let told = warnings(&[("zookeeper.connect", "zk:2181/kafka")]);
    assert!(told.len() == 1 && told[0].contains("zk:2181/kafka"), "{told:?}");
}

#[test]
fn broker_id_is_another_name_of_node_id() {
    assert_eq!(Config::from_overrides(&[("broker.id", "7")]).unwrap().node.node_id, 7);
    assert_eq!(Config::from_overrides(&[("broker.id", "-1")]).unwrap().node.node_id, 1);
    assert!(Config::from_overrides(&[("broker.id", "7"), ("node.id", "7")]).is_ok());
    assert!(refusal(&[("broker.id", "7"), ("node.id", "8")]).contains("broker.id"));
    assert!(refusal(&[("broker.id", "-2")]).contains("node.id"));
}

#[test]
fn keys_of_old_files_are_mapped_with_a_warning() {
    type Row = (&'static [(&'static str, &'static str)], &'static str, &'static str);
    let table: &[Row] = &[
        (&[("port", "9999")], "PLAINTEXT://:9999", "PLAINTEXT://localhost:9999"),
        (&[("host.name", "10.0.0.1")], "PLAINTEXT://10.0.0.1:9092", "PLAINTEXT://10.0.0.1:9092"),
        (&[("host.name", "::1"), ("port", "1")], "PLAINTEXT://[::1]:1", "PLAINTEXT://[::1]:1"),
        (&[("port", "1"), ("advertised.host.name", "k")], "PLAINTEXT://:1", "PLAINTEXT://k:1"),
        (&[("port", "1"), ("advertised.port", "2")], "PLAINTEXT://:1", "PLAINTEXT://localhost:2"),
        (
            &[("listeners", "PLAINTEXT://127.0.0.1:5"), ("advertised.host.name", "k"), ("advertised.port", "6")],
            "PLAINTEXT://127.0.0.1:5",
            "PLAINTEXT://k:6",
        ),
        (
            &[("listeners", "PLAINTEXT://127.0.0.1:5"), ("port", "6")],
            "PLAINTEXT://127.0.0.1:5",
            "PLAINTEXT://127.0.0.1:5",
        ),
    ];
    for (pairs, listener, advertised) in table {
        let config = Config::from_overrides(pairs).unwrap();
        assert_eq!(config.listeners.broker[0].to_string(), *listener, "{pairs:?}");
        assert_eq!(config.listeners.advertised[0].to_string(), *advertised, "{pairs:?}");
        assert!(config.warnings.iter().any(|w| w.contains("old file")), "{:?}", config.warnings);
    }
    assert!(refusal(&[("port", "many")]).contains("many"));
}

#[test]
fn keys_without_effect_and_unknown_keys_are_told_in_one_line_each() {
    let told = warnings(&[
        ("num.network.threads", "3"),
        ("metric.reporters", "com.example.R"),
        ("no.such.key", "1"),
        ("corelog.frob", "1"),
        ("num.partitions", "2"),
    ]);
    assert_eq!(
        told,
        [
            "known, but without effect yet: metric.reporters, num.network.threads",
            "unknown keys: corelog.frob, no.such.key"
        ]
    );
}

#[test]
fn contradicting_values_are_told() {
    for (key, value) in [
        ("log.retention.ms", "0"),
        ("log.retention.hours", "0"),
        ("log.retention.minutes", "-2"),
        ("log.roll.ms", "0"),
        ("offsets.topic.compression.codec", "5"),
    ] {
        assert!(refusal(&[(key, value)]).contains(key), "{key}={value}");
    }
}
