//! `--add-scram`: a user's credential for the metadata log (`org.apache.kafka.metadata.storage.ScramParser`, RFC 5802).

use crate::base::scram::{ITERATIONS_MAX, ITERATIONS_MIN, Mechanism};
use crate::metadata::MetadataRecord;
use crate::protocol::messages::UserScramCredentialRecord;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The first metadata.version whose log may hold such records: 3.5-IV2.
pub(super) const METADATA_VERSION_MIN: i16 = 11;

/// Reads `SCRAM-SHA-256=[name=alice,password=secret]`, or with `iterations`, `salt` and `saltedpassword` (both
/// base64). `salt` is used where none is given. The error is a sentence that shows no secret.
pub(super) fn credential(mechanism: &str, settings: &str, salt: Vec<u8>) -> Result<MetadataRecord, String> {
    let mechanism = Mechanism::named(mechanism).ok_or_else(|| {
        format!("The add-scram mechanism {mechanism} is not supported: SCRAM-SHA-256 and SCRAM-SHA-512 are")
    })?;
    let given = Given::read(settings)?;
    let name = given.name.ok_or("You must supply 'name' to add-scram")?;
    let salt = given.salt.unwrap_or(salt);
    let iterations = given.iterations.unwrap_or(ITERATIONS_MIN);
    let salted = match (given.password, given.salted_password) {
        (Some(password), None) => mechanism.salted(password.as_bytes(), &salt, iterations),
        (None, Some(salted)) if given.had_salt => salted,
        (None, Some(_)) => return Err("You must supply 'salt' with 'saltedpassword' to add-scram".into()),
        _ => return Err("You must supply one of 'password' or 'saltedpassword' to add-scram".into()),
    };
    let record = UserScramCredentialRecord {
        name: name.into(),
        mechanism: mechanism.id(),
        salt: salt.into(),
        stored_key: mechanism.hash(&mechanism.hmac(&salted, b"Client Key")).into(),
        server_key: mechanism.hmac(&salted, b"Server Key").into(),
        iterations,
    };
    Ok(record.into())
}

#[derive(Default)]
struct Given {
    name: Option<String>,
    password: Option<String>,
    salt: Option<Vec<u8>>,
    had_salt: bool,
    salted_password: Option<Vec<u8>>,
    iterations: Option<i32>,
}

impl Given {
    fn read(settings: &str) -> Result<Self, String> {
        const FORM: &str = "The add-scram settings must be written [name=alice,password=...]";
        let inner = settings.trim().strip_prefix('[').and_then(|s| s.strip_suffix(']')).ok_or(FORM)?;
        let mut given = Self::default();
        for pair in inner.split(',') {
            let (key, value) = pair.split_once('=').ok_or(FORM)?;
            let value = value.trim();
            let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            let bytes = || STANDARD.decode(value).map_err(|_| format!("The add-scram {} is no base64", key.trim()));
            match key.trim() {
                "name" if !value.is_empty() => given.name = Some(value.to_owned()),
                "password" if !value.is_empty() => given.password = Some(value.to_owned()),
                "salt" => {
                    given.salt = Some(bytes()?);
                    given.had_salt = true;
                }
                "saltedpassword" => given.salted_password = Some(bytes()?),
                "iterations" => {
                    let n = value.parse().ok().filter(|n| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(n));
                    given.iterations = Some(n.ok_or_else(|| {
                        format!(
                            "The add-scram iterations must be from {ITERATIONS_MIN} to {ITERATIONS_MAX}, not {value}"
                        )
                    })?);
                }
                other => return Err(format!("The add-scram setting {other} is unknown or empty")),
            }
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(mechanism: &str, settings: &str) -> UserScramCredentialRecord {
        match credential(mechanism, settings, b"given salt".to_vec()) {
            Ok(MetadataRecord::UserScramCredential(record)) => record,
            other => panic!("{other:?}"),
        }
    }

    /// The example of RFC 7677.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let read =
            record("SCRAM-SHA-256", "[name=user,password=pencil,salt=\"W22ZaJ0SNY7soEsUEjb6gQ==\",iterations=4096]");
        assert_eq!(STANDARD.encode(&read.stored_key), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
        assert_eq!(STANDARD.encode(&read.server_key), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
        assert_eq!((&*read.name, read.mechanism, read.iterations), ("user", 1, 4096));
    }

    #[test]
    fn a_salted_password_gives_the_same_keys_as_its_password() {
        let salted = STANDARD.encode(Mechanism::Sha512.salted(b"pencil", b"given salt", 4096));
        let salt = STANDARD.encode(b"given salt");
        let by_salted = record("SCRAM-SHA-512", &format!("[name=u,salt=\"{salt}\",saltedpassword=\"{salted}\"]"));
        assert_eq!(by_salted, record("SCRAM-SHA-512", "[name=u,password=pencil]"));
        assert_eq!(by_salted.stored_key.len(), 64);
    }

    #[test]
    fn wrong_settings_are_told_without_the_secret() {
        for (mechanism, settings, why) in [
            ("SCRAM-MD5", "[name=a,password=secret]", "not supported"),
            ("SCRAM-SHA-256", "name=a,password=secret", "written"),
            ("SCRAM-SHA-256", "[password=secret]", "'name'"),
            ("SCRAM-SHA-256", "[name=a]", "'password'"),
            ("SCRAM-SHA-256", "[name=a,password=secret,saltedpassword=AAAA]", "one of"),
            ("SCRAM-SHA-256", "[name=a,saltedpassword=AAAA]", "'salt'"),
            ("SCRAM-SHA-256", "[name=a,password=secret,iterations=1]", "from 4096 to 16384"),
            ("SCRAM-SHA-256", "[name=a,password=secret,salt=%]", "base64"),
            ("SCRAM-SHA-256", "[name=a,password=secret,colour=red]", "colour"),
        ] {
            let told = credential(mechanism, settings, vec![1]).unwrap_err();
            assert!(told.contains(why) && !told.contains("secret"), "{settings}: {told}");
        }
    }
}
