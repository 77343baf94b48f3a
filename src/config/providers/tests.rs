use super::*;
use crate::config::{Config, Given};
use std::io;

const CLASS: &str = "org.apache.kafka.common.config.provider.";

/// Expands `value` as broker.rack's with a file, a dir and an env provider configured, and `more`.
fn expanded(value: &str, more: &[(&str, &str)]) -> Result<Config, String> {
    let mut overrides: Vec<(String, String)> = vec![
        ("config.providers".into(), "file, dir,env".into()),
        ("config.providers.file.class".into(), format!("{CLASS}FileConfigProvider")),
        ("config.providers.dir.class".into(), format!("{CLASS}DirectoryConfigProvider")),
        ("config.providers.env.class".into(), format!("{CLASS}EnvVarConfigProvider")),
        ("broker.rack".into(), value.into()),
    ];
    overrides.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let read_file = |path: &Path| match path.to_str() {
        Some("/etc/rack.properties") => Ok(b"rack=r1\nother: r2".to_vec()),
        Some("/run/secrets/rack") => Ok(b"r3".to_vec()),
        Some("/run/secrets/bytes") => Ok(vec![0xff]),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let env = |name: &str| (name == "RACK").then(|| "r4".to_owned());
    let outside = Outside { read_file: &read_file, env: &env, hostname: &String::new };
    Given { file: None, overrides }.config(&outside).map_err(|error| error.to_string())
}

#[test]
fn values_come_from_files_directories_and_variables() {
    for (value, want) in [
        ("${file:/etc/rack.properties:rack}", "r1"),
        ("${dir:/run/secrets:rack}", "r3"),
        ("${env:RACK}", "r4"),
        ("a-${env:RACK}-${file:/etc/rack.properties:other}", "a-r4-r2"),
        ("${vault:x:y}", "${vault:x:y}"),
        ("${env:RACK", "${env:RACK"),
        ("${plain}", "${plain}"),
    ] {
        assert_eq!(expanded(value, &[]).unwrap().node.rack.as_deref(), Some(want), "{value}");
    }
}

#[test]
fn a_providers_own_keys_are_no_unknown_keys() {
    assert_eq!(expanded("x", &[]).unwrap().warnings, [""; 0]);
}

#[test]
fn what_cannot_be_provided_stops_the_start() {
    for (value, why) in [
        ("${file:/etc/none:rack}", "cannot read /etc/none"),
        ("${file:/etc/rack.properties:none}", "no key none"),
        ("${dir:/run/secrets:none}", "cannot read"),
        ("${dir:/run/secrets:bytes}", "not UTF-8"),
        ("${dir:/run:secrets/rack}", "no name of a file"),
        ("${env:NONE}", "NONE is not set"),
    ] {
        let told = expanded(value, &[]).unwrap_err();
        assert!(told.contains("broker.rack") && told.contains(why), "{value}: {told}");
    }
}

#[test]
fn allowed_paths_are_kept() {
    let allowed = [("config.providers.file.param.allowed.paths", "/etc,/opt")];
    assert!(expanded("${file:/etc/rack.properties:rack}", &allowed).is_ok());
    let allowed = [("config.providers.dir.param.allowed.paths", "/run/secrets/sub")];
    assert!(expanded("${dir:/run/secrets:rack}", &allowed).unwrap_err().contains("allowed.paths"));
    let allowed = [("config.providers.file.param.allowed.paths", "/opt")];
    assert!(expanded("${file:/opt/../etc/rack.properties:rack}", &allowed).unwrap_err().contains("allowed.paths"));
}

#[test]
fn providers_that_are_not_there_are_told() {
    let told = expanded("x", &[("config.providers.file.class", "com.example.VaultProvider")]).unwrap_err();
    assert!(told.contains("config.providers.file.class") && told.contains("FileConfigProvider"), "{told}");
    assert!(expanded("x", &[("config.providers", "other")]).unwrap_err().contains("config.providers.other.class"));
    let pattern = [("config.providers.env.param.allowlist.pattern", ".*")];
    assert!(expanded("x", &pattern).unwrap_err().contains("allowlist.pattern"));
}
