//! ID tokens that prove nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::fake_oidc::{FakeOidc, Key};
use super::*;
use crate::provider::oidc::IdTokenError;
use crate::provider::{Kind, Pending};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

struct Setting {
    fake: FakeOidc,
    provider: Provider,
    pending: Pending,
}

impl Setting {
    async fn new(keys: &[&Key]) -> Self {
        let fake = FakeOidc::start(keys).await;
        let provider = provider(&[("oauth_provider", "oidc"), ("oidc_issuer", fake.url.as_str())]);
        let (_, pending) = provider.begin(&redirect_uri()).await.unwrap();
        Self { fake, provider, pending }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.fake.url.as_str(),
            "sub": "subject-of-alice",
            "aud": CLIENT_ID,
            "exp": now() + 300,
            "iat": now(),
            "nonce": self.pending.nonce,
            "preferred_username": "Alice",
        })
    }

    /// The claims with some of them changed, or taken away by null.
    fn but(&self, changes: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    async fn finish(&self, id_token: impl Into<Option<String>>) -> Result<Person, ProviderError> {
        self.fake.world().id_token = id_token.into();
        self.provider.finish(&self.pending, "code", &redirect_uri()).await
    }

    async fn refused(&self, id_token: impl Into<Option<String>>) -> IdTokenError {
        match self.finish(id_token).await.unwrap_err() {
            ProviderError::IdToken(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_good_one_says_who_it_is() {
    let key = Key::new("one");
    let setting = Setting::new(&[&key]).await;
    let person = setting.finish(key.sign(&setting.claims())).await.unwrap();
    assert_eq!((person.host.as_str(), person.login.as_str()), ("127.0.0.1", "alice"));
    assert!(person.id >= 1 << 62 && person.organisations.is_empty());
    let several = setting.but(json!({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}));
    assert_eq!(setting.finish(key.sign(&several)).await.unwrap(), person);
}

#[tokio::test]
async fn claims_of_another_installation_login_or_time_count_nothing() {
    let key = Key::new("one");
    let setting = Setting::new(&[&key]).await;
    let cases = [
        (json!({"iss": "https://evil.example"}), IdTokenError::Issuer),
        (json!({"iss": setting.fake.url.as_str().trim_end_matches('/')}), IdTokenError::Issuer),
        (json!({"aud": "other"}), IdTokenError::Audience),
        (json!({"aud": []}), IdTokenError::Audience),
        (json!({"aud": [CLIENT_ID, "other"]}), IdTokenError::Audience),
        (json!({"aud": [CLIENT_ID, "other"], "azp": "other"}), IdTokenError::Audience),
        (json!({"azp": "other"}), IdTokenError::Audience),
        (json!({"exp": now() - 61}), IdTokenError::Expired),
        (json!({"iat": now() + 120}), IdTokenError::Early),
        (json!({"nbf": now() + 120}), IdTokenError::Early),
        (json!({"nonce": "another"}), IdTokenError::Nonce),
        (json!({"nonce": null}), IdTokenError::Nonce),
        (json!({"sub": ""}), IdTokenError::Invalid),
        (json!({"sub": "x".repeat(256)}), IdTokenError::Invalid),
        (json!({"sub": 42}), IdTokenError::Invalid),
        (json!({"sub": null}), IdTokenError::Invalid),
        (json!({"iss": null}), IdTokenError::Invalid),
        (json!({"aud": null}), IdTokenError::Invalid),
        (json!({"exp": null}), IdTokenError::Invalid),
        (json!({"exp": "never"}), IdTokenError::Invalid),
        (json!({"iat": null}), IdTokenError::Invalid),
    ];
    for (changes, expected) in cases {
        let error = setting.refused(key.sign(&setting.but(changes.clone()))).await;
        assert_eq!(error, expected, "{changes}");
    }
}

#[tokio::test]
async fn signatures_that_prove_nothing_count_nothing() {
    let (key, other) = (Key::new("one"), Key::new("one"));
    let setting = Setting::new(&[&key]).await;
    let claims = setting.claims();
    assert_eq!(setting.refused(None).await, IdTokenError::Missing);
    assert_eq!(setting.refused("nonsense".to_owned()).await, IdTokenError::Unsigned);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "HS256x"] {
        let unsigned = format!("{}.{}.", part(&json!({"alg": alg, "kid": "one"})), part(&claims));
        assert_eq!(setting.refused(unsigned).await, IdTokenError::Unsigned, "{alg}");
    }
    // Signed with what everybody can read, or with what the provider and we know.
    let public = key.public.to_string();
    for secret in [public.as_bytes(), CLIENT_SECRET.as_bytes()] {
        let header = Header { kid: Some("one".into()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(setting.refused(token).await, IdTokenError::Unsigned);
    }
    assert_eq!(setting.refused(other.sign(&claims)).await, IdTokenError::Invalid, "another key of the same name");
    let good = key.sign(&claims);
    let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
    parts[1] = part(&setting.but(json!({"sub": "mallory"})));
    assert_eq!(setting.refused(parts.join(".")).await, IdTokenError::Invalid);
    assert_eq!(setting.refused(Key::new("two").sign(&claims)).await, IdTokenError::UnknownKey);
}

#[tokio::test]
async fn a_new_key_is_asked_for_and_a_made_up_name_not_for_ever() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let setting = Setting::new(&[&old]).await;
    setting.finish(old.sign(&setting.claims())).await.unwrap();
    setting.fake.world().keys = vec![new.public.clone()];
    assert_eq!(setting.refused(new.sign(&setting.claims())).await, IdTokenError::UnknownKey, "asked a moment ago");
    assert_eq!(setting.fake.world().asked["keys"], 1);
    let Kind::Oidc(oidc) = &setting.provider.kind else { panic!() };
    oidc.set_pause(Duration::ZERO).await;
    setting.finish(new.sign(&setting.claims())).await.unwrap();
    assert_eq!(setting.refused(old.sign(&setting.claims())).await, IdTokenError::UnknownKey, "withdrawn");
    assert_eq!(setting.fake.world().asked["document"], 1, "asked once an hour");
}

#[tokio::test]
async fn keys_for_something_else_sign_nothing() {
    let key = Key::new("one");
    let setting = Setting::new(&[]).await;
    let Kind::Oidc(oidc) = &setting.provider.kind else { panic!() };
    oidc.set_pause(Duration::ZERO).await;
    for (name, value) in [("use", "enc"), ("alg", "ES384"), ("alg", "RS256"), ("kty", "OKP")] {
        let mut public = key.public.clone();
        public[name] = json!(value);
        setting.fake.world().keys = vec![public, json!({"kty": "unheard of"}), json!(7)];
        let error = setting.refused(key.sign(&setting.claims())).await;
        assert_eq!(error, IdTokenError::UnknownKey, "{name}={value}");
    }
    let unnamed = encode(&Header::new(Algorithm::ES256), &setting.claims(), &key.signing).unwrap();
    setting.fake.world().keys = vec![key.public.clone(), Key::new("two").public];
    assert_eq!(setting.refused(unnamed.clone()).await, IdTokenError::UnknownKey, "it could be either");
    setting.fake.world().keys = vec![key.public.clone()];
    setting.finish(unnamed).await.unwrap();
}
