//! A login with an OpenID provider that others have written: npm's `oidc-provider`, as `scripts/setup test` installs
//! it. This side does what a browser does: it follows redirects, keeps cookies and fills in the forms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use http::Method;
use sdk::identity::Role;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::*;

/// The provider's process. It ends with this.
struct Server {
    _process: Child,
    issuer: String,
}

/// Where `scripts/setup` installs packages: below the target folder, which this test's program is in.
fn packages() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let found = program.ancestors().map(|folder| folder.join("node-tools/node_modules")).find(|path| path.is_dir());
    found.expect("npm's oidc-provider is not installed: run scripts/setup test")
}

/// `claims` is where the provider puts what it knows: `id_token` or `userinfo`.
async fn start(claims: &str) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc-provider/server.mjs");
    let mut process = Command::new("node")
        .arg(script)
        .args([packages().to_str().unwrap(), claims, CLIENT_ID, CLIENT_SECRET, redirect_uri().as_str()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node cannot be started");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the provider ended at its start");
        if let Some(issuer) = line.strip_prefix("issuer ") {
            let issuer = issuer.to_owned();
            // Nobody reads on; a full pipe must not stop it.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Server { _process: process, issuer };
        }
    }
}

fn provider_at(issuer: &str, secret: &str) -> Provider {
    let env = Env::from_map(
        [
            ("client_id", CLIENT_ID),
            ("oauth_provider", "oidc"),
            ("oidc_issuer", issuer),
            ("oidc_scopes", "openid profile groups"),
            ("oidc_owner_host", "github.com"),
            ("oidc_groups", "acme/7=developers:member,beta/8=admins:owner"),
        ],
        [("of-client-secret", secret)],
    );
    let reader = env.reader();
    let providers = Providers::from_env(&reader);
    reader.finish().unwrap();
    providers.unwrap().0.remove(0)
}

/// As much of a browser as a login needs.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Opens a page, signs in as `login`, agrees to everything, and returns the address that all ends at.
    async fn sign_in(&mut self, page: Url, login: &str) -> Url {
        let mut request = (Method::GET, page, None::<String>);
        for _ in 0..20 {
            if request.1.origin() == redirect_uri().origin() {
                return request.1;
            }
            request = self.step(request, login).await;
        }
        panic!("the login has no end; it came to {}", request.1)
    }

    /// One request; what its answer leads to.
    async fn step(&mut self, request: (Method, Url, Option<String>), login: &str) -> (Method, Url, Option<String>) {
        let (method, url, form) = request;
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut sent = sdk::http::client().request(method, url.clone()).header("cookie", cookies);
        if let Some(form) = form {
            sent = sent.header("content-type", "application/x-www-form-urlencoded").body(form);
        }
        let answer = sent.send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        if answer.status().is_redirection() {
            let location = answer.headers()["location"].to_str().unwrap();
            return (Method::GET, url.join(location).unwrap(), None);
        }
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{url}: {text}");
        fill_in(&url, &text, login)
    }
}

/// The form on a page, filled in: its hidden field says which question it is.
fn fill_in(page: &Url, text: &str, login: &str) -> (Method, Url, Option<String>) {
    let after = |mark: &str| text.split_once(mark).and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value);
    let action = after("action=\"").unwrap_or_else(|| panic!("no form at {page}: {text}"));
    let prompt = after("name=\"prompt\" value=\"").unwrap_or_else(|| panic!("no question at {page}: {text}"));
    let form = match prompt {
        "login" => format!("prompt=login&login={login}&password=any"),
        other => format!("prompt={other}"),
    };
    (Method::POST, page.join(action).unwrap(), Some(form))
}

fn answer(back: &Url) -> HashMap<String, String> {
    back.query_pairs().into_owned().collect()
}

async fn signs_in(claims: &str) {
    let server = start(claims).await;
    let provider = provider_at(&server.issuer, CLIENT_SECRET);
    let (page, pending) = provider.begin(&redirect_uri()).await.unwrap();
    let mut browser = Browser::default();
    let back = browser.sign_in(page, "Alice").await;
    assert_eq!(&back[..url::Position::AfterPath], redirect_uri().as_str());
    let answer = answer(&back);
    assert_eq!(answer["state"], pending.state);

    let person = provider.finish(&pending, &answer["code"], &redirect_uri()).await.unwrap();
    assert_eq!((person.host.as_str(), person.login.as_str()), ("github.com", "alice"));
    assert!(person.id >= 1 << 62);
    let roles: Vec<_> = person.organisations.iter().map(|found| (found.id, found.login.as_str(), found.role)).collect();
    assert_eq!(roles, [(7, "acme", Role::Member)]);
    let replayed = provider.finish(&pending, &answer["code"], &redirect_uri()).await.unwrap_err();
    assert_eq!(replayed.to_string(), "the provider refused the login: invalid_grant");
}

#[tokio::test]
async fn claims_come_in_the_id_token() {
    signs_in("id_token").await;
}

#[tokio::test]
async fn claims_come_with_the_user_information() {
    signs_in("userinfo").await;
}

#[tokio::test]
async fn it_refuses_another_verifier_and_another_secret() {
    let server = start("id_token").await;
    let provider = provider_at(&server.issuer, CLIENT_SECRET);
    let mut browser = Browser::default();
    let (page, _) = provider.begin(&redirect_uri()).await.unwrap();
    let code = answer(&browser.sign_in(page, "alice").await)["code"].clone();
    let (page, other) = provider.begin(&redirect_uri()).await.unwrap();
    let error = provider.finish(&other, &code, &redirect_uri()).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider refused the login: invalid_grant");

    let code = answer(&browser.sign_in(page, "alice").await)["code"].clone();
    let stranger = provider_at(&server.issuer, "another-client-secret");
    let error = stranger.finish(&other, &code, &redirect_uri()).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider refused the login: invalid_client");
}
