//! API keys and the header versions that belong to them (`org.apache.kafka.common.protocol.ApiKeys`).

use std::ops::RangeInclusive;

include!(concat!(env!("OUT_DIR"), "/api_keys.rs"));

struct Row {
    key: ApiKey,
    name: &'static str,
    low: i16,
    high: i16,
    flexible: i16,
}

impl ApiKey {
    /// The key with this number; `None` where the schema has no such request.
    pub fn from_i16(key: i16) -> Option<Self> {
        let at = TABLE.binary_search_by_key(&key, |row| row.key as i16).ok()?;
        Some(TABLE.get(at)?.key)
    }

    /// All keys, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.key)
    }

    /// Kafka's name, such as `Produce`.
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// The versions the codec knows; which of them are served is the API table's affair.
    pub fn codec_versions(self) -> RangeInclusive<i16> {
        self.row().map_or(RangeInclusive::new(0, -1), |row| row.low..=row.high)
    }

    /// True where this version has tagged fields and compact lengths (KIP-482).
    pub fn is_flexible(self, version: i16) -> bool {
        self.row().is_some_and(|row| version >= row.flexible)
    }

    /// The version of the request header before a request of this version.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the response header. ApiVersions always has 0, so that a client reads the answer to a version
    /// the broker does not know (KIP-511).
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self != Self::ApiVersions && self.is_flexible(version))
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.binary_search_by_key(&(self as i16), |row| row.key as i16).ok().and_then(|at| TABLE.get(at))
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_versions_follow_the_flexible_versions() {
        assert_eq!(ApiKey::Produce.request_header_version(8), 1);
        assert_eq!(ApiKey::Produce.request_header_version(9), 2);
        assert_eq!(ApiKey::Produce.response_header_version(9), 1);
        assert_eq!(ApiKey::ApiVersions.request_header_version(3), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(3), 0);
        assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    }

    #[test]
    fn numbers_and_keys_belong_together() {
        assert_eq!(ApiKey::from_i16(0), Some(ApiKey::Produce));
        assert_eq!(ApiKey::from_i16(4), None);
        assert_eq!(ApiKey::from_i16(-1), None);
        for key in ApiKey::all() {
            assert_eq!(ApiKey::from_i16(key as i16), Some(key));
        }
        assert_eq!(ApiKey::Metadata.to_string(), "Metadata");
        assert_eq!(ApiKey::CreateTopics.codec_versions(), 0..=7);
    }
}
