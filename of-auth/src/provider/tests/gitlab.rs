//! GitLab.

use sdk::identity::Role;
use serde_json::{Value, json};

use super::fake::Fake;
use super::*;

fn group(level: u64, id: u64, path: &str) -> (u64, Value) {
    (level, json!({"id": id, "path": path.rsplit('/').next(), "full_path": path, "name": "A group"}))
}

async fn alice(groups: Vec<(u64, Value)>) -> (Fake, Provider) {
    // Her number is also that of a group, which has nothing to do with her.
    let user = json!({"id": 5, "username": "alice", "state": "active"});
    let fake = Fake::start(user, groups).await;
    let namespace = json!({"id": 42, "kind": "user", "path": "alice", "full_path": "alice"});
    fake.world().namespaces.insert("alice".into(), namespace);
    let provider = provider(&[("oauth_provider", "gitlab"), ("oauth_provider_base_url", fake.url.as_str())]);
    (fake, provider)
}

#[tokio::test]
async fn access_levels_become_roles_on_all_pages() {
    let (_fake, provider) = alice(vec![
        group(10, 1, "guest"),
        group(20, 2, "reporter"),
        group(30, 3, "developer"),
        group(40, 4, "Maintainer"),
        group(50, 5, "owner"),
        group(50, 6, "owner/subgroup"),
        group(50, 7, "no.owner_name"),
        group(5, 8, "minimal"),
    ])
    .await;
    let person = sign_in(&provider).await.unwrap();
    assert_eq!((person.host.as_str(), person.id, person.login.as_str()), ("127.0.0.1", 42, "alice"));
    let mut roles: Vec<_> =
        person.organisations.iter().map(|found| (found.id, found.login.as_str(), found.role)).collect();
    roles.sort_unstable();
    let expected = [
        (1, "guest", Role::Viewer),
        (2, "reporter", Role::Viewer),
        (3, "developer", Role::Member),
        (4, "maintainer", Role::Owner),
        (5, "owner", Role::Owner),
    ];
    assert_eq!(roles, expected);
}

#[tokio::test]
async fn a_code_is_good_once() {
    let (_fake, provider) = alice(vec![]).await;
    let (page, pending) = provider.begin(&redirect_uri()).await.unwrap();
    let (code, _) = consent(page).await;
    provider.finish(&pending, &code, &redirect_uri()).await.unwrap();
    let error = provider.finish(&pending, &code, &redirect_uri()).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider refused the login: invalid_grant");
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let (fake, provider) = alice((1..=5).map(|id| group(30, id, &format!("g{id}"))).collect()).await;
    fake.world().links = Some("https://evil.example/api/v4/groups".into());
    assert!(matches!(sign_in(&provider).await.unwrap_err(), ProviderError::ForeignPage));
}

/// People and groups are numbered apart, and their namespaces together: a person is known under the latter number.
#[tokio::test]
async fn a_person_is_never_taken_for_a_group_with_the_persons_number() {
    let (fake, provider) = alice(vec![]).await;
    let person = sign_in(&provider).await.unwrap();
    assert_eq!((person.id, person.organisations.len()), (42, 0));
    for wrong in [
        json!({"id": 5, "kind": "group", "full_path": "alice"}),
        json!({"id": 5, "kind": "user", "full_path": "mallory"}),
        json!({"id": 0, "kind": "user", "full_path": "alice"}),
        json!({"kind": "user", "full_path": "alice"}),
    ] {
        fake.world().namespaces.insert("alice".into(), wrong.clone());
        let refused = sign_in(&provider).await.unwrap_err();
        assert!(matches!(refused, ProviderError::Nonsense { .. }), "{wrong}");
    }
    fake.world().namespaces.clear();
    assert!(matches!(sign_in(&provider).await.unwrap_err(), ProviderError::Status { .. }));
}
