//! What a heartbeat is told beside its tasks (`StreamsGroupHeartbeatResponse.Status` of 4.3).

use crate::protocol::messages::streams_group_heartbeat_response::Status as Told;

/// The status that names internal topics which are missing.
pub const MISSING_INTERNAL_TOPICS: i8 = 3;

/// What a member has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The member runs an older topology than the group.
    StaleTopology,
    /// Source topics do not exist.
    MissingSourceTopics,
    /// Topics have other numbers of partitions than they must.
    IncorrectlyPartitionedTopics,
    /// Internal topics do not exist yet.
    MissingInternalTopics,
    /// A member asked the whole application to stop.
    ShutdownApplication,
    /// A new target waits for its time.
    AssignmentDelayed,
}

impl Status {
    /// Its number in responses.
    pub fn code(self) -> i8 {
        match self {
            Self::StaleTopology => 0,
            Self::MissingSourceTopics => 1,
            Self::IncorrectlyPartitionedTopics => 2,
            Self::MissingInternalTopics => MISSING_INTERNAL_TOPICS,
            Self::ShutdownApplication => 4,
            Self::AssignmentDelayed => 5,
        }
    }

    /// As a response has it, with what there is to say.
    pub fn told(self, detail: impl Into<String>) -> Told {
        Told { status_code: self.code(), status_detail: detail.into().into() }
    }
}
