//! Releases and features as the format command takes them (`MetadataVersion`, `Feature`).

use crate::metadata::MetadataRecord;
use crate::metadata::features::{
    GROUP_VERSION, GROUP_VERSION_CONSUMER, REGISTERED, SHARE_VERSION, SHARE_VERSION_GROUPS, STREAMS_VERSION,
    STREAMS_VERSION_GROUPS, SupportedFeature, TRANSACTION_VERSION,
};
use crate::metadata::store::bootstrap_records;

const METADATA_VERSION: &str = "metadata.version";

/// A `metadata.version` and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The feature level.
    pub level: i16,
    /// Kafka's name of it.
    pub name: &'static str,
}

/// All that Kafka 4 takes; the levels follow one another from 7.
const NAMES: [&str; 24] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1",
    "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0",
    "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
];
const FIRST_LEVEL: i16 = 7;

/// What a new cluster finalizes where nothing is asked for: feature, level, and the `metadata.version` from which Kafka
/// does so (`Feature.defaultLevel`). Only features whose APIs are served.
const DEFAULTS: &[(&str, i16, i16)] = &[
    (GROUP_VERSION, GROUP_VERSION_CONSUMER, 22),
    (TRANSACTION_VERSION, 2, 24),
    (SHARE_VERSION, SHARE_VERSION_GROUPS, 28),
    (STREAMS_VERSION, STREAMS_VERSION_GROUPS, 29),
];

impl Release {
    /// The newest.
    pub const LATEST: Self = Self { level: FIRST_LEVEL + NAMES.len() as i16 - 1, name: NAMES[NAMES.len() - 1] };

    /// By level.
    pub fn by_level(level: i16) -> Option<Self> {
        let at = usize::try_from(level - FIRST_LEVEL).ok()?;
        NAMES.get(at).map(|name| Self { level, name })
    }

    /// By name: one of Kafka's, or a release such as `4.0` or `4.0.1`, which means the last of that release.
    pub fn by_name(text: &str) -> Result<Self, String> {
        let all = || (FIRST_LEVEL..).zip(NAMES).map(|(level, name)| Self { level, name });
        let short: Vec<&str> = text.split('.').take(2).collect();
        let prefix = format!("{}-", short.join("."));
        let found = all().find(|r| r.name == text).or_else(|| all().filter(|r| r.name.starts_with(&prefix)).last());
        found.ok_or_else(|| {
            format!("Unknown metadata.version '{text}'. Supported metadata.version are: {}", NAMES.join(", "))
        })
    }

    /// What a cluster of this release begins with; `features` in place of its own levels.
    pub fn bootstrap_records(self, features: &[(String, i16)]) -> Vec<MetadataRecord> {
        let mut all: Vec<(&str, i16)> = features.iter().map(|(name, level)| (name.as_str(), *level)).collect();
        let given = |name: &str| features.iter().any(|(other, _)| other == name);
        let due = DEFAULTS.iter().filter(|(name, _, since)| self.level >= *since && !given(name));
        all.extend(due.map(|(name, level, _)| (*name, *level)));
        all.push((METADATA_VERSION, self.level));
        bootstrap_records(&all)
    }
}

/// What `--release-version` and `--feature` ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// The metadata.version.
    pub release: Release,
    /// `kraft.version`, where it was given.
    pub kraft_version: Option<i16>,
    /// The other features.
    pub others: Vec<(String, i16)>,
}

