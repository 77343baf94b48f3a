//! `config.providers`: values written as `${provider:path:key}` (KIP-297, KIP-421).

use super::load::Outside;
use super::{properties, value};
use std::collections::BTreeMap;
use std::path::Path;

const KEY: &str = "config.providers";

enum Kind {
    /// A key of a properties file.
    File,
    /// A file of a directory.
    Directory,
    /// An environment variable.
    Env,
}

struct Provider {
    name: String,
    kind: Kind,
    /// Nothing outside these paths may be read; empty means everything may.
    allowed_paths: Vec<String>,
}

/// Replaces what the configured providers provide, in every value. Errors are sentences that name the key.
pub(super) fn expand(given: &mut BTreeMap<String, String>, outside: &Outside) -> Result<(), String> {
    let providers = configured(given)?;
    given.retain(|key, _| !key.starts_with("config.providers."));
    if providers.is_empty() {
        return Ok(());
    }
    for (key, text) in given.iter_mut().filter(|(key, _)| *key != KEY) {
        *text = expand_one(text, &providers, outside)
            .map_err(|reason| format!("Invalid value {text} for configuration {key}: {reason}"))?;
    }
    Ok(())
}

fn configured(given: &BTreeMap<String, String>) -> Result<Vec<Provider>, String> {
    let names = given.get(KEY).map(|text| value::split_list(text.trim())).unwrap_or_default();
    names.into_iter().filter(|name| !name.is_empty()).map(|name| provider(name, given)).collect()
}

fn provider(name: String, given: &BTreeMap<String, String>) -> Result<Provider, String> {
    let class_key = format!("{KEY}.{name}.class");
    let class = given.get(&class_key).map(|class| class.trim()).ok_or_else(|| {
        format!("Invalid value {name} for configuration {KEY}: {class_key} must name the provider's class")
    })?;
    let kind = match class.rsplit('.').next() {
        Some("FileConfigProvider") => Kind::File,
        Some("DirectoryConfigProvider") => Kind::Directory,
        Some("EnvVarConfigProvider") => Kind::Env,
        _ => {
            return Err(format!(
                "Invalid value {class} for configuration {class_key}: corelog has the FileConfigProvider, the \
                 DirectoryConfigProvider and the EnvVarConfigProvider of org.apache.kafka.common.config.provider"
            ));
        }
    };
    let pattern_key = format!("{KEY}.{name}.param.allowlist.pattern");
    if given.contains_key(&pattern_key) {
        // It guards variables; without a regular expression at hand it cannot be kept.
        return Err(format!("{pattern_key} is not supported: remove it, or the provider"));
    }
    let paths = given.get(&format!("{KEY}.{name}.param.allowed.paths"));
    let allowed_paths = paths.map(|text| value::split_list(text.trim())).unwrap_or_default();
    Ok(Provider { name, kind, allowed_paths })
}

/// Replaces `${name:key}` and `${name:path:key}` of known providers; everything else stays.
fn expand_one(text: &str, providers: &[Provider], outside: &Outside) -> Result<String, String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(len) = rest[start..].find('}') else { break };
        let inner = &rest[start + 2..start + len];
        done.push_str(&rest[..start]);
        let named = inner.split_once(':').and_then(|(name, rest)| {
            let (path, key) = rest.split_once(':').unwrap_or(("", rest));
            Some((providers.iter().find(|provider| provider.name == name)?, path, key))
        });
        match named {
            Some((provider, path, key)) => done.push_str(&provider.value(path, key, outside)?),
            None => done.push_str(&rest[start..=start + len]),
        }
        rest = &rest[start + len + 1..];
    }
    done.push_str(rest);
    Ok(done)
}

impl Provider {
    fn value(&self, path: &str, key: &str, outside: &Outside) -> Result<String, String> {
        match self.kind {
            Kind::Env => (outside.env)(key).ok_or_else(|| format!("the environment variable {key} is not set")),
            Kind::File => {
                let bytes = self.read(Path::new(path), outside)?;
                let map = properties::parse(&bytes).map_err(|reason| format!("{path}: {reason}"))?;
                map.get(key).cloned().ok_or_else(|| format!("{path} has no key {key}"))
            }
            Kind::Directory => {
                if key.contains('/') || key == ".." {
                    return Err(format!("{key} is no name of a file in {path}"));
                }
                let bytes = self.read(&Path::new(path).join(key), outside)?;
                String::from_utf8(bytes).map_err(|_| format!("{path}/{key} is not UTF-8"))
            }
        }
    }

    fn read(&self, path: &Path, outside: &Outside) -> Result<Vec<u8>, String> {
        let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
        let inside = |allowed: &String| path.starts_with(allowed) && !climbs;
        if !self.allowed_paths.is_empty() && !self.allowed_paths.iter().any(inside) {
            return Err(format!("{} lies outside {KEY}.{}.param.allowed.paths", path.display(), self.name));
        }
        (outside.read_file)(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests;
