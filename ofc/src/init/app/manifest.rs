//! The GitHub App as it is asked for.

use serde_json::{Value, json};

use crate::config_file::{ConfigFile, Github, SignIn};

/// GitHub's longest name of an App, in characters.
const MAX_NAME: usize = 34;
/// Those that docs/github.md lists; installations' come unasked.
const EVENTS: [&str; 5] = ["push", "check_run", "check_suite", "repository", "deployment"];

/// What the App may do.
pub(crate) fn permissions(config: &ConfigFile) -> Value {
    let mut all = json!({
        "checks": "write", "statuses": "write", "contents": "read", "deployments": "write", "metadata": "read",
    });
    if signs_in(config) {
        // Without it, nobody is a member of an organisation to of-auth.
        all["members"] = json!("read");
    }
    all
}

/// The events that the App is told of.
pub(crate) fn events() -> [&'static str; 5] {
    EVENTS
}

/// The manifest. GitHub sends the browser to `redirect` in the end.
pub(crate) fn manifest(config: &ConfigFile, github: &Github, redirect: &str) -> Value {
    let name = github.app.name.clone().unwrap_or_else(|| usual_name(config.domain.as_str()));
    let mut manifest = json!({
        "name": name,
        "url": config.public_url("system"),
        "hook_attributes": {
            "url": format!("{}/github-event", config.public_url("system")),
            "active": true,
        },
        "redirect_url": redirect,
        "public": github.app.public,
        "default_permissions": permissions(config),
        "default_events": EVENTS,
        "request_oauth_on_install": false,
    });
    if signs_in(config) {
        manifest["callback_urls"] = json!([format!("{}/oauth2/authorized", config.public_url("auth.system"))]);
    }
    manifest
}

/// True if people sign in by the App's own client.
fn signs_in(config: &ConfigFile) -> bool {
    matches!(&config.sign_in, SignIn::Github { client_id: None, .. })
}

fn usual_name(domain: &str) -> String {
    format!("ofc {domain}").chars().take(MAX_NAME).collect()
}
