//! GitHub, by way of GitHub Enterprise's addresses.

use sdk::identity::{Organisation, Role};
use serde_json::{Value, json};

use super::fake::Fake;
use super::*;

fn membership(id: u64, login: &str, role: &str, state: &str) -> (u64, Value) {
    (0, json!({"state": state, "role": role, "organization": {"id": id, "login": login}}))
}

async fn alice(organisations: Vec<(u64, Value)>) -> (Fake, Provider) {
    let fake = Fake::start(json!({"id": 42, "login": "Alice", "type": "User"}), organisations).await;
    let provider = provider(&[("oauth_provider_base_url", fake.url.as_str())]);
    (fake, provider)
}

fn organisation(id: u64, login: &str, role: Role) -> Organisation {
    Organisation { id, login: login.parse().unwrap(), role }
}

/// S10: the original asked for the first page of organisations only, and kept the provider's token.
#[tokio::test]
async fn s10_all_pages_of_organisations_with_their_roles() {
    let (_fake, provider) = alice(vec![
        membership(1, "acme", "admin", "active"),
        membership(2, "Beta", "member", "active"),
        membership(3, "invited", "admin", "pending"),
        membership(4, "gamma", "billing_manager", "active"),
        membership(5, "delta", "something-new", "active"),
        membership(6, "not_a_login", "admin", "active"),
        membership(1, "acme", "member", "active"),
    ])
    .await;
    let person = sign_in(&provider).await.unwrap();
    assert_eq!((person.host.as_str(), person.id, person.login.as_str()), ("127.0.0.1", 42, "alice"));
    let expected = [
        organisation(1, "acme", Role::Owner),
        organisation(2, "beta", Role::Member),
        organisation(4, "gamma", Role::Viewer),
        organisation(5, "delta", Role::Viewer),
    ];
    assert_eq!(person.organisations, expected);
    let kept = serde_json::to_string(&person).unwrap();
    assert!(!kept.contains("gho_"), "{kept}");
}

#[tokio::test]
async fn a_code_is_good_once_for_its_verifier_and_address() {
    let (fake, provider) = alice(vec![]).await;
    let (page, pending) = provider.begin(&redirect_uri()).await.unwrap();
    let (code, _) = consent(page).await;
    let elsewhere: Url = "https://auth.system.example.com/other".parse().unwrap();
    let refused = |error: ProviderError, expected: &str| match error {
        ProviderError::Refused { code } => assert_eq!(code, expected),
        other => panic!("{other:?}"),
    };
    // GitHub's no has the status 200.
    refused(provider.finish(&pending, &code, &elsewhere).await.unwrap_err(), "redirect_uri_mismatch");
    refused(provider.finish(&pending, &code, &redirect_uri()).await.unwrap_err(), "bad_verification_code");

    let (page, _) = provider.begin(&redirect_uri()).await.unwrap();
    let (_, other_login) = provider.begin(&redirect_uri()).await.unwrap();
    let (code, _) = consent(page).await;
    refused(provider.finish(&other_login, &code, &redirect_uri()).await.unwrap_err(), "bad_verification_code");
    for code in ["", "a b", "a\nb", &"a".repeat(2049)] {
        refused(provider.finish(&pending, code, &redirect_uri()).await.unwrap_err(), "no code");
    }
    assert_eq!(fake.world().exchanges.len(), 3, "what is no code is not sent");
    assert!(fake.world().tokens.is_empty());
}

