//! Whether GitHub knows the App by its key, and lets it do what it needs.

use github_app::{Api, App, Call};
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::config_file::{AppRecord, ConfigFile, Github};
use crate::doctor::Finding;
use crate::init::app::{events, permissions};
use crate::secrets::{FOREIGN_APP_KEY, Secrets};

const WHAT: &str = "GitHub App";

#[derive(Deserialize)]
struct About {
    id: u64,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    permissions: Value,
    #[serde(default)]
    events: Vec<String>,
}

/// Asks GitHub about the App as the App.
pub(super) async fn examine(config: &ConfigFile, github: &Github, secrets: &Secrets) -> Finding {
    let id = match (github.app.id, AppRecord::load(&config.secrets())) {
        (Some(id), _) => id,
        (None, Ok(Some(record))) => record.id,
        (None, Ok(None)) => return Finding::fail(WHAT, "there is none yet", "run `ofc init` at a terminal"),
        (None, Err(error)) => return Finding::fail(WHAT, format!("{error:#}"), "put it back from a backup"),
    };
    let app = match secrets
        .get(FOREIGN_APP_KEY)
        .map(|key| App::new(Api::new(github.api_url.clone()), id.to_string(), &key))
    {
        Ok(Ok(app)) => app,
        Ok(Err(_)) | Err(_) => {
            let path = secrets.path(FOREIGN_APP_KEY);
            let advice = "generate a private key on the App's page at GitHub and put it there";
            return Finding::fail(WHAT, format!("{} is not a usable key", path.display()), advice);
        }
    };
    match about(&app).await {
        Ok(about) => verdict(config, &about),
        Err(error) if error.status().is_some_and(|status| status == 401 || status == 404) => {
            let advice = "see whether source.app.id and the private key are of one App, and whether this machine's clock is right";
            Finding::fail(WHAT, format!("{} does not know App {id} by its key", github.url), advice)
        }
        Err(error) => {
            Finding::fail(WHAT, sdk::failure::chain(&error), "see whether source.api_url can be reached from here")
        }
    }
}

async fn about(app: &App) -> Result<About, github_app::GithubError> {
    let call = Call::new("the question about the App", Method::GET, ["app"]);
    app.api().send(&call, &app.jwt()?, 0).await?.json()
}

fn verdict(config: &ConfigFile, about: &About) -> Finding {
    let name = format!("{} (number {})", about.slug, about.id);
    let wanted = permissions(config);
    let wanted = wanted.as_object().into_iter().flatten();
    let has = |name: &str, access: &Value| {
        let given = &about.permissions[name];
        given == access || given == "write" || given == "admin"
    };
    let lacking: Vec<_> = wanted.filter(|(name, access)| !has(name, access)).map(|(name, _)| name.as_str()).collect();
    let deaf: Vec<_> = events().into_iter().filter(|event| !about.events.iter().any(|known| known == event)).collect();
    match (lacking.is_empty(), deaf.is_empty()) {
        (true, true) => Finding::ok(WHAT, name),
        (false, _) => {
            let sentence = format!("{name} lacks the permissions {}", lacking.join(", "));
            Finding::warn(
                WHAT,
                sentence,
                "give them on the App's page at GitHub, and accept them where it is installed",
            )
        }
        (true, false) => {
            let sentence = format!("{name} is not told of {}", deaf.join(", "));
            Finding::warn(WHAT, sentence, "subscribe to these events on the App's page at GitHub")
        }
    }
}

#[cfg(test)]
mod tests {
    use github_app::fake_github::{APP_ID, FakeGithub, PrivateKey, Refusal, app_key};
    use http::StatusCode;

    use super::*;
    use crate::config_file::Source;

    async fn said(fake: &FakeGithub, key: Option<String>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (url, api) = (fake.site(), fake.url());
        let text = format!(
            "{{domain: a.io, tenants: [a], source: {{host: github, url: '{url}', api_url: '{api}', app: {{id: {APP_ID}}}}}, sign_in: {{provider: off}}}}"
        );
        let config = ConfigFile::parse(&text, folder.path().to_owned()).unwrap();
        let Source::Github(github) = &config.source else { panic!() };
        std::fs::create_dir_all(config.secrets()).unwrap();
        if let Some(key) = key {
            std::fs::write(config.secrets().join(FOREIGN_APP_KEY), key).unwrap();
        }
        let finding = examine(&config, github, &Secrets::existing(config.secrets())).await;
        anstream::adapter::strip_str(&crate::doctor::lines(&[finding])).to_string()
    }

    #[tokio::test]
    async fn the_app_is_asked_about_as_the_app() {
        let fake = FakeGithub::start().await;
        let told = said(&fake, Some(app_key().pkcs1())).await;
        assert!(told.starts_with("warn") && told.contains("not told of check_run"), "{told}");
        fake.withdraw("deployments");
        assert!(said(&fake, Some(app_key().pkcs1())).await.contains("lacks the permissions deployments"));
        assert_eq!(fake.faults(), [] as [&str; 0]);
    }

    #[tokio::test]
    async fn keys_that_do_not_open_say_what_to_do() {
        let fake = FakeGithub::start().await;
        assert!(said(&fake, None).await.contains("generate a private key"));
        assert!(said(&fake, Some("no key".into())).await.contains("is not a usable key"));
        let other = said(&fake, Some(PrivateKey::generate().pkcs1())).await;
        assert!(other.starts_with("FAIL") && other.contains("does not know App"), "{other}");
        for _ in 0..3 {
            fake.refuse_next("GET /app", Refusal::new(StatusCode::BAD_GATEWAY, "no"));
        }
        assert!(said(&fake, Some(app_key().pkcs1())).await.contains("source.api_url"));
    }
}
