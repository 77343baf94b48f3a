//! The client properties that hold for the tools: those of a `--command-config` file under Kafka's names.

use super::error::ClientError;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Endpoint {
    /// Reads `host:port`, `[::1]:port` or `PROTOCOL://host:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|_| !host.is_empty())?;
        Some(Self { host: host.to_owned(), port })
    }

    /// Reads a list separated by commas.
    ///
    /// # Errors
    /// An empty list, or an entry that is no `host:port`.
    pub fn list(text: &str) -> Result<Vec<Self>, ClientError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| Self::parse(entry).ok_or_else(|| entry.to_owned());
        let list: Result<Vec<_>, _> = entries.map(read).collect();
        match list {
            Ok(list) if list.is_empty() => Err(ClientError::Config("no bootstrap server is given".into())),
            Ok(list) => Ok(list),
            Err(entry) => Err(ClientError::Config(format!(
                "\"{entry}\" is no host:port: give bootstrap servers like host1:9091,host2:9092"
            ))),
        }
    }
}

/// Name and password for SASL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// What holds for all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `bootstrap.servers`.
    pub bootstrap: Vec<Endpoint>,
    /// `client.id`.
    pub client_id: String,
    /// `request.timeout.ms`: for one answer.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: for a call with all its tries.
    pub api_timeout: Duration,
    /// `retry.backoff.ms`: between two tries.
    pub retry_backoff: Duration,
    /// Who to be, where the listener asks.
    pub sasl: Option<Sasl>,
}

impl Options {
    /// Reads what is given; Kafka's defaults for the rest.
    ///
    /// # Errors
    /// A value that is none, or a security protocol that is not there.
    pub fn of(bootstrap: &str, client_id: &str, properties: &BTreeMap<String, String>) -> Result<Self, ClientError> {
        let ms = |key: &str, default: u64| match properties.get(key) {
            None => Ok(Duration::from_millis(default)),
            Some(text) => text.trim().parse().map(Duration::from_millis).map_err(|_| {
                ClientError::Config(format!("Invalid value {text} for configuration {key}: not a number of ms"))
            }),
        };
        Ok(Self {
            bootstrap: Endpoint::list(bootstrap)?,
            client_id: properties.get("client.id").map_or(client_id, |id| id.as_str()).to_owned(),
            request_timeout: ms("request.timeout.ms", 30_000)?,
            api_timeout: ms("default.api.timeout.ms", 60_000)?,
            retry_backoff: ms("retry.backoff.ms", 100)?,
            sasl: sasl(properties)?,
        })
    }
}

fn sasl(properties: &BTreeMap<String, String>) -> Result<Option<Sasl>, ClientError> {
    let protocol = properties.get("security.protocol").map_or("PLAINTEXT", |text| text.trim());
    match protocol.to_ascii_uppercase().as_str() {
        "PLAINTEXT" => return Ok(None),
        "SASL_PLAINTEXT" => {}
        other => {
            return Err(ClientError::Config(format!(
                "security.protocol={other}: the tools speak PLAINTEXT and SASL_PLAINTEXT; TLS is not there yet"
            )));
        }
    }
    let mechanism = properties.get("sasl.mechanism").map_or("GSSAPI", |text| text.trim()).to_owned();
    if !matches!(mechanism.as_str(), "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512") {
        return Err(ClientError::Config(format!(
            "sasl.mechanism={mechanism}: the tools know PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512"
        )));
    }
    let jaas = properties.get("sasl.jaas.config").map_or("", String::as_str);
    let missing = |what: &str| ClientError::Config(format!("sasl.jaas.config names no {what}"));
    Ok(Some(Sasl {
        mechanism,
        username: jaas_value(jaas, "username").ok_or_else(|| missing("username"))?,
        password: jaas_value(jaas, "password").ok_or_else(|| missing("password"))?,
    }))
}

/// `name="value"` of a login module's line.
fn jaas_value(jaas: &str, name: &str) -> Option<String> {
    let (_, rest) = jaas.split_once(&format!(" {name}="))?;
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let mut value = String::new();
            let mut chars = quoted.chars();
            loop {
                match chars.next()? {
                    '"' => return Some(value),
                    '\\' => value.push(chars.next()?),
                    c => value.push(c),
                }
            }
        }
        None => rest.split([' ', ';']).next().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Result<Options, ClientError> {
        let properties = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Options::of("a:1,[::1]:2", "tool", &properties)
    }

    #[test]
    fn bootstrap_servers_are_read_as_lists() {
        let list = Endpoint::list(" a:1, PLAINTEXT://b:2 ,[::1]:3").unwrap();
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["a:1", "b:2", "[::1]:3"]);
        for wrong in ["", ",", "a", "a:b", ":1", "a:70000"] {
            assert!(Endpoint::list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn properties_have_kafkas_defaults_and_wrong_ones_are_named() {
        let plain = options(&[]).unwrap();
        assert_eq!((plain.api_timeout, plain.client_id.as_str()), (Duration::from_secs(60), "tool"));
        let given = options(&[("request.timeout.ms", "5"), ("client.id", "me")]).unwrap();
        assert_eq!((given.request_timeout, given.client_id.as_str()), (Duration::from_millis(5), "me"));
        assert!(options(&[("request.timeout.ms", "soon")]).unwrap_err().to_string().contains("request.timeout.ms"));
        assert!(options(&[("security.protocol", "SSL")]).unwrap_err().to_string().contains("SSL"));
    }

    #[test]
    fn credentials_come_out_of_the_login_modules_line() {
        let login =
            r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="al\"ice" password="a b";"#;
        let with = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", login)];
        let sasl = options(&with).unwrap().sasl.unwrap();
        assert_eq!((sasl.username.as_str(), sasl.password.as_str()), ("al\"ice", "a b"));
        assert!(options(&with[..2]).unwrap_err().to_string().contains("username"));
        assert!(options(&with[..1]).unwrap_err().to_string().contains("GSSAPI"));
    }
}
