//! OpenID providers: what they say about themselves and about people.

use std::time::{SystemTime, UNIX_EPOCH};

use sdk::identity::Role;
use serde_json::{Value, json};

use super::fake_oidc::{FakeOidc, Key};
use super::*;

const GROUPS: &str = "acme/7=developers:member,acme/7=admins:owner";

async fn setting(key: &Key) -> (FakeOidc, Provider) {
    let fake = FakeOidc::start(&[key]).await;
    let variables = [
        ("oauth_provider", "oidc"),
        ("oidc_issuer", fake.url.as_str()),
        ("oidc_owner_host", "github.com"),
        ("oidc_groups", GROUPS),
    ];
    let provider = provider(&variables);
    (fake, provider)
}

async fn finish(fake: &FakeOidc, provider: &Provider, key: &Key, more: Value) -> Result<Person, ProviderError> {
    let (_, pending) = provider.begin(&redirect_uri()).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "iss": fake.url.as_str(), "sub": "s", "aud": CLIENT_ID, "exp": now + 60, "iat": now, "nonce": pending.nonce
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fake.world().id_token = Some(key.sign(&claims));
    provider.finish(&pending, "code", &redirect_uri()).await
}

#[tokio::test]
async fn groups_in_the_id_token_become_organisations_at_the_owners_host() {
    let key = Key::new("one");
    let (fake, provider) = setting(&key).await;
    let claims = json!({"preferred_username": "alice", "groups": ["developers", "other"]});
    let person = finish(&fake, &provider, &key, claims).await.unwrap();
    assert_eq!((person.host.as_str(), person.login.as_str()), ("github.com", "alice"));
    let found = &person.organisations[0];
    assert_eq!((found.id, found.login.as_str(), found.role), (7, "acme", Role::Member));
    assert!(!fake.world().asked.contains_key("me"), "there was nothing left to ask");
}

#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_for_about_the_same_person() {
    let key = Key::new("one");
    let (fake, provider) = setting(&key).await;
    fake.world().userinfo = json!({"sub": "s", "preferred_username": "mallory", "groups": ["admins"]});
    let person = finish(&fake, &provider, &key, json!({"preferred_username": "alice"})).await.unwrap();
    assert_eq!(person.login.as_str(), "alice", "what is signed counts more");
    assert_eq!(person.organisations[0].role, Role::Owner);
    for info in [json!({"sub": "t", "groups": ["admins"]}), json!({"groups": ["admins"]}), json!({"sub": 7})] {
        fake.world().userinfo = info.clone();
        let error = finish(&fake, &provider, &key, json!({"preferred_username": "alice"})).await.unwrap_err();
        assert!(error.public().contains("not understood"), "{info}: {error:?}");
        assert!(matches!(error, ProviderError::IdToken(_)), "{info}: {error:?}");
    }
}

#[tokio::test]
async fn a_login_that_is_none_signs_nobody_in() {
    let key = Key::new("one");
    let (fake, provider) = setting(&key).await;
    fake.world().userinfo = json!({"sub": "s"});
    for claims in [json!({}), json!({"preferred_username": 7})] {
        let error = finish(&fake, &provider, &key, claims).await.unwrap_err();
        assert!(matches!(&error, ProviderError::MissingClaim { claim } if claim == "preferred_username"), "{error:?}");
    }
    let error = finish(&fake, &provider, &key, json!({"preferred_username": "alice@example.com"})).await.unwrap_err();
    assert!(matches!(error, ProviderError::UnusableLogin { .. }), "{error:?}");
}

#[tokio::test]
async fn a_document_that_leads_elsewhere_is_not_followed() {
    let key = Key::new("one");
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        let (fake, provider) = setting(&key).await;
        for value in ["https://evil.example/x", "http://accounts.example/x", "javascript:alert(1)"] {
            fake.world().document[name] = json!(value);
            let error = provider.begin(&redirect_uri()).await.unwrap_err();
            assert!(error.to_string().contains("oidc_hosts"), "{name}={value}: {error}");
        }
    }
    let (fake, provider) = setting(&key).await;
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("issuer", json!(fake.url.as_str().trim_end_matches('/'))),
        ("jwks_uri", json!(7)),
        ("token_endpoint", json!("/token")),
        ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"])),
    ] {
        let good = fake.world().document.clone();
        fake.world().document[name] = value.clone();
        let error = provider.begin(&redirect_uri()).await.unwrap_err();
        assert!(matches!(error, ProviderError::Nonsense { .. }), "{name}={value}: {error:?}");
        fake.world().document = good;
    }
    provider.begin(&redirect_uri()).await.unwrap();
}

#[tokio::test]
async fn a_host_of_the_configuration_may_be_led_to() {
    let fake = FakeOidc::start(&[]).await;
    let variables =
        [("oauth_provider", "oidc"), ("oidc_issuer", fake.url.as_str()), ("oidc_hosts", "accounts.example")];
    let provider = provider(&variables);
    fake.world().document["authorization_endpoint"] = json!("https://accounts.example/auth?a=1");
    let (page, pending) = provider.begin(&redirect_uri()).await.unwrap();
    assert!(page.as_str().starts_with("https://accounts.example/auth?a=1&response_type=code&"), "{page}");
    assert!(page.query_pairs().any(|(name, value)| name == "nonce" && value == pending.nonce));
    assert!(page.query_pairs().any(|(name, value)| name == "scope" && value == "openid profile"));
}
