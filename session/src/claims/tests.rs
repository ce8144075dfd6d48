use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sdk::identity::{Organisation, Role};

use super::*;
use crate::keys::SigningKey;

const HOST: &str = "alice.example.com";
const ISSUER: &str = "https://auth.system.example.com";
const NOW: u64 = 1_800_000_000;

fn claims() -> Claims {
    let organisations = vec![Organisation { id: 7, login: "acme".parse().unwrap(), role: Role::Member }];
    let who =
        Identity { host: "github.com".into(), id: 42, login: "alice".parse().unwrap(), organisations, operator: false };
    Claims {
        iss: ISSUER.into(),
        aud: HOST.into(),
        sub: who.subject(),
        sid: "s1".into(),
        iat: NOW - 10,
        exp: NOW + 300,
        who,
        last: None,
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

fn verifier(key: &SigningKey) -> Verifier {
    Verifier::new(ISSUER, &Jwks { keys: vec![key.public().clone()] })
}

#[test]
fn our_tokens_count_at_their_host_in_their_time() {
    let key = key();
    let (verifier, token) = (verifier(&key), key.sign(&claims()).unwrap());
    assert_eq!(verifier.verify(&token, HOST, NOW), Ok(claims()));
    assert_eq!(verifier.verify(&token, HOST, NOW + 300), Err(Refused::Expired(Box::new(claims()))));
    assert_eq!(verifier.verify(&token, "bob.example.com", NOW), Err(Refused::Invalid));
    assert_eq!(verifier.verify(&token, HOST, NOW - 100), Err(Refused::Invalid), "made in the future");
    let other = Verifier::new("https://auth.system.example.org", &Jwks { keys: vec![key.public().clone()] });
    assert_eq!(other.verify(&token, HOST, NOW), Err(Refused::Invalid), "another installation's");
}

#[test]
fn tokens_that_others_made_do_not_count() {
    let (key, stranger) = (key(), key());
    let verifier = verifier(&key);
    let foreign = stranger.sign(&claims()).unwrap();
    assert_eq!(verifier.verify(&foreign, HOST, NOW), Err(Refused::UnknownKey));
    // The stranger's signature under our key's name.
    let ours = key.sign(&claims()).unwrap();
    let part = |token: &str, index: usize| token.split('.').nth(index).unwrap().to_owned();
    let mixed = format!("{}.{}.{}", part(&ours, 0), part(&ours, 1), part(&foreign, 2));
    assert_eq!(verifier.verify(&mixed, HOST, NOW), Err(Refused::Invalid));
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let kid = &key.public().kid;
    for alg in ["none", "None", "HS256", "ES384", "RS256", "EdDSA"] {
        let header = encode(format!("{{\"typ\":\"JWT\",\"alg\":\"{alg}\",\"kid\":\"{kid}\"}}"));
        for signature in ["", &part(&ours, 2)] {
            let forged = format!("{header}.{}.{signature}", part(&ours, 1));
            assert_eq!(verifier.verify(&forged, HOST, NOW), Err(Refused::Invalid), "{alg}");
        }
    }
    for nonsense in ["", ".", "..", "a.b.c", &"x".repeat(MAX_TOKEN + 1)] {
        assert_eq!(verifier.verify(nonsense, HOST, NOW), Err(Refused::Invalid), "{nonsense}");
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let key = key();
    let (verifier, token) = (verifier(&key), key.sign(&claims()).unwrap());
    for index in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[index] ^= 2;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        assert!(verifier.verify(&changed, HOST, NOW).is_err(), "{changed}");
    }
}
