//! Authentication by name and password: PLAIN (RFC 4616) and SCRAM (RFC 5802) inside SaslAuthenticate (KIP-152).

use super::connection::Connection;
use super::error::ClientError;
use super::options::Sasl;
use crate::base::Instant;
use crate::base::scram::Mechanism;
use crate::protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use crate::ring::process::random_bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// What the server may ask for at most: a guard against one that wants to keep us computing.
const ITERATIONS_MAX: i32 = 1 << 20;

/// Authenticates a new connection.
pub(super) fn authenticate(connection: &mut Connection, sasl: &Sasl, until: Instant) -> Result<(), ClientError> {
    let handshake = SaslHandshakeRequest { mechanism: sasl.mechanism.as_str().into() };
    let answer = connection.ask(&handshake, until)?;
    let known: Vec<&str> = answer.mechanisms.iter().map(|name| &**name).collect();
    let refused = format!("the broker knows the mechanisms {}, not {}", known.join(", "), sasl.mechanism);
    ClientError::check(answer.error_code, Some(&refused))?;
    match Mechanism::named(&sasl.mechanism) {
        Some(mechanism) => scram(mechanism, connection, sasl, until),
        None => {
            let token = format!("\0{}\0{}", sasl.username, sasl.password);
            say(connection, token.into_bytes(), until).map(|_| ())
        }
    }
}

fn say(connection: &mut Connection, token: Vec<u8>, until: Instant) -> Result<Bytes, ClientError> {
    let answer = connection.ask(&SaslAuthenticateRequest { auth_bytes: Bytes::from(token) }, until)?;
    ClientError::check(answer.error_code, answer.error_message.as_deref())?;
    Ok(answer.auth_bytes)
}

fn scram(mechanism: Mechanism, connection: &mut Connection, sasl: &Sasl, until: Instant) -> Result<(), ClientError> {
    let mut random = [0; 24];
    random_bytes(&mut random);
    let nonce = STANDARD.encode(random);
    let first_bare = format!("n={},r={nonce}", sasl.username.replace('=', "=3D").replace(',', "=2C"));
    let server_first = say(connection, format!("n,,{first_bare}").into_bytes(), until)?;
    let server_first = String::from_utf8_lossy(&server_first).into_owned();
    let (last, signature) = answer_challenge(mechanism, &first_bare, &nonce, &server_first, &sasl.password)
        .ok_or_else(|| ClientError::Malformed("the server's SCRAM challenge cannot be used".into()))?;
    let server_last = say(connection, last.into_bytes(), until)?;
    let expected = format!("v={}", STANDARD.encode(signature));
    if server_last.as_ref() != expected.as_bytes() {
        return Err(ClientError::Config("the server does not know the password: its SCRAM signature is wrong".into()));
    }
    Ok(())
}

/// The client's last message and the server's signature; `None` for a challenge that is not sound.
fn answer_challenge(
    mechanism: Mechanism,
    first_bare: &str,
    nonce: &str,
    server_first: &str,
    password: &str,
) -> Option<(String, Vec<u8>)> {
    let field = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name));
    let (server_nonce, salt) = (field("r=")?, STANDARD.decode(field("s=")?).ok()?);
    let iterations: i32 = field("i=")?.parse().ok()?;
    if !server_nonce.starts_with(nonce) || !(1..=ITERATIONS_MAX).contains(&iterations) {
        return None;
    }
    let salted = mechanism.salted(password.as_bytes(), &salt, iterations);
    let without_proof = format!("c=biws,r={server_nonce}");
    let auth = format!("{first_bare},{server_first},{without_proof}");
    let client_key = mechanism.hmac(&salted, b"Client Key");
    let client_signature = mechanism.hmac(&mechanism.hash(&client_key), auth.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
    let server_key = mechanism.hmac(&salted, b"Server Key");
    Some((format!("{without_proof},p={}", STANDARD.encode(proof)), mechanism.hmac(&server_key, auth.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_proof_is_that_of_the_rfc() {
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, signature) = answer_challenge(
            Mechanism::Sha256,
            "n=user,r=rOprNGfwEbeRWgbNEkqO",
            "rOprNGfwEbeRWgbNEkqO",
            server_first,
            "pencil",
        )
        .unwrap();
        assert!(last.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "{last}");
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_challenge_with_another_nonce_or_absurd_work_is_not_answered() {
        for bad in ["r=other,s=W22Z,i=4096", "r=nonce1,s=W22Z,i=0", "r=nonce1,s=W22Z,i=99999999", "r=nonce1,i=4096"] {
            assert!(answer_challenge(Mechanism::Sha512, "n=u,r=nonce", "nonce", bad, "p").is_none(), "{bad}");
        }
    }
}
