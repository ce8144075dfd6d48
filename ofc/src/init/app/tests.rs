//! The whole way, with a browser's part played by hand and a GitHub that keeps to its published description.

use github_app::fake_github::{APP_ID, CLIENT_SECRET, FakeGithub, Refusal, WEBHOOK_SECRET, app_key};
use http::StatusCode;
use reqwest::Response;

use super::*;
use crate::config_file::Source;

struct Site {
    folder: tempfile::TempDir,
    config: ConfigFile,
    github: Github,
    secrets: Secrets,
}

fn site(fake: &FakeGithub, app: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let (url, api) = (fake.site(), fake.url());
    let text = format!(
        "domain: example.com\ntls: {{mode: proxy}}\ntenants: [alice]\nsource: {{host: github, url: '{url}', api_url: '{api}', app: {{{app}}}}}"
    );
    let config = ConfigFile::parse(&text, folder.path().to_owned()).unwrap();
    let Source::Github(github) = config.source.clone() else { panic!() };
    crate::data_dir::private_dir(&config.secrets()).unwrap();
    let secrets = Secrets::existing(config.secrets());
    Site { folder, config, github, secrets }
}

/// A browser that follows nothing by itself.
async fn open(url: &str) -> Response {
    sdk::http::client().get(url).send().await.unwrap()
}

fn value(page: &str, before: &str) -> String {
    let rest = page.split_once(before).unwrap().1;
    rest.split('"').next().unwrap().replace("&quot;", "\"").replace("&amp;", "&").replace("&#39;", "'")
}

