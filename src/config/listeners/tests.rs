use super::*;
use crate::config::Config;

/// The listeners a configuration makes, or its first sentence of refusal.
fn read(pairs: &[(&str, &str)]) -> Result<Listeners, String> {
    Config::from_overrides(pairs).map(|config| config.listeners).map_err(|error| error.sentences[0].clone())
}

fn shown(listeners: &[ListenerConfig]) -> Vec<String> {
    listeners.iter().map(ToString::to_string).collect()
}

#[test]
fn addresses_are_read_in_all_their_forms() {
    let table = [
        ("PLAINTEXT://127.0.0.1:9092", "127.0.0.1", 9092, "PLAINTEXT://127.0.0.1:9092"),
        ("plaintext://Host.example:1", "Host.example", 1, "PLAINTEXT://Host.example:1"),
        ("PLAINTEXT://[::1]:9092", "::1", 9092, "PLAINTEXT://[::1]:9092"),
        ("PLAINTEXT://:0", "", 0, "PLAINTEXT://:0"),
        ("PLAINTEXT://localhost:65535", "localhost", 65535, "PLAINTEXT://localhost:65535"),
    ];
    for (text, host, port, written) in table {
        let listener = &read(&[("listeners", text)]).unwrap().broker[0];
        assert_eq!((listener.host.as_str(), listener.port), (host, port), "{text}");
        assert_eq!(listener.to_string(), written);
    }
}

#[test]
fn wrong_listeners_are_told_with_key_and_value() {
    let table = [
        ("127.0.0.1:9092", "NAME://host:port"),
        ("PLAINTEXT://127.0.0.1", "NAME://host:port"),
        ("PLAINTEXT://127.0.0.1:port", "port must be a number"),
        ("PLAINTEXT://127.0.0.1:65536", "port must be a number"),
        ("PLAINTEXT://127.0.0.1:-1", "port must be a number"),
        ("PLAINTEXT://::1:9092", "NAME://host:port"),
        ("PLAINTEXT://[::1:9092", "NAME://host:port"),
        ("PLAINTEXT://[host]:9092", "no IPv6 address"),
        ("://:9092", "NAME://host:port"),
        ("INSIDE://:9092", "listener.security.protocol.map"),
        ("", "at least one listener"),
        ("CONTROLLER://:9093", "at least one listener"),
    ];
    for (text, why) in table {
        let told = read(&[("listeners", text)]).unwrap_err();
        assert!(told.contains("configuration listeners") && told.contains(why), "{text}: {told}");
    }
}

#[test]
fn one_address_and_port_is_listened_on_once() {
    let table = [
        ("PLAINTEXT://127.0.0.1:9092,PLAINTEXT://127.0.0.2:9092", true),
        ("PLAINTEXT://0.0.0.0:9092,PLAINTEXT://[::]:9092", true),
        ("PLAINTEXT://:0,PLAINTEXT://:0", true),
        ("PLAINTEXT://127.0.0.1:9092,PLAINTEXT://127.0.0.1:9092", false),
        ("PLAINTEXT://:9092,PLAINTEXT://127.0.0.1:9092", false),
        ("PLAINTEXT://0.0.0.0:9092,PLAINTEXT://127.0.0.1:9092", false),
        ("PLAINTEXT://[::]:9092,PLAINTEXT://[::1]:9092", false),
    ];
    for (text, good) in table {
        let advertised = ("advertised.listeners", "PLAINTEXT://h:1");
        assert_eq!(read(&[("listeners", text), advertised]).is_ok(), good, "{text}");
    }
}

#[test]
fn named_listeners_are_mapped_and_advertised_each() {
    let listeners = read(&[
        ("listeners", "INTERNAL://127.0.0.1:9092, EXTERNAL://0.0.0.0:9094"),
        ("advertised.listeners", "external://kafka.example:19094"),
        ("listener.security.protocol.map", "INTERNAL:PLAINTEXT,external:plaintext"),
        ("inter.broker.listener.name", "internal"),
    ])
    .unwrap();
    assert_eq!(shown(&listeners.broker), ["INTERNAL://127.0.0.1:9092", "EXTERNAL://0.0.0.0:9094"]);
    assert_eq!(shown(&listeners.advertised), ["EXTERNAL://kafka.example:19094", "INTERNAL://127.0.0.1:9092"]);
    assert_eq!(listeners.inter_broker, "INTERNAL");
}

#[test]
fn the_controllers_listener_stays_closed() {
    let listeners = read(&[
        ("listeners", "PLAINTEXT://127.0.0.1:9092,CTL://127.0.0.1:9093"),
        ("listener.security.protocol.map", "CTL:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT"),
        ("controller.listener.names", "CTL"),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:9092,CTL://127.0.0.1:9093"),
    ])
    .unwrap();
    assert_eq!(shown(&listeners.broker), ["PLAINTEXT://127.0.0.1:9092"]);
    assert_eq!(shown(&listeners.controller), ["CTL://127.0.0.1:9093"]);
    assert_eq!(shown(&listeners.advertised), ["PLAINTEXT://127.0.0.1:9092"]);
    // Kafka's own example file does not map CONTROLLER.
    let listeners = read(&[("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9093")]).unwrap();
    assert_eq!(shown(&listeners.controller), ["CONTROLLER://:9093"]);
    assert_eq!(shown(&listeners.controller_advertised), ["CONTROLLER://localhost:9093"]);
}

#[test]
fn clients_are_never_told_a_meta_address() {
    for host in ["0.0.0.0", "[::]"] {
        let listener = format!("PLAINTEXT://{host}:9092");
        assert!(read(&[("listeners", &listener)]).unwrap_err().contains("advertised.listeners must be set"));
        let told = read(&[("advertised.listeners", &listener)]).unwrap_err();
        assert!(told.contains("meta-address"), "{told}");
    }
    assert_eq!(shown(&read(&[("listeners", "PLAINTEXT://:9092")]).unwrap().advertised), ["PLAINTEXT://localhost:9092"]);
}

#[test]
fn advertised_names_must_be_listened_on_and_stand_once() {
    for (text, why) in [
        ("OTHER://h:1", "listener.security.protocol.map"),
        ("SSL://h:1", "no listener of the name SSL"),
        ("PLAINTEXT://h:1,PLAINTEXT://g:1", "twice"),
    ] {
        let told = read(&[("advertised.listeners", text)]).unwrap_err();
        assert!(told.contains("advertised.listeners") && told.contains(why), "{text}: {told}");
    }
}

#[test]
fn guarded_listeners_refuse_the_start() {
    for protocol in ["SSL", "SASL_PLAINTEXT", "SASL_SSL"] {
        let listener = format!("{protocol}://127.0.0.1:9093,PLAINTEXT://127.0.0.1:9092");
        let told = read(&[("listeners", &listener)]).unwrap_err();
        assert!(told.contains(protocol) && told.contains("unguarded"), "{told}");
        let map = format!("IN:{protocol}");
        let named = [("listeners", "IN://127.0.0.1:9093"), ("listener.security.protocol.map", map.as_str())];
        assert!(read(&named).unwrap_err().contains("unguarded"));
    }
}

#[test]
fn a_wrong_map_or_inter_broker_name_is_told() {
    for text in ["A:NOPE", "A", "A:SSL,a:PLAINTEXT"] {
        let told = read(&[("listener.security.protocol.map", text)]).unwrap_err();
        assert!(told.contains("listener.security.protocol.map"), "{told}");
    }
    assert!(read(&[("inter.broker.listener.name", "NOPE")]).unwrap_err().contains("inter.broker.listener.name"));
}
