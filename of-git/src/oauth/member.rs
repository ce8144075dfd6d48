//! People and organisations in GitHub's form. What this host does not know is empty, as GitHub has it for who
//! says nothing.

use chrono::{DateTime, Utc};
use sdk::id::Owner;
use serde_json::{Value, json};

use crate::organisations::Role;

/// A person, with the fields that GitHub shows to everybody.
pub(super) fn user(base: &str, login: &Owner, number: u64) -> Value {
    let url = format!("{base}/api/v3/users/{login}");
    json!({
        "login": login,
        "id": number,
        "node_id": format!("U_{number}"),
        "avatar_url": "",
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{base}/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": "User",
        "site_admin": false,
    })
}

/// A person with the profile, as `GET /user` shows it.
pub(super) fn profile(base: &str, login: &Owner, number: u64, repositories: usize, created: DateTime<Utc>) -> Value {
    let mut user = user(base, login, number);
    for name in ["name", "company", "location", "email", "hireable", "bio"] {
        user[name] = Value::Null;
    }
    for name in ["public_gists", "followers", "following"] {
        user[name] = 0.into();
    }
    user["blog"] = "".into();
    user["public_repos"] = repositories.into();
    user["created_at"] = json!(created);
    user["updated_at"] = json!(created);
    user
}

/// An organisation.
pub(super) fn organisation(base: &str, login: &Owner, number: u64) -> Value {
    let url = format!("{base}/api/v3/orgs/{login}");
    json!({
        "login": login,
        "id": number,
        "node_id": format!("O_{number}"),
        "url": url,
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events"),
        "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"),
        "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": "",
        "description": null,
    })
}

/// What somebody is in an organisation.
pub(super) fn membership(organisation: &Value, person: &Value, role: Role) -> Value {
    let (organisation_url, login) = (organisation["url"].as_str().unwrap_or_default(), &person["login"]);
    json!({
        "url": format!("{organisation_url}/memberships/{}", login.as_str().unwrap_or_default()),
        "state": "active",
        "role": role.to_string(),
        "organization_url": organisation_url,
        "organization": organisation,
        "user": person,
        "direct_membership": true,
        "permissions": { "can_create_repository": role == Role::Admin },
    })
}
