//! A tenant list at an address. An answer that is not a list of logins changes nothing.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sdk::customers::{self, Admission, MAX_LIST_BYTES, MalformedLine, Tenants};
use sdk::id::{Owner, OwnerId};
use tokio::time::Instant;
use url::Url;

use super::disk;

/// A list is asked for again after this.
pub(super) const KEEP: Duration = Duration::from_secs(5 * 60);
/// After a failure it is asked for sooner.
pub(super) const RETRY: Duration = Duration::from_secs(30);
/// The whole answer may take so long.
const TIME: Duration = Duration::from_secs(10);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the tenant list cannot be fetched")]
    Unreachable(#[source] reqwest::Error),
    #[error("the tenant list's address answered {0}")]
    Status(http::StatusCode),
    #[error("the tenant list's address answered with a page or with data ({0}), not with plain text")]
    Kind(String),
    #[error("the tenant list has over {MAX_LIST_BYTES} bytes or is not UTF-8")]
    NoText,
    #[error("the tenant list is not usable: {0}")]
    Malformed(#[from] MalformedLine),
    #[error("the tenant list has no login in it")]
    Empty,
    #[error("the last good copy of the tenant list cannot be written")]
    Copy(#[source] std::io::Error),
}

/// The list, as it was when it was last good.
#[derive(Debug)]
pub(super) struct Fetched {
    url: Url,
    copy: PathBuf,
    client: reqwest::Client,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    text: String,
    tenants: Tenants,
    due: Instant,
}

impl Fetched {
    /// Asks for the list. Where that fails, the last good copy serves; without one there is no start.
    pub(super) async fn start(url: Url, copy: PathBuf) -> Result<Self, FetchError> {
        let client = sdk::http::client();
        let now = Instant::now();
        let known = match ask(&client, &url).await {
            Ok((text, tenants)) => {
                disk::write(copy.clone(), text.clone().into_bytes()).await.map_err(FetchError::Copy)?;
                Known { text, tenants, due: now + KEEP }
            }
            Err(error) => {
                match std::fs::read_to_string(&copy).ok().and_then(|text| Some((tenants(&text).ok()?, text))) {
                    Some((tenants, text)) => {
                        tell(&error);
                        Known { text, tenants, due: now + RETRY }
                    }
                    None => return Err(error),
                }
            }
        };
        Ok(Self { url, copy, client, known: Mutex::new(known), asking: tokio::sync::Mutex::default() })
    }

    pub(super) fn admits(&self, login: &Owner, account: &OwnerId) -> Admission {
        self.known().tenants.admits(login, account)
    }

    /// Asks again if it is time. One asks; the others go on with what is known.
    pub(super) async fn refresh(&self, now: Instant) {
        if now < self.known().due {
            return;
        }
        let Ok(_turn) = self.asking.try_lock() else { return };
        let due = match self.renew().await {
            Ok(()) => now + KEEP,
            Err(error) => {
                tell(&error);
                now + RETRY
            }
        };
        self.known().due = due;
    }

    async fn renew(&self) -> Result<(), FetchError> {
        let (text, tenants) = ask(&self.client, &self.url).await?;
        let changed = self.known().text != text;
        if changed {
            // The copy first: a start must not go back behind what has been in force.
            disk::write(self.copy.clone(), text.clone().into_bytes()).await.map_err(FetchError::Copy)?;
            let mut known = self.known();
            (known.text, known.tenants) = (text, tenants);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(client: &reqwest::Client, url: &Url) -> Result<(String, Tenants), FetchError> {
    let failed = |error: reqwest::Error| FetchError::Unreachable(error.without_url());
    let mut response = client.get(url.clone()).timeout(TIME).send().await.map_err(failed)?;
    if response.status() != http::StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if let Some(kind) = kind.filter(|kind| !is_text(kind)) {
        return Err(FetchError::Kind(kind.chars().filter(|c| !c.is_control()).take(80).collect()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if (body.len() + chunk.len()) as u64 > MAX_LIST_BYTES {
            return Err(FetchError::NoText);
        }
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(body).map_err(|_| FetchError::NoText)?;
    let tenants = tenants(&text)?;
    Ok((text, tenants))
}

/// Servers give files without an ending as bytes.
fn is_text(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "text/plain" || kind == "application/octet-stream"
}

fn tenants(text: &str) -> Result<Tenants, FetchError> {
    let tenants = customers::parse(text)?;
    if tenants.is_empty() { Err(FetchError::Empty) } else { Ok(tenants) }
}

fn tell(error: &FetchError) {
    let error = sdk::failure::chain(error);
    tracing::error!(error, "The tenant list is not usable; the last good one stays in force");
}
