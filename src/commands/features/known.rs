//! What is known of features without asking anybody: the levels of each release, and what levels need.

use crate::commands::{Streams, ToolError};
use crate::metadata::features::REGISTERED;
use crate::metadata::image::METADATA_VERSION;
use crate::storage::features::Release;
use clap::Args;

#[derive(Debug, Args)]
pub struct Dependencies {
    /// A feature and its level: group.version=1
    #[arg(long, required = true, value_name = "feature=level")]
    feature: Vec<String>,
}

/// Kafka's features, in its order: name, and from which `metadata.version` on each level from 1 is the default
/// (`Feature`, `FeatureVersion.bootstrapMetadataVersion`).
const FEATURES: [(&str, &[i16]); 6] = [
    ("kraft.version", &[21]),
    ("transaction.version", &[24, 24]),
    ("group.version", &[22]),
    ("eligible.leader.replicas.version", &[26]),
    ("share.version", &[28]),
    ("streams.version", &[29]),
];

/// A level that needs one of another feature.
const NEEDS: [(&str, i16, &str, i16); 1] = [("eligible.leader.replicas.version", 1, METADATA_VERSION, 23)];

/// All features but metadata.version, with their levels in a release.
pub fn levels_of(release: Release) -> impl Iterator<Item = (&'static str, i16)> {
    FEATURES.into_iter().map(move |(feature, since)| {
        let level = since.iter().filter(|since| **since <= release.level).count();
        (feature, i16::try_from(level).unwrap_or(i16::MAX))
    })
}

/// `feature=level`.
pub fn name_and_level(text: &str) -> Result<(&str, i16), ToolError> {
    let wrong = |why: &str| ToolError::Failed(format!("Can't parse feature=level string {text}: {why}"));
    let (name, level) = text.split_once('=').ok_or_else(|| wrong("equals sign not found."))?;
    let level = level.trim();
    match level.parse() {
        Ok(number) => Ok((name.trim(), number)),
        Err(_) => Err(wrong(&format!("unable to parse {level} as a short."))),
    }
}

/// The levels of a release.
pub fn mapping(release: Option<&str>, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let text = release.unwrap_or(Release::LATEST.name);
    let release = Release::by_name(text).map_err(ToolError::Failed)?;
    writeln!(streams.out, "{METADATA_VERSION}={} ({text})", release.level)?;
    for (feature, level) in levels_of(release) {
        writeln!(streams.out, "{feature}={level}")?;
    }
    Ok(())
}

/// What levels need.
pub fn dependencies(asked: &Dependencies, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    for text in &asked.feature {
        let (feature, level) = name_and_level(text)?;
        if feature == METADATA_VERSION {
            let unknown = || ToolError::Failed(format!("Unknown metadata.version {level}"));
            let release = Release::by_level(level).ok_or_else(unknown)?;
            writeln!(streams.out, "{feature}={level} ({}) has no dependencies.", release.name)?;
            continue;
        }
        let known = REGISTERED.iter().find(|it| it.name == feature);
        let known = known.ok_or_else(|| ToolError::Failed(format!("Unknown feature: {feature}")))?;
        if !(known.min..=known.max).contains(&level) {
            return Err(ToolError::Failed(format!("No feature:{feature} with feature level {level}")));
        }
        let mut needs = NEEDS.iter().filter(|(of, at, ..)| *of == feature && *at == level).peekable();
        if needs.peek().is_none() {
            writeln!(streams.out, "{feature}={level} has no dependencies.")?;
            continue;
        }
        writeln!(streams.out, "{feature}={level} requires:")?;
        for (.., other, needed) in needs {
            let name = Release::by_level(*needed).filter(|_| *other == METADATA_VERSION);
            let name = name.map(|release| format!(" ({})", release.name)).unwrap_or_default();
            writeln!(streams.out, "    {other}={needed}{name}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_of_a_release_is_beyond_what_is_supported() {
        for (feature, level) in levels_of(Release::LATEST) {
            let known = REGISTERED.iter().find(|it| it.name == feature).unwrap();
            assert_eq!(level, known.max, "{feature}");
        }
        let first = Release::by_level(7).unwrap();
        assert!(levels_of(first).all(|(_, level)| level == 0));
        assert_eq!(
            levels_of(Release::by_level(24).unwrap()).map(|(_, level)| level).collect::<Vec<_>>(),
            [1, 2, 1, 0, 0, 0]
        );
    }
}
