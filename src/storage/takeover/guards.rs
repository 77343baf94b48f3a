//! What the metadata holds that guards the cluster and that corelog cannot enforce yet: it does not start rather than
//! let in everybody whom an ACL keeps out, or serve without bound whom a quota bounds.

use crate::config::Config;
use crate::metadata::image::MetadataImage;
use crate::metadata::store::{self, Peeked};

/// Lets a node be looked into by this machine alone; the listeners are checked with the configuration.
const UNGUARDED: &str = "corelog.takeover.unguarded.loopback";

/// What is in the way, and what is only worth a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Sentences; with any of them nothing is served.
    pub against: Vec<String>,
    /// Sentences.
    pub notes: Vec<String>,
}

/// The guards in an image.
pub fn of_image(image: &MetadataImage) -> Guards {
    let mut found = Guards::default();
    let kept = image.kept();
    if kept.acls > 0 {
        found.against.push(format!(
            "the metadata holds {} ACLs, which corelog keeps and cannot enforce yet: whoever they keep out would be let \
             in. Remove them with kafka-acls.sh --remove while Apache Kafka still runs, if everyone who reaches this \
             node may do everything",
            kept.acls
        ));
    }
    if kept.quotas > 0 {
        found.against.push(format!(
            "the metadata holds {} client quotas, which corelog keeps and cannot enforce yet: clients would not be \
             bounded. Remove them with kafka-configs.sh --delete-config while Apache Kafka still runs, if no client \
             needs a bound",
            kept.quotas
        ));
    }
    // A credential guards nothing by itself: a listener with SASL does, and is refused by the configuration.
    if kept.credentials + kept.tokens > 0 {
        found.notes.push(format!(
            "{} SCRAM credentials and {} delegation tokens are kept; no listener of corelog asks for them yet",
            kept.credentials, kept.tokens
        ));
    }
    found
}

/// Looks at the metadata of a node that is about to start; nothing is changed. Gives lines to tell, and what was
/// read: the start goes on with it. Blocking.
///
/// # Errors
/// The sentences that say why it must not start.
pub fn check_start(config: &Config) -> Result<(Vec<String>, Option<Peeked>), String> {
    let peeked = store::peek(&config.metadata_log_dir).map_err(|error| error.to_string())?;
    let Some(peeked) = peeked else { return Ok((Vec::new(), None)) };
    let Guards { mut against, mut notes } = of_image(peeked.image());
    if config.settings.flag(UNGUARDED) {
        notes.extend(against.drain(..).map(|what| format!("{what}. {UNGUARDED} allows it on loopback listeners")));
    }
    if against.is_empty() {
        return Ok((notes, Some(peeked)));
    }
    Err(format!(
        "{}\nWith {UNGUARDED}=true and loopback listeners the node can be looked into from this machine alone",
        against.join("\n")
    ))
}
