//! UpdateFeatures (`FeatureControlManager`, `ConfigurationControlManager.updateFeatures`; KIP-584, 1022).

use super::{Decision, Refusal};
use crate::base::{BrokerId, ErrorCode};
use crate::metadata::{MetadataImage, MetadataRecord, ResourceType, features};
use crate::protocol::messages::update_features_request::UpdateFeaturesRequest;
use crate::protocol::messages::{ConfigRecord, FeatureLevelRecord};
use std::collections::BTreeMap;

const METADATA: &str = "metadata.version";
const KRAFT: &str = "kraft.version";
const ELR: &str = "eligible.leader.replicas.version";
/// The first `metadata.version` whose log may hold eligible leaders: 4.0-IV1.
const ELR_METADATA_VERSION_MIN: i16 = 23;
const MIN_ISR: &str = "min.insync.replicas";

/// The levels of `metadata.version` that changed the form of the log (`MetadataVersion.didMetadataChange`).
const METADATA_CHANGED: &[i16] = &[7, 8, 11, 13, 14, 15, 17, 23, 30];

/// How a level may change (`FeatureUpdate.UpgradeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upgrade {
    Upgrade,
    SafeDowngrade,
    UnsafeDowngrade,
    Unknown,
}

/// Changes the finalized levels of features, all or none. `version` is the request's, `min_isr` the node's
/// `min.insync.replicas`.
pub fn update_features(
    image: &MetadataImage,
    request: &UpdateFeaturesRequest,
    version: i16,
    node: BrokerId,
    min_isr: i32,
) -> Decision<Result<(), Refusal>> {
    // A feature named twice has its last level, as in a map.
    let updates: BTreeMap<&str, (i16, Upgrade)> = request
        .feature_updates
        .iter()
        .map(|update| (&*update.feature, (update.max_version_level, upgrade_type(version, update))))
        .collect();
    let levels = Levels { image, updates: &updates, node };
    let mut records = Vec::new();
    if !request.validate_only && updates.get(ELR).is_some_and(|(level, _)| *level > 0) {
        records = one_min_isr(image, min_isr);
    }
    for (name, (level, upgrade)) in &updates {
        match levels.update(name, *level, *upgrade, request.validate_only) {
            Ok(record) => records.extend(record),
            Err(refusal) => return Decision::unchanged(Err(refusal)),
        }
    }
    if request.validate_only {
        records.clear();
    }
    Decision { records, response: Ok(()) }
}

fn upgrade_type(
    version: i16,
    update: &crate::protocol::messages::update_features_request::FeatureUpdateKey,
) -> Upgrade {
    match update.upgrade_type {
        _ if version == 0 && update.allow_downgrade => Upgrade::SafeDowngrade,
        1 => Upgrade::Upgrade,
        2 => Upgrade::SafeDowngrade,
        3 => Upgrade::UnsafeDowngrade,
        _ => Upgrade::Unknown,
    }
}

struct Levels<'a> {
    image: &'a MetadataImage,
    updates: &'a BTreeMap<&'a str, (i16, Upgrade)>,
    node: BrokerId,
}

impl Levels<'_> {
    fn update(
        &self,
        name: &str,
        level: i16,
        upgrade: Upgrade,
        validate_only: bool,
    ) -> Result<Option<MetadataRecord>, Refusal> {
        let refused = |why: &str| {
            let text = format!("Invalid update version {level} for feature {name}. {why}");
            Err(Refusal::new(ErrorCode::InvalidUpdateVersion, text))
        };
        if upgrade == Upgrade::Unknown {
            return refused("The controller does not support the given upgrade type.");
        }
        if level < 0 {
            return refused("A feature version cannot be less than 0.");
        }
        if let Some(why) = self.not_supported(name, level) {
            return refused(&why);
        }
        // Level 0 of a feature nobody knows is supported by everybody.
        if !features::REGISTERED.iter().any(|feature| feature.name == name) {
            return refused(&format!("Feature {name} not found."));
        }
        let current = self.image.feature(name);
        if level < current && upgrade == Upgrade::Upgrade {
            return refused(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                 unsafe downgrade.",
            );
        }
        if level > current && upgrade != Upgrade::Upgrade {
            return refused("Can't downgrade to a newer version.");
        }
        match name {
            METADATA => check_metadata(current, level, upgrade)?,
            KRAFT if level == current || validate_only && level > current => return Ok(None),
            KRAFT => return refused("The quorum of this node is static and stays so."),
            ELR if level > 0 && self.proposed_metadata_version() < ELR_METADATA_VERSION_MIN => {
                return refused(&format!(
                    "{name} could not be set to {level} because it depends on {METADATA} level \
                     {ELR_METADATA_VERSION_MIN}"
                ));
            }
            _ => {}
        }
        Ok(Some(FeatureLevelRecord { name: name.into(), feature_level: level }.into()))
    }

    fn proposed_metadata_version(&self) -> i16 {
        self.updates.get(METADATA).map_or(self.image.metadata_version(), |(level, _)| *level)
    }

    fn not_supported(&self, name: &str, level: i16) -> Option<String> {
        let range = features::REGISTERED.iter().find(|feature| feature.name == name);
        let (min, max) = range.map_or((0, 0), |feature| (feature.min, feature.max));
        if (min..=max).contains(&level) {
            return None;
        }
        let controller = format!("Local controller {}", self.node);
        Some(match max {
            0 => format!("{controller} does not support this feature."),
            _ => format!("{controller} only supports versions {min}-{max}"),
        })
    }
}

fn check_metadata(current: i16, level: i16, upgrade: Upgrade) -> Result<(), Refusal> {
    let changed = METADATA_CHANGED.iter().any(|changed| level < *changed && *changed <= current);
    if level >= current || !changed {
        return Ok(());
    }
    let why = match upgrade {
        Upgrade::UnsafeDowngrade => "Unsafe metadata downgrade is not supported in this version.",
        _ => "Refusing to perform the requested downgrade because it might delete metadata information.",
    };
    let text = format!("Unsupported metadata.version downgrade from {current} to {level}. {why}");
    Err(Refusal::new(ErrorCode::InvalidUpdateVersion, text))
}

/// With eligible leader replicas all brokers go by one number: it is set for all, and no longer for single ones.
fn one_min_isr(image: &MetadataImage, min_isr: i32) -> Vec<MetadataRecord> {
    let record = |broker: &str, value: Option<String>| -> MetadataRecord {
        ConfigRecord {
            resource_type: ResourceType::Broker.id(),
            resource_name: broker.into(),
            name: MIN_ISR.into(),
            value: value.map(Into::into),
        }
        .into()
    };
    let mut records = Vec::new();
    if !image.config(ResourceType::Broker, "").contains_key(MIN_ISR) {
        records.push(record("", Some(min_isr.to_string())));
    }
    let brokers = image.brokers().map(|broker| broker.id.to_string());
    let own = brokers.filter(|id| image.config(ResourceType::Broker, id).contains_key(MIN_ISR));
    records.extend(own.map(|id| record(&id, None)));
    records
}
