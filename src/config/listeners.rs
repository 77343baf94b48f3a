//! `listeners`, `advertised.listeners` and `listener.security.protocol.map`.

use super::settings::Settings;

/// How a listener is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL over a plain connection.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The number metadata records store.
    pub fn id(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// One endpoint: where to listen, or what to tell clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// The listener's name in upper case, e.g. `PLAINTEXT` or `INTERNAL`.
    pub name: String,
    /// Host name or address without brackets; empty means every address.
    pub host: String,
    /// Port; 0 lets the kernel choose.
    pub port: u16,
    /// How connections to it are guarded.
    pub protocol: SecurityProtocol,
}

impl ListenerConfig {
    /// True where nobody but this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }
}

/// As the property writes it: `NAME://host:port`, IPv6 in brackets.
impl std::fmt::Display for ListenerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.name, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.name, self.host, self.port)
        }
    }
}

/// The listeners of a node, sorted out by what they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Where clients connect; never empty.
    pub broker: Vec<ListenerConfig>,
    /// The controller's, which stay closed on a standalone node.
    pub controller: Vec<ListenerConfig>,
    /// What a quorum's voters are told of the controller's listeners, as far as there are any.
    pub controller_advertised: Vec<ListenerConfig>,
    /// What clients are told, one per name of `broker`. A port 0 means the one bound.
    pub advertised: Vec<ListenerConfig>,
    /// The name other brokers use.
    pub inter_broker: String,
}

impl Listeners {
    /// Reads and checks the listener keys. Errors are sentences that name the key.
    pub fn read(settings: &Settings) -> Result<Self, String> {
        let map = protocol_map(settings)?;
        let controller_names: Vec<String> =
            settings.list("controller.listener.names").iter().map(|name| name.to_ascii_uppercase()).collect();
        let all = endpoints("listeners", settings.list("listeners"), &map)?;
        let (controller, broker): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|listener| controller_names.contains(&listener.name));
        if broker.is_empty() {
            return Err("Invalid value for configuration listeners: there must be at least one listener that is \
                        not named in controller.listener.names"
                .into());
        }
        check_distinct(&broker)?;
        let told = endpoints(ADVERTISED, settings.list(ADVERTISED), &map)?;
        let (of_controller, told): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|listener| controller_names.contains(&listener.name));
        let advertised = advertised(told, &broker)?;
        let controller_advertised = complete(of_controller, &controller);
        let inter_broker = inter_broker(settings, &advertised)?;
        if let Some(guarded) = broker.iter().find(|listener| listener.protocol != SecurityProtocol::Plaintext) {
            return Err(format!(
                "The listener {guarded} is guarded by {}, which corelog cannot serve yet: it does not start rather \
                 than serve it unguarded. Use PLAINTEXT listeners on a network you trust",
                guarded.protocol.name()
            ));
        }
        Ok(Self { broker, controller, controller_advertised, advertised, inter_broker })
    }

    /// Clients of a listener without a host are told this machine's name.
    pub(super) fn name_host(&mut self, hostname: &dyn Fn() -> String) {
        let all = self.advertised.iter_mut().chain(&mut self.controller_advertised);
        for listener in all.filter(|listener| listener.host.is_empty()) {
            listener.host = Some(hostname()).filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into());
        }
    }
}

type ProtocolMap = Vec<(String, SecurityProtocol)>;

fn protocol_map(settings: &Settings) -> Result<ProtocolMap, String> {
    const KEY: &str = "listener.security.protocol.map";
    let text = settings.text(KEY).unwrap_or_default();
    let mut map = ProtocolMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let protocol = pair.rsplit_once(':').and_then(|(name, protocol)| {
            Some((name.trim().to_ascii_uppercase(), SecurityProtocol::by_name(protocol.trim())?))
        });
        let (name, protocol) = protocol.ok_or_else(|| {
            format!(
                "Invalid value {text} for configuration {KEY}: {pair} is not NAME:PROTOCOL, where the protocol is one \
                 of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"
            )
        })?;
        if map.iter().any(|(other, _)| *other == name) {
            return Err(format!("Invalid value {text} for configuration {KEY}: {name} stands there twice"));
        }
        map.push((name, protocol));
    }
    Ok(map)
}

fn endpoints(key: &str, list: &[String], map: &ProtocolMap) -> Result<Vec<ListenerConfig>, String> {
    let texts = list.iter().filter(|text| !text.is_empty());
    texts
        .map(|text| {
            endpoint(text, map).map_err(|reason| format!("Invalid value {text} for configuration {key}: {reason}"))
        })
        .collect()
}

