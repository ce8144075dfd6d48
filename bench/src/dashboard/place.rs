//! The platform with the dashboard, as a process of its own, and people who look at it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use sdk::call::{CallId, Functions};
use sdk::history::{FunctionRecord, PushRecord, RECORD_FUNCTION};
use sdk::id::OwnerId;
use sdk::identity::{Identity, IdentityKey, Organisation, Role};
use sdk::pipeline_log::{LogKey, LogPart, LogRequest, READ_FUNCTION};
use sdk::status::State;
use secrecy::SecretString;

use crate::child::Process;
use crate::servers::Server;
use crate::servers::catalogue::{HOST, OWNER, OWNER_ID};
use crate::servers::dashboard::PAYLOAD_SECRET;

/// The function whose builds are looked at, as stack.yml has it.
pub(super) const FUNCTION: &str = "checkout-service-0001";
/// Who looks is believed to be that for as long as everything here takes.
const LIFETIME: Duration = Duration::from_secs(1800);

pub(super) struct Place {
    process: Process,
    directory: tempfile::TempDir,
    http: reqwest::Client,
    key: IdentityKey,
    functions: Functions,
}

impl Place {
    pub(super) fn open() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().to_str().context("a directory without a name")?.to_owned();
        let process = Process::start(Server::Dashboard, &[("bench_directory", path)])?;
        let secret = SecretString::from(PAYLOAD_SECRET);
        let functions = Functions::new(process.url.parse()?, secret.clone());
        let key = IdentityKey::derive(&secret, "system-dashboard");
        Ok(Self { process, directory, http: sdk::http::client(), key, functions })
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// The file in which `pipeline-log` keeps a whole log.
    pub(super) fn packed(&self, key: &LogKey) -> PathBuf {
        let LogKey { owner, repo, sha, function } = key;
        self.directory.path().join(format!("logs/{owner}/{repo}/{sha}/{function}/build.log.gz"))
    }

    /// Asks for a page as a browser does, through the gateway, and as the router says who it is. `path` is behind `/dashboard`.
    pub(super) async fn open_page(&self, who: &Identity, path: &str) -> Result<reqwest::Response> {
        self.ask(who, path, true).await
    }

    /// A page, not packed.
    pub(super) async fn text(&self, who: &Identity, path: &str) -> Result<String> {
        Ok(self.ask(who, path, false).await?.text().await?)
    }

    async fn ask(&self, who: &Identity, path: &str, packed: bool) -> Result<reqwest::Response> {
        let mut headers = HeaderMap::new();
        self.key.tell(&mut headers, who, LIFETIME);
        if packed {
            headers.insert(ACCEPT_ENCODING, "gzip, deflate, br, zstd".parse()?);
        }
        let url = format!("{}function/system-dashboard{path}", self.process.url);
        let response = self.http.get(url).headers(headers).send().await?;
        ensure!(response.status().is_success(), "{path} is answered with {}", response.status());
        let is_packed = response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        // What is sent little by little cannot be.
        ensure!(is_packed == packed || path.contains("/live"), "{path} is not packed as was asked");
        Ok(response)
    }

    pub(super) async fn keep(&self, part: &LogPart) -> Result<()> {
        self.functions.invoke("pipeline-log", part, &CallId::random()).await?;
        Ok(())
    }

    pub(super) async fn record(&self, record: &PushRecord) -> Result<()> {
        self.functions.invoke(RECORD_FUNCTION, record, &CallId::random()).await?;
        Ok(())
    }

    /// Reads a whole log and forgets it; how many bytes it had.
    pub(super) async fn read_whole(&self, key: &LogKey) -> Result<u64> {
        let request = LogRequest { key: key.clone(), tail_bytes: None, from: None, max_bytes: None };
        let mut response = self.functions.invoke(READ_FUNCTION, &request, &CallId::random()).await?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len() as u64;
        }
        Ok(bytes)
    }
}

/// The owner of all functions.
pub(super) fn owner() -> Result<Identity> {
    Ok(Identity {
        host: HOST.to_owned(),
        id: OWNER_ID,
        login: OWNER.parse()?,
        organisations: Vec::new(),
        operator: false,
    })
}

/// Somebody who belongs to that owner.
pub(super) fn member(number: u64) -> Result<Identity> {
    let at = Organisation { id: OWNER_ID, login: OWNER.parse()?, role: Role::Member };
    let login = format!("person-{number}").parse()?;
    Ok(Identity { host: HOST.to_owned(), id: 1000 + number, login, organisations: vec![at], operator: false })
}

/// The build of [`FUNCTION`] at the commit with this number.
pub(super) fn build(commit: u64) -> Result<LogKey> {
    let sha = format!("{commit:040x}").parse()?;
    Ok(LogKey { owner: OWNER.parse()?, repo: "shop-01".parse()?, sha, function: FUNCTION.parse()? })
}

/// A push of that commit, with all that a record has.
pub(super) fn push(key: &LogKey, commit: u64, state: State) -> Result<PushRecord> {
    let began = 1_790_000_000_000 + commit * 60_000;
    let function = |number: u64| {
        Ok(FunctionRecord {
            name: format!("checkout-service-{number:04}").parse()?,
            state,
            description: "The function is live".to_owned(),
            unchanged: number > 3,
            began: Some(began + 2000),
            ended: state.is_final().then_some(began + 31_500),
        })
    };
    Ok(PushRecord {
        owner_id: OwnerId { host: HOST.to_owned(), id: OWNER_ID },
        owner: key.owner.clone(),
        repo: key.repo.clone(),
        repo_id: 101,
        sha: key.sha.clone(),
        call: format!("push-{commit}"),
        branch: "main".to_owned(),
        html_url: format!("https://{HOST}/{OWNER}/shop-01"),
        private: false,
        message: "Take the cheaper carrier where both are as fast\n\nThe customer sees which.".to_owned(),
        author: "Alice Doe".to_owned(),
        pusher: OWNER.to_owned(),
        began,
        ended: state.is_final().then_some(began + 42_000),
        state,
        description: "5 functions are live".to_owned(),
        functions: (1..=5).map(function).collect::<Result<_>>()?,
        removed: Vec::new(),
    })
}

/// The address of a build's page, or of what is below it.
pub(super) fn build_page(key: &LogKey, below: &str) -> String {
    format!("/{OWNER}/{FUNCTION}/build-log{below}?repoPath={}/{}&commitSHA={}", key.owner, key.repo, key.sha)
}
