//! Logins against providers of our own making, which keep state and check what they are sent, and against an
//! independent one.

mod fake;
mod fake_oidc;
mod github;
mod gitlab;
mod hostile;
mod id_token;
mod independent;
mod log;
mod oidc;

use std::collections::HashMap;

use sdk::Env;
use url::Url;

use super::{Person, Provider, ProviderError, Providers};

pub(super) const CLIENT_ID: &str = "client-of-the-tests";
pub(super) const CLIENT_SECRET: &str = "client-secret-of-the-tests";

pub(super) fn redirect_uri() -> Url {
    "https://auth.system.example.com/oauth2/authorized".parse().unwrap()
}

/// A provider as the configuration makes it.
pub(super) fn provider(variables: &[(&str, &str)]) -> Provider {
    providers(variables).unwrap().0.remove(0)
}

pub(super) fn providers(variables: &[(&str, &str)]) -> Result<Providers, String> {
    let mut all: HashMap<&str, &str> = [("client_id", CLIENT_ID)].into();
    all.extend(variables.iter().copied());
    let env = Env::from_map(all, [("of-client-secret", CLIENT_SECRET)]);
    let reader = env.reader();
    let providers = Providers::from_env(&reader);
    reader.finish().map_err(|error| error.to_string())?;
    Ok(providers.unwrap())
}

/// Opens the provider's page as a browser does, and returns the code and the state that it sends back with.
pub(super) async fn consent(page: Url) -> (String, String) {
    let answer = sdk::http::client().get(page).send().await.unwrap();
    assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
    let back: Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let query: HashMap<_, _> = back.query_pairs().into_owned().collect();
    (query["code"].clone(), query["state"].clone())
}

/// A whole login.
pub(super) async fn sign_in(provider: &Provider) -> Result<Person, ProviderError> {
    let (page, pending) = provider.begin(&redirect_uri()).await?;
    let (code, state) = consent(page).await;
    assert_eq!(state, pending.state);
    provider.finish(&pending, &code, &redirect_uri()).await
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let nothing: [(&str, &str); 0] = [];
    let env = Env::from_map(nothing, nothing);
    let reader = env.reader();
    assert!(Providers::from_env(&reader).is_err());
    let text = reader.finish().unwrap_err().to_string();
    assert!(text.contains("client_id") && text.contains("of-client-secret"), "{text}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let refused = |variables: &[(&str, &str)], name: &str| {
        let error = providers(variables).unwrap_err();
        assert!(error.contains(name), "{error}");
    };
    refused(&[("oauth_provider", "okta")], "oauth_provider");
    refused(&[("oauth_provider_base_url", "http://github.example.com")], "oauth_provider_base_url");
    refused(&[("oauth_provider_base_url", "https://github.example.com/?x=1")], "oauth_provider_base_url");
    refused(&[("oauth_provider_internal_url", "file:///etc/passwd")], "oauth_provider_internal_url");
    refused(&[("oauth_provider", "oidc")], "oidc_issuer");
    refused(&[("oauth_provider", "oidc"), ("oidc_issuer", "http://id.example.com")], "oidc_issuer");
    let oidc = [("oauth_provider", "oidc"), ("oidc_issuer", "https://id.example.com"), ("oidc_scopes", "profile")];
    refused(&oidc, "oidc_scopes");
}

#[test]
fn names_are_for_addresses_and_labels_for_people() {
    let of = |variables: &[(&str, &str)]| {
        let provider = provider(variables);
        (provider.name().to_owned(), provider.label().to_owned(), provider.host().to_owned())
    };
    let expected = |name: &str, label: &str, host: &str| (name.to_owned(), label.to_owned(), host.to_owned());
    assert_eq!(of(&[]), expected("github", "GitHub", "github.com"));
    let enterprise = [("oauth_provider", "GitHub"), ("oauth_provider_base_url", "https://Git.Example.com/")];
    assert_eq!(of(&enterprise), expected("github", "GitHub at git.example.com", "git.example.com"));
    assert_eq!(of(&[("oauth_provider", "GitLab")]), expected("gitlab", "GitLab", "gitlab.com"));
    let oidc = [
        ("oauth_provider", "oidc"),
        ("oidc_issuer", "https://id.example.com/realm"),
        ("oidc_owner_host", "github.com"),
        ("oauth_provider_label", "Example's accounts"),
    ];
    assert_eq!(of(&oidc), expected("oidc", "Example's accounts", "github.com"));
    assert!(providers(&[]).unwrap().get("github").is_some() && providers(&[]).unwrap().get("gitlab").is_none());
}

#[tokio::test]
async fn githubs_own_addresses() {
    let (page, pending) = provider(&[]).begin(&redirect_uri()).await.unwrap();
    assert!(page.as_str().starts_with("https://github.com/login/oauth/authorize?"), "{page}");
    let query: HashMap<_, _> = page.query_pairs().into_owned().collect();
    assert_eq!(query["scope"], "read:user read:org");
    assert_eq!(query["redirect_uri"], redirect_uri().as_str());
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!((query["state"].len(), query["code_challenge"].len()), (43, 43));
    assert_eq!(query["state"], pending.state);
    let (_, another) = provider(&[]).begin(&redirect_uri()).await.unwrap();
    assert!(another.state != pending.state && another.nonce != pending.nonce);
}

#[tokio::test]
async fn a_login_under_way_survives_the_store_and_shows_nothing() {
    use secrecy::ExposeSecret;
    let (_, pending) = provider(&[]).begin(&redirect_uri()).await.unwrap();
    let verifier = pending.verifier.expose_secret().to_owned();
    assert!(!format!("{pending:?}").contains(&verifier));
    let kept: super::Pending = serde_json::from_str(&serde_json::to_string(&pending).unwrap()).unwrap();
    assert_eq!(kept.verifier.expose_secret(), verifier);
    let gitlab = provider(&[("oauth_provider", "gitlab")]);
    let error = gitlab.finish(&pending, "code", &redirect_uri()).await.unwrap_err();
    assert!(matches!(error, ProviderError::OtherProvider), "{error:?}");
}