/// Reads `NAME://host:port`.
fn endpoint(text: &str, map: &ProtocolMap) -> Result<ListenerConfig, String> {
    const FORM: &str =
        "a listener is written NAME://host:port (an IPv6 address in brackets, an empty host for every address)";
    let (name, address) = text.split_once("://").ok_or(FORM)?;
    let (host, port) = address.rsplit_once(':').ok_or(FORM)?;
    let port: u16 = port.parse().map_err(|_| "the port must be a number from 0 to 65535".to_owned())?;
    let host = match host.strip_prefix('[') {
        Some(inner) => {
            let inner = inner.strip_suffix(']').ok_or(FORM)?;
            inner.parse::<std::net::Ipv6Addr>().map_err(|_| format!("[{inner}] is no IPv6 address"))?;
            inner
        }
        None if host.contains(':') || host.contains('/') => return Err(FORM.into()),
        None => host,
    };
    let name = name.to_ascii_uppercase();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return Err(FORM.into());
    }
    let protocol = map.iter().find(|(mapped, _)| *mapped == name).map(|(_, protocol)| *protocol);
    let protocol = protocol.or_else(|| (name == "CONTROLLER").then_some(SecurityProtocol::Plaintext));
    let protocol = protocol.ok_or_else(|| {
        format!("no security protocol is defined for listener {name}: add it to listener.security.protocol.map")
    })?;
    Ok(ListenerConfig { name, host: host.to_owned(), port, protocol })
}

/// Several addresses may carry one name (its advertised endpoint is then the first's), but no address
/// may be listened on twice.
fn check_distinct(broker: &[ListenerConfig]) -> Result<(), String> {
    for (at, listener) in broker.iter().enumerate() {
        let clashes = |other: &ListenerConfig| other.port == listener.port && overlap(&other.host, &listener.host);
        if listener.port != 0 && broker[..at].iter().any(clashes) {
            return Err(format!(
                "Invalid value {listener} for configuration listeners: another listener has that address and port"
            ));
        }
    }
    Ok(())
}

/// Whether two hosts name a common address, as far as their texts tell.
fn overlap(a: &str, b: &str) -> bool {
    let same_family = a.contains(':') == b.contains(':');
    a == b || a.is_empty() || b.is_empty() || (same_family && (is_meta_address(a) || is_meta_address(b)))
}

/// Every address of the machine: good to listen on, useless to tell a client.
fn is_meta_address(host: &str) -> bool {
    matches!(host, "0.0.0.0" | "::")
}

const ADVERTISED: &str = "advertised.listeners";

/// Checks what clients are told, and completes it.
fn advertised(told: Vec<ListenerConfig>, broker: &[ListenerConfig]) -> Result<Vec<ListenerConfig>, String> {
    for (at, listener) in told.iter().enumerate() {
        let wrong = |why: &str| Err(format!("Invalid value {listener} for configuration {ADVERTISED}: {why}"));
        if told[..at].iter().any(|other| other.name == listener.name) {
            return wrong("its name stands there twice");
        }
        if is_meta_address(&listener.host) {
            return wrong("clients cannot connect to a meta-address: name a host or an address they can reach");
        }
        if !broker.iter().any(|b| b.name == listener.name) {
            return wrong(&format!("there is no listener of the name {} in listeners", listener.name));
        }
    }
    if let Some(listener) = broker.iter().find(|listener| told.is_empty() && is_meta_address(&listener.host)) {
        return Err(format!(
            "Invalid value {listener} for configuration listeners: {ADVERTISED} must be set, because clients cannot \
             connect to the meta-address {}",
            listener.host
        ));
    }
    Ok(complete(told, broker))
}

/// A listener without an advertised endpoint tells its own address, as Kafka does for all where
/// `advertised.listeners` is not set.
fn complete(mut told: Vec<ListenerConfig>, listeners: &[ListenerConfig]) -> Vec<ListenerConfig> {
    for listener in listeners {
        if !told.iter().any(|t| t.name == listener.name) {
            let host = if is_meta_address(&listener.host) { String::new() } else { listener.host.clone() };
            told.push(ListenerConfig { host, ..listener.clone() });
        }
    }
    told
}

fn inter_broker(settings: &Settings, advertised: &[ListenerConfig]) -> Result<String, String> {
    let known = |name: &str| advertised.iter().any(|listener| listener.name == name);
    match settings.text("inter.broker.listener.name") {
        Some(_) if settings.is_given("security.inter.broker.protocol") => {
            Err("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set".into())
        }
        Some(name) if known(&name.to_ascii_uppercase()) => Ok(name.to_ascii_uppercase()),
        Some(name) => Err(format!(
            "Invalid value {name} for configuration inter.broker.listener.name: it must be the name of one of the \
             advertised listeners"
        )),
        None => {
            let protocol = settings.text("security.inter.broker.protocol").unwrap_or("PLAINTEXT");
            // Kafka insists on a listener of the protocol's name. One node has nobody to speak to, so
            // the first listener will do.
            let first = advertised.first().map(|listener| listener.name.as_str()).unwrap_or_default();
            Ok(if known(protocol) { protocol } else { first }.to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