impl Features {
    /// Reads and checks both flags.
    pub fn read(release: Option<&str>, given: &[(String, String)]) -> Result<Self, String> {
        let mut read = Self {
            release: release.map_or(Ok(Release::LATEST), Release::by_name)?,
            kraft_version: None,
            others: Vec::new(),
        };
        for (name, text) in given {
            let feature = known(name)?;
            let level = text.trim().parse::<i16>().ok().filter(|n| (feature.min..=feature.max).contains(n));
            let level = level.ok_or_else(|| {
                format!(
                    "Unsupported level {text} of feature {name}: it must be from {} to {}",
                    feature.min, feature.max
                )
            })?;
            match feature.name {
                METADATA_VERSION => read.release = Release::by_level(level).unwrap_or(read.release),
                "kraft.version" => read.kraft_version = Some(level),
                _ if read.others.iter().any(|(other, _)| other == name) => {
                    return Err(format!("Feature {name} was given twice"));
                }
                _ => read.others.push((name.clone(), level)),
            }
        }
        Ok(read)
    }
}

fn known(name: &str) -> Result<&'static SupportedFeature, String> {
    REGISTERED.iter().find(|feature| feature.name == name).ok_or_else(|| {
        let names: Vec<_> = REGISTERED.iter().map(|feature| feature.name).filter(|n| *n != METADATA_VERSION).collect();
        format!("Unsupported feature: {name}. Supported features are: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::features::{METADATA_VERSION_LATEST, METADATA_VERSION_MIN};

    #[test]
    fn the_names_cover_the_levels_the_log_knows() {
        assert_eq!((FIRST_LEVEL, Release::LATEST.level), (METADATA_VERSION_MIN, METADATA_VERSION_LATEST));
        for (level, name) in [(7, "3.3-IV3"), (25, "4.0-IV3"), (27, "4.1-IV1"), (29, "4.2-IV1"), (30, "4.3-IV0")] {
            assert_eq!(Release::by_level(level), Some(Release { level, name }));
        }
        assert_eq!((Release::by_level(6), Release::by_level(31)), (None, None));
    }

    #[test]
    fn a_release_is_named_whole_or_in_short() {
        for (text, level) in [("4.0", 25), ("4.0.1", 25), ("4.0-IV1", 23), ("3.3", 7), ("4.3.1", 30), ("3.7", 19)] {
            assert_eq!(Release::by_name(text).map(|r| r.level), Ok(level), "{text}");
        }
        for text in ["2.0", "4", "4.9", "", "x", "4.0-IV9"] {
            assert!(Release::by_name(text).unwrap_err().contains("Supported metadata.version are: 3.3-IV3"), "{text}");
        }
    }

    #[test]
    fn a_new_cluster_has_the_features_of_its_release_unless_told_otherwise() {
        let levels = |release: Release, given: &[(String, i16)]| -> Vec<(String, i16)> {
            let level = |record: MetadataRecord| match record {
                MetadataRecord::FeatureLevel(record) => (record.name.to_string(), record.feature_level),
                other => panic!("{other:?}"),
            };
            release
                .bootstrap_records(given)
                .into_iter()
                .map(level)
                .filter(|(name, _)| name == "group.version")
                .collect()
        };
        let group = |level| vec![("group.version".to_owned(), level)];
        assert_eq!(levels(Release::LATEST, &[]), group(1));
        assert_eq!(levels(Release::LATEST, &group(0)), []);
        assert_eq!(levels(Release::by_name("3.9").unwrap(), &[]), []);
        assert_eq!(levels(Release::by_name("4.0").unwrap(), &[]), group(1));
    }

    #[test]
    fn features_are_checked_against_what_is_known() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Features::read(None, &pairs)
        };
        let features = read(&[("metadata.version", "25"), ("kraft.version", "1"), ("group.version", "1")]).unwrap();
        assert_eq!((features.release.name, features.kraft_version), ("4.0-IV3", Some(1)));
        assert_eq!(features.others, [("group.version".to_owned(), 1)]);
        assert!(read(&[("foo.version", "1")]).unwrap_err().starts_with("Unsupported feature: foo.version."));
        for level in ["9", "-1", "x", "99999"] {
            assert!(read(&[("group.version", level)]).unwrap_err().contains("from 0 to 1"), "{level}");
        }
        assert!(read(&[("group.version", "0"), ("group.version", "1")]).is_err());
    }
}