#[tokio::test]
async fn a_wrong_client_secret_is_told_apart_from_a_wrong_answer() {
    let (fake, _) = alice(vec![]).await;
    let env = Env::from_map(
        [("client_id", CLIENT_ID), ("oauth_provider_base_url", fake.url.as_str())],
        [("of-client-secret", "another")],
    );
    let provider = Providers::from_env(&env.reader()).unwrap().0.remove(0);
    let error = sign_in(&provider).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider refused the login: incorrect_client_credentials");
    assert_eq!(error.status(), 400);
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let many = |count| (1..=count).map(|id| membership(id, &format!("org{id}"), "member", "active")).collect();
    let (fake, provider) = alice(many(5)).await;
    let elsewhere = Fake::start(json!({}), vec![]).await;
    for links in [
        elsewhere.url.join("/api/v3/user/memberships/orgs").unwrap().to_string(),
        fake.url.join("/api/v3/other").unwrap().to_string(),
        "https://evil.example/api/v3/user/memberships/orgs".to_owned(),
    ] {
        fake.world().links = Some(links.clone());
        let error = sign_in(&provider).await.unwrap_err();
        assert!(matches!(error, ProviderError::ForeignPage), "{links}: {error:?}");
    }
}

#[tokio::test]
async fn who_has_more_pages_than_anybody_is_not_signed_in_with_a_part_of_them() {
    let many = (1..=51).map(|id| membership(id, &format!("org{id}"), "member", "active")).collect();
    let (fake, provider) = alice(many).await;
    fake.world().page_size = 1;
    let error = sign_in(&provider).await.unwrap_err();
    assert!(matches!(error, ProviderError::TooManyPages(50)), "{error:?}");
    fake.world().organisations.truncate(50);
    assert_eq!(sign_in(&provider).await.unwrap().organisations.len(), 50);
}

#[tokio::test]
async fn browsers_and_we_may_reach_it_by_different_ways() {
    let many = (1..=5).map(|id| membership(id, &format!("org{id}"), "member", "active")).collect();
    let (fake, _) = alice(many).await;
    let public = "http://git.localhost:8000/";
    fake.world().links = Some(format!("{public}api/v3/user/memberships/orgs"));
    let provider = provider(&[("oauth_provider_base_url", public), ("oauth_provider_internal_url", fake.url.as_str())]);
    let (page, pending) = provider.begin(&redirect_uri()).await.unwrap();
    assert!(page.as_str().starts_with("http://git.localhost:8000/login/oauth/authorize?"), "{page}");
    let mut inside = fake.url.join(page.path()).unwrap();
    inside.set_query(page.query());
    let (code, _) = consent(inside).await;
    let person = provider.finish(&pending, &code, &redirect_uri()).await.unwrap();
    assert_eq!((person.host.as_str(), person.organisations.len()), ("git.localhost", 5));
}

#[tokio::test]
async fn what_says_not_clearly_who_it_is_signs_nobody_in() {
    let (fake, provider) = alice(vec![]).await;
    for user in [
        json!({"login": "alice"}),
        json!({"id": 0, "login": "alice"}),
        json!({"id": "42", "login": "alice"}),
        json!({"id": -1, "login": "alice"}),
        json!({"id": 4.2, "login": "alice"}),
        json!({"id": null, "login": "alice"}),
        json!({"id": 42}),
        json!({"id": 42, "login": 42}),
        json!([]),
        json!("alice"),
    ] {
        fake.world().user = user.clone();
        let error = sign_in(&provider).await.unwrap_err();
        assert!(matches!(error, ProviderError::Nonsense { .. }), "{user}: {error:?}");
        assert_eq!(error.status(), 502);
    }
    fake.world().user = json!({"id": 42, "login": "alice_corp"});
    let error = sign_in(&provider).await.unwrap_err();
    assert!(error.public().contains("'alice_corp' is not an owner's login"), "{}", error.public());
    fake.world().user = json!({"id": 42, "login": "alice"});
    for entry in [membership(0, "acme", "admin", "active").1, json!({"state": "active", "role": "admin"}), json!(7)] {
        fake.world().organisations = vec![(0, entry.clone())];
        let error = sign_in(&provider).await.unwrap_err();
        assert!(matches!(error, ProviderError::Nonsense { .. }), "{entry}: {error:?}");
    }
}
