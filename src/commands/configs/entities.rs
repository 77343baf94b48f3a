//! Whose configurations are meant.

use super::{Arguments, Failure};
use crate::client::configs::ResourceType;
use clap::ArgMatches;

/// The types of entities (`ConfigType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Topic,
    Client,
    User,
    Broker,
    Ip,
    ClientMetrics,
    Group,
    BrokerLogger,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Topic,
        Self::Client,
        Self::User,
        Self::Broker,
        Self::Ip,
        Self::ClientMetrics,
        Self::Group,
        Self::BrokerLogger,
    ];

    /// Kafka's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "topics",
            Self::Client => "clients",
            Self::User => "users",
            Self::Broker => "brokers",
            Self::Ip => "ips",
            Self::ClientMetrics => "client-metrics",
            Self::Group => "groups",
            Self::BrokerLogger => "broker-loggers",
        }
    }

    /// What it is to DescribeConfigs; `None` has quotas instead.
    pub fn resource(self) -> Option<ResourceType> {
        match self {
            Self::Topic => Some(ResourceType::Topic),
            Self::Broker => Some(ResourceType::Broker),
            Self::BrokerLogger => Some(ResourceType::BrokerLogger),
            Self::ClientMetrics => Some(ResourceType::ClientMetrics),
            Self::Group => Some(ResourceType::Group),
            Self::Client | Self::User | Self::Ip => None,
        }
    }

    fn has_default(self) -> bool {
        matches!(self, Self::User | Self::Client | Self::Broker | Self::Ip)
    }
}

/// One entity: of one type, or a user together with a client.
#[derive(Debug)]
pub struct Entities {
    /// At least one.
    pub kinds: Vec<Kind>,
    /// A name for each type, or fewer; empty is the default.
    pub names: Vec<String>,
}

impl Entities {
    /// The first type.
    pub fn kind(&self) -> Kind {
        self.kinds.first().copied().unwrap_or(Kind::Topic)
    }

    /// The first name.
    pub fn name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Argument(why.into()))
}

/// Reads them out of the command line, and checks what may stand together (`ConfigCommandOptions.checkArgs`).
pub fn read(arguments: &Arguments, matches: &ArgMatches) -> Result<Entities, Failure> {
    let named = [
        (Kind::Topic, &arguments.topic),
        (Kind::Client, &arguments.client),
        (Kind::User, &arguments.user),
        (Kind::Broker, &arguments.broker),
        (Kind::BrokerLogger, &arguments.broker_logger),
        (Kind::Ip, &arguments.ip),
        (Kind::ClientMetrics, &arguments.client_metrics),
        (Kind::Group, &arguments.group),
    ];
    let defaults = [
        (Kind::Client, arguments.client_defaults),
        (Kind::User, arguments.user_defaults),
        (Kind::Broker, arguments.broker_defaults),
        (Kind::Ip, arguments.ip_defaults),
    ];
    let mut kinds = Vec::new();
    for name in &arguments.entity_type {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) else {
            let all: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
            return wrong(format!(
                "Invalid entity type {name}, the entity type must be one of {} with a --bootstrap-server argument",
                all.join(", ")
            ));
        };
        kinds.push(kind);
    }
    let mut names = in_order(arguments, matches);
    let by_flag: Vec<(Kind, String)> = named
        .into_iter()
        .filter_map(|(kind, name)| Some((kind, name.clone()?)))
        .chain(defaults.into_iter().filter(|(_, given)| *given).map(|(kind, _)| (kind, String::new())))
        .collect();
    if (!kinds.is_empty() || !names.is_empty()) && !by_flag.is_empty() {
        return wrong("--entity-{type,name,default} should not be used in conjunction with specific entity flags");
    }
    for (kind, name) in by_flag {
        kinds.push(kind);
        names.push(name);
    }
    let entities = Entities { kinds, names };
    check(&entities, arguments)?;
    Ok(entities)
}

/// `--entity-name` and `--entity-default` as they follow each other: each belongs to the type at its place.
fn in_order(arguments: &Arguments, matches: &ArgMatches) -> Vec<String> {
    let places = |id: &str| matches.indices_of(id).into_iter().flatten().collect::<Vec<_>>();
    let named = places("entity_name").into_iter().zip(arguments.entity_name.iter().cloned());
    let default = match arguments.entity_default {
        0 => Vec::new(),
        _ => places("entity_default"),
    };
    let mut all: Vec<(usize, String)> = named.chain(default.into_iter().map(|at| (at, String::new()))).collect();
    all.sort();
    all.into_iter().map(|(_, name)| name).collect()
}

fn check(entities: &Entities, arguments: &Arguments) -> Result<(), Failure> {
    let (kinds, names) = (&entities.kinds, &entities.names);
    let mut distinct = kinds.clone();
    distinct.sort();
    distinct.dedup();
    let all = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",");
    if distinct.len() < kinds.len() {
        return wrong(format!("Duplicate entity type(s) specified: {all}"));
    }
    match &distinct[..] {
        [] => return wrong("At least one entity type must be specified"),
        [_] | [Kind::Client, Kind::User] => {}
        _ => return wrong("Only 'users' and 'clients' entity types may be specified together"),
    }
    let (has_name, has_default) = (names.iter().any(|name| !name.is_empty()), names.iter().any(String::is_empty));
    let kind = entities.kind();
    if matches!(kind, Kind::Broker | Kind::BrokerLogger) {
        if let Some(id) = names.iter().find(|name| !name.is_empty() && name.parse::<i32>().is_err()) {
            let kind = kind.name();
            return wrong(format!("The entity name for {kind} must be a valid integer broker id, but it is: {id}"));
        }
    }
    if arguments.describe {
        if !kinds.iter().any(|kind| kind.has_default()) && arguments.entity_default > 0 {
            return wrong(format!("--entity-default must not be specified with --describe of {all}"));
        }
        if kind == Kind::BrokerLogger && !has_name {
            return wrong(format!("An entity name must be specified with --describe of {all}"));
        }
        return Ok(());
    }
    if kinds.iter().any(|kind| kind.has_default()) {
        if !has_name && !has_default {
            return wrong(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            );
        }
    } else if !has_name {
        return wrong(format!("An entity name must be specified with --alter of {all}"));
    }
    match (&arguments.add_config, &arguments.add_config_file, arguments.delete_config.is_empty()) {
        (Some(_), Some(_), _) => wrong("Only one of --add-config or --add-config-file must be specified"),
        (None, None, true) => {
            wrong("At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter")
        }
        _ => Ok(()),
    }
}
