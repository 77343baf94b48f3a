//! `quorum-state`: one line of JSON, in which epoch this node voted and who led (`FileQuorumStateStore`). Version 0
//! belongs to static voters, version 1 to `kraft.version` 1.

use crate::base::{BrokerId, LeaderEpoch, Uuid};
use serde_json::Value;

/// The file's name in the metadata partition's directory.
pub const QUORUM_STATE: &str = "quorum-state";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// Who leads the epoch; `BrokerId::NONE` when unknown.
    pub leader: BrokerId,
    /// The newest epoch this node has seen.
    pub epoch: LeaderEpoch,
    /// Whom it voted for in that epoch; `BrokerId::NONE` for nobody.
    pub voted: BrokerId,
    /// The directory of that candidate; version 1 only.
    pub voted_directory: Uuid,
    /// The static voters; `None` in version 1, where the metadata log names them.
    pub voters: Option<Vec<BrokerId>>,
}

impl QuorumState {
    /// Reads the file. The error is a clause saying what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
        let number = |key: &str| json.get(key).and_then(Value::as_i64).ok_or_else(|| format!("{key} is missing"));
        let id = |key: &str| i32::try_from(number(key)?).map_err(|_| format!("{key} is too large"));
        let version = number("data_version")?;
        let voters = match version {
            0 => {
                let list = json.get("currentVoters").and_then(Value::as_array);
                let ids = list.into_iter().flatten().filter_map(|voter| voter.get("voterId")?.as_i64());
                Some(ids.filter_map(|id| i32::try_from(id).ok()).map(BrokerId).collect())
            }
            1 => None,
            other => return Err(format!("data_version {other} is not known")),
        };
        let directory = json.get("votedDirectoryId").and_then(Value::as_str).and_then(Uuid::parse);
        Ok(Self {
            leader: BrokerId(id("leaderId")?),
            epoch: LeaderEpoch(id("leaderEpoch")?),
            voted: BrokerId(id("votedId")?),
            voted_directory: directory.unwrap_or_default(),
            voters,
        })
    }

    /// The file's content, in Kafka's order of keys.
    pub fn text(&self) -> String {
        let (leader, epoch, voted) = (self.leader, self.epoch, self.voted);
        match &self.voters {
            Some(voters) => {
                let voters: Vec<_> = voters.iter().map(|id| format!("{{\"voterId\":{id}}}")).collect();
                format!(
                    "{{\"clusterId\":\"\",\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\
                     \"appliedOffset\":0,\"currentVoters\":[{}],\"data_version\":0}}",
                    voters.join(",")
                )
            }
            None => format!(
                "{{\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\"votedDirectoryId\":\"{}\",\
                 \"data_version\":1}}",
                self.voted_directory
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_apache_kafka_come_back_byte_for_byte() {
        for text in [
            r#"{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#,
            r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
        ] {
            assert_eq!(QuorumState::parse(text.as_bytes()).unwrap().text(), text);
        }
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for text in ["", "{}", r#"{"data_version":2}"#, r#"{"leaderId":1,"data_version":1}"#] {
            assert!(QuorumState::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
