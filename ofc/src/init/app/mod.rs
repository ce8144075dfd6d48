//! A GitHub App by the manifest flow: a person confirms at GitHub what is asked for here, and GitHub hands over the App's
//! number, key and secrets in exchange for a code.

mod conversion;
mod manifest;
mod page;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::report::Report;
use crate::config_file::{APP_RECORD, AppRecord, ConfigFile, Github};
use crate::report::Trouble;
use crate::secrets::{AUTH_CLIENT, FOREIGN_APP_KEY, Secrets, WEBHOOK, random};
use conversion::Converted;
pub(crate) use manifest::{events, permissions};
use page::{Came, Page};

/// Somebody who asks a colleague first has the time for it; GitHub's own limit is an hour.
const TIME: Duration = Duration::from_secs(30 * 60);
/// What the App brings.
const BROUGHT: [&str; 3] = [FOREIGN_APP_KEY, WEBHOOK, AUTH_CLIENT];

/// How a person is shown the way.
pub(crate) struct Way<'a> {
    /// The port of the local page; 0 for any.
    pub(crate) port: u16,
    /// How long it may take.
    pub(crate) time: Duration,
    /// Told where to begin.
    pub(crate) show: &'a mut (dyn FnMut(&str) -> anyhow::Result<()> + Send),
}

impl<'a> Way<'a> {
    pub(crate) fn new(port: u16, show: &'a mut (dyn FnMut(&str) -> anyhow::Result<()> + Send)) -> Self {
        Self { port, time: TIME, show }
    }
}

/// The App, made if there is none yet; `None` where there is none and nobody to make it.
///
/// # Errors
/// When GitHub hands nothing over, or what it hands over cannot be kept.
pub(crate) async fn make(
    config: &ConfigFile,
    github: &Github,
    secrets: &Secrets,
    way: Option<Way<'_>>,
    report: &mut Report,
) -> anyhow::Result<Option<AppRecord>> {
    let folder = config.secrets();
    if let Some(record) = AppRecord::load(&folder)? {
        record.expect_of(github)?;
        expect_whole(secrets)?;
        return Ok(Some(record));
    }
    expect_room(config, secrets)?;
    let Some(way) = way else {
        report
            .missing("the GitHub App: run `ofc init` at a terminal, or put one's number into ofc.yml as source.app.id");
        return Ok(None);
    };
    let app = ask(config, github, way).await?;
    let record = keep(config, github, secrets, app)?;
    report.changed(format!(
        "made the GitHub App {} (number {}), with {} in {}",
        record.slug,
        record.id,
        BROUGHT.join(", "),
        folder.display()
    ));
    report.missing(format!("install the App for accounts that shall deploy: {}/installations/new", record.html_url));
    Ok(Some(record))
}

/// An App whose secrets are gone has to get new ones at GitHub.
fn expect_whole(secrets: &Secrets) -> anyhow::Result<()> {
    let missing: Vec<_> = BROUGHT.into_iter().filter(|name| !secrets.has(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Trouble::new(format!("{APP_RECORD} is there, and {} is not", missing.join(", ")))
        .hint("put it back from a backup, or make a new one on the App's page at GitHub and write it there")
        .into())
}

/// Nothing may be in the way of what GitHub hands over: it does so once.
fn expect_room(config: &ConfigFile, secrets: &Secrets) -> anyhow::Result<()> {
    let there: Vec<_> = BROUGHT.into_iter().filter(|name| secrets.has(name)).collect();
    if there.is_empty() {
        return Ok(());
    }
    let sentence = format!("{} is in {} already, of another host or App", there.join(", "), config.secrets().display());
    Err(Trouble::new(sentence)
        .hint("say another `data` in ofc.yml, or source.app.id for the App that they belong to, or remove the files")
        .into())
}

async fn ask(config: &ConfigFile, github: &Github, way: Way<'_>) -> anyhow::Result<Converted> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, way.port))).await.map_err(|cause| {
        Trouble::new(format!("cannot listen on port {} of this machine", way.port))
            .hint("choose another: --app-port PORT")
            .because(cause)
    })?;
    let address = listener.local_addr()?;
    let token = || random().map(SecretString::from).context("there are no random numbers");
    let page = Page {
        address,
        target: github.new_app_page(),
        manifest: manifest::manifest(config, github, &Page::back(address)),
        ticket: token()?,
        state: token()?,
    };
    let start = page.start();
    let (came, coming) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, page.routes(came)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving.into_future());
    (way.show)(&start)?;
    let ended = timeout(way.time, coming).await;
    // The browser gets its last page before the port closes.
    let _ = stop.send(());
    let _ = timeout(Duration::from_secs(2), serving).await;
    match ended {
        Ok(Ok(Came::Code(code))) => {
            let converted = conversion::convert(github, &code).await;
            converted.map_err(|cause| not_made("GitHub did not hand the App over").because(cause).into())
        }
        Ok(Ok(Came::Denied)) => Err(not_made("the App was not confirmed at GitHub").into()),
        Ok(Err(_)) => Err(not_made("the local page ended").into()),
        Err(_) => {
            Err(not_made(&format!("nobody came back from GitHub within {} minutes", way.time.as_secs() / 60)).into())
        }
    }
}

fn not_made(sentence: &str) -> Trouble {
    Trouble::new(sentence.to_owned())
        .hint("run `ofc init` again; if GitHub lists the App already, delete it there first")
}

/// All of it is on the disk before the record is: a record means that the App is whole.
fn keep(config: &ConfigFile, github: &Github, secrets: &Secrets, app: Converted) -> anyhow::Result<AppRecord> {
    let api = github_app::Api::new(github.api_url.clone());
    github_app::App::new(api, app.id.to_string(), &app.pem)
        .map_err(|cause| not_made("the key that GitHub handed over cannot be used").because(cause))?;
    let webhook = app.webhook_secret.ok_or_else(|| not_made("GitHub handed over no webhook secret"))?;
    for (name, value) in [(FOREIGN_APP_KEY, &app.pem), (WEBHOOK, &webhook), (AUTH_CLIENT, &app.client_secret)] {
        if value.expose_secret().trim().is_empty() {
            return Err(not_made(&format!("GitHub handed over an empty {name}")).into());
        }
        secrets.keep(name, || Ok(value.expose_secret().to_owned()))?;
    }
    let (id, slug, client_id, html_url) = (app.id, app.slug, app.client_id, app.html_url);
    let record = AppRecord { github: github.url.to_string(), id, slug, client_id, html_url };
    let text = format!("{}\n", serde_json::to_string_pretty(&record)?);
    Report::default().put(&config.secrets().join(APP_RECORD), &text, 0o600)?;
    Ok(record)
}