/// Opens the page and presses its button; gives the address that GitHub sends the browser back to.
async fn confirm(start: &str) -> String {
    let page = open(start).await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action http://127.0.0.1"), "{policy}");
    let page = page.text().await.unwrap();
    let (action, manifest) = (value(&page, "action=\""), value(&page, "name=\"manifest\" value=\""));
    let answer = sdk::http::client().post(action).form(&[("manifest", manifest)]).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// Runs `make` while a browser does its part.
async fn run<B>(
    site: &Site,
    time: Duration,
    browser: impl FnOnce(String) -> B + Send,
) -> (anyhow::Result<Option<AppRecord>>, Report)
where
    B: Future<Output = ()> + Send + 'static,
{
    let mut report = Report::default();
    let mut browser = Some(browser);
    let mut show = |start: &str| {
        let browser = browser.take().unwrap();
        tokio::spawn(browser(start.to_owned()));
        Ok(())
    };
    let made = make_with(site, time, &mut show, &mut report).await;
    (made, report)
}

async fn make_with(
    site: &Site,
    time: Duration,
    show: &mut (dyn FnMut(&str) -> anyhow::Result<()> + Send),
    report: &mut Report,
) -> anyhow::Result<Option<AppRecord>> {
    let way = Way { port: 0, time, show };
    make(&site.config, &site.github, &site.secrets, Some(way), report).await
}

fn kept(site: &Site, name: &str) -> String {
    site.secrets.get(name).unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn an_app_is_made_once_and_its_secrets_are_kept() {
    let fake = FakeGithub::start().await;
    let site = site(&fake, "name: my app, organisation: acme");
    let (made, report) = run(&site, TIME, |start| async move {
        let back = confirm(&start).await;
        let done = open(&back).await;
        assert_eq!(done.status(), 200);
        assert!(done.text().await.unwrap().contains("being set up"));
    })
    .await;
    let record = made.unwrap().unwrap();
    assert_eq!((record.id, record.client_id.as_str()), (APP_ID, "Iv23.of-tests"));
    assert_eq!(kept(&site, WEBHOOK), WEBHOOK_SECRET);
    assert_eq!(kept(&site, AUTH_CLIENT), CLIENT_SECRET);
    assert_eq!(kept(&site, FOREIGN_APP_KEY), app_key().pkcs1().trim());
    let said = report.render();
    assert!(said.contains("ofc-of-tests") && said.contains("/installations/new"), "{said}");
    for secret in [WEBHOOK_SECRET, CLIENT_SECRET, "PRIVATE KEY"] {
        assert!(!said.contains(secret), "{said}");
    }
    let (path, mut manifest) = fake.manifests().remove(0);
    assert!(manifest["redirect_url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    manifest["redirect_url"] = "here".into();
    assert_eq!(path, "/organizations/acme/settings/apps/new");
    // Whether JSON keeps its order is decided by whatever else is built along.
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    let _sorted = settings.bind_to_scope();
    insta::assert_json_snapshot!(manifest, @r#"
    {
      "callback_urls": [
        "https://auth.system.example.com/oauth2/authorized"
      ],
      "default_events": [
        "push",
        "check_run",
        "check_suite",
        "repository",
        "deployment"
      ],
      "default_permissions": {
        "checks": "write",
        "contents": "read",
        "deployments": "write",
        "members": "read",
        "metadata": "read",
        "statuses": "write"
      },
      "hook_attributes": {
        "active": true,
        "url": "https://system.example.com/github-event"
      },
      "name": "my app",
      "public": false,
      "redirect_url": "here",
      "request_oauth_on_install": false,
      "url": "https://system.example.com"
    }
    "#);
    assert_eq!(fake.faults(), [] as [&str; 0]);
    // Again: nobody is asked, and nothing is made.
    let mut again = Report::default();
    let known = make(&site.config, &site.github, &site.secrets, None, &mut again).await.unwrap();
    assert_eq!((known, again.changes), (Some(record), 0));
    assert_eq!(fake.manifests().len(), 1);
    drop(site.folder);
}

#[tokio::test]
async fn strangers_neither_see_the_page_nor_end_the_wait() {
    let fake = FakeGithub::start().await;
    let site = site(&fake, "");
    let (made, _) = run(&site, TIME, |start| async move {
        let base = start.rsplit_once('/').unwrap().0.to_owned();
        assert_eq!(open(&base).await.status(), 404);
        assert_eq!(open(&format!("{base}/{}", "0".repeat(64))).await.status(), 404);
        let rebound = sdk::http::client().get(&start).header("host", "evil.example").send().await.unwrap();
        assert_eq!(rebound.status(), 421);
        let back = confirm(&start).await;
        for (wrong, status) in [
            (format!("{base}/back?code=stolen&state={}", "0".repeat(64)), 403),
            (format!("{base}/back?code=stolen"), 403),
            (format!("{base}/back?error=access_denied&state=x"), 403),
            (back.replace("code=", "code=..%2F..%2Fapp%3F"), 400),
            (back.replace("code=", "nothing="), 400),
        ] {
            assert_eq!(open(&wrong).await.status(), status, "{wrong}");
        }
        assert_eq!(open(&back).await.status(), 200);
    })
    .await;
    assert!(made.unwrap().is_some());
    assert_eq!(fake.calls(), ["POST conversions"]);
}

#[tokio::test]
async fn a_code_counts_once() {
    let (came, coming) = oneshot::channel();
    let address = "127.0.0.1:1".parse().unwrap();
    let (ticket, state) = ("ticket".into(), "state".into());
    let page =
        Page { address, target: "https://github.com/x".into(), manifest: serde_json::Value::Null, ticket, state };
    let routes = page.routes(came);
    let ask = |uri: &str| {
        let request = axum::extract::Request::get(uri).header("host", "127.0.0.1:1").body(axum::body::Body::empty());
        tower::ServiceExt::oneshot(routes.clone(), request.unwrap())
    };
    assert_eq!(ask("/back?code=a&state=state").await.unwrap().status(), 200);
    assert_eq!(ask("/back?code=b&state=state").await.unwrap().status(), 410);
    let Came::Code(code) = coming.await.unwrap() else { panic!() };
    assert_eq!(code.expose_secret(), "a");
}

#[tokio::test]
async fn what_github_does_not_hand_over_leaves_nothing_behind() {
    let fake = FakeGithub::start().await;
    let said = |made: anyhow::Result<Option<AppRecord>>| crate::report::render(&made.unwrap_err());
    let expired = site(&fake, "");
    let late = fake.clone();
    let (made, _) = run(&expired, TIME, |start| async move {
        let back = confirm(&start).await;
        late.expire_codes();
        open(&back).await;
    })
    .await;
    let text = said(made);
    assert!(text.contains("used or older than an hour") && text.contains("run `ofc init` again"), "{text}");
    fake.refuse_next("POST /app-manifests/{code}/conversions", Refusal::new(StatusCode::BAD_GATEWAY, "secret words"));
    let (made, _) = run(&expired, TIME, |start| async move {
        open(&confirm(&start).await).await;
    })
    .await;
    let text = said(made);
    assert!(text.contains("502") && !text.contains("secret words"), "{text}");
    let (made, _) = run(&expired, TIME, |start| async move {
        let back = confirm(&start).await;
        let state = back.split("state=").nth(1).unwrap();
        let base = start.rsplit_once('/').unwrap().0;
        assert_eq!(open(&format!("{base}/back?error=access_denied&state={state}")).await.status(), 200);
    })
    .await;
    assert!(said(made).contains("not confirmed"));
    let (made, _) = run(&expired, Duration::ZERO, |_| async {}).await;
    assert!(said(made).contains("nobody came back"));
    let left: Vec<_> = std::fs::read_dir(expired.config.secrets()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn without_room_or_anybody_nothing_is_asked() {
    let fake = FakeGithub::start().await;
    let site = site(&fake, "");
    let mut report = Report::default();
    assert!(make(&site.config, &site.github, &site.secrets, None, &mut report).await.unwrap().is_none());
    assert!(report.render().contains("source.app.id"));
    site.secrets.keep(WEBHOOK, || Ok("of another host".into())).unwrap();
    let error = make(&site.config, &site.github, &site.secrets, None, &mut report).await.unwrap_err();
    assert!(error.to_string().contains("of another host or App"), "{error}");
    std::fs::write(site.config.secrets().join(APP_RECORD), "{").unwrap();
    let error = make(&site.config, &site.github, &site.secrets, None, &mut report).await.unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(fake.calls().is_empty());
}
