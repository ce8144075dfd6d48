//! A stage that is asked about a file: the platform that runs here, or one elsewhere at which one is signed in.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use reqwest::{RequestBuilder, Response, StatusCode};
use sdk::Env;
use sdk::sealing::{Report, Verified, VerifiedSecret};
use sdk::secrets::SECRETS_FUNCTION;
use sdk::signing::Key;
use sealed_secrets::SealedSecret;
use sealed_secrets::documents::{self, Limits, to_yaml};
use secrecy::ExposeSecret;
use url::Url;

use super::batch;
use super::certificate::checked;
use crate::account::{Credential, Credentials, Service};
use crate::locate::Which;
use crate::report::Trouble;
use crate::secrets;

/// Where the platform's own hosts are, below its domain.
const LABEL: &str = "system.";
/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest answer, in bytes: every value may be a little longer than before.
const LONGEST: usize = 4 * 1024 * 1024;
/// How often a busy stage is asked again, and the time between.
const AGAIN: (usize, Duration) = (5, Duration::from_secs(1));

/// A stage.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Its public address.
    pub(crate) name: String,
    base: Url,
    client: reqwest::Client,
    proof: Proof,
}

/// By what the stage knows who asks.
#[derive(Debug)]
enum Proof {
    Signature(Key),
    Token(Credential),
}

impl Stage {
    /// The one at `url` (the domain's address or `system.` before it), or the platform that runs here.
    ///
    /// # Errors
    /// When no platform runs here, the address is none, or one is not signed in there.
    pub(crate) fn find(url: Option<&str>, which: &Which) -> anyhow::Result<Self> {
        match url {
            Some(url) => Self::elsewhere(url, &Credentials::open(&Env::from_process())?),
            None => Self::here(which),
        }
    }

    fn here(which: &Which) -> anyhow::Result<Self> {
        let (data, record) = which.running().map_err(|error| match which.data {
            Some(_) => error,
            None => Trouble::usage("which stage is to be asked? No platform runs here")
                .hint("name it: --stage https://system.example.com")
                .into(),
        })?;
        let secret = record.secrets(&data).get(secrets::PAYLOAD)?;
        let base = format!("{}/function/{SECRETS_FUNCTION}/", record.gateway_url()).parse()?;
        let proof = Proof::Signature(Key::derive(&secret, SECRETS_FUNCTION));
        Ok(Self { name: record.url("system"), base, client: sdk::http::builder().timeout(LIMIT).build()?, proof })
    }

    fn elsewhere(url: &str, kept: &Credentials) -> anyhow::Result<Self> {
        let (mut base, here) = checked(url)?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let domain = host.strip_prefix(LABEL).unwrap_or(&host);
        let host = format!("{LABEL}{domain}");
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        // of-auth's address is made of the same domain: the token goes to no other host than those of its platform.
        let auth = Service::at(&format!("{}://{domain}{port}", base.scheme()))?.origin();
        let credential = kept.get(&auth).cloned().ok_or_else(|| {
            Trouble::new(format!("you are not signed in at {domain}"))
                .hint(format!("sign in with `ofc login --url {}://{domain}{port}`", base.scheme()))
        })?;
        base.set_host(Some(&host))?;
        base.set_path("/");
        base.set_query(None);
        let mut builder = sdk::http::builder().timeout(LIMIT);
        if let Some(here) = here {
            builder = builder.resolve(&host, here);
        }
        let name = base.origin().ascii_serialization();
        Ok(Self { name, base, client: builder.build()?, proof: Proof::Token(credential) })
    }

    /// What the stage says of each document, in their order.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn verify(&self, documents: &[SealedSecret]) -> anyhow::Result<Vec<VerifiedSecret>> {
        let mut answers: BTreeMap<String, VerifiedSecret> = BTreeMap::new();
        for part in batch::parts(documents) {
            let response = self.ask("v1/verify", &part, &[StatusCode::OK, StatusCode::CONFLICT]).await?;
            let told: Verified = serde_json::from_slice(&response).map_err(|cause| self.nonsense(cause))?;
            for secret in told.secrets {
                merge(&mut answers, secret);
            }
        }
        let of = |document: &SealedSecret| answers.remove(&document.name);
        let all: Option<Vec<_>> = documents.iter().map(of).collect();
        all.ok_or_else(|| self.nonsense("it says nothing of a secret"))
    }

    /// The documents sealed to the stage's newest certificate. Only sealed values are taken from the answer.
    ///
    /// # Errors
    /// When one does not open, or the stage cannot be asked.
    pub(crate) async fn rotate(&self, documents: &[SealedSecret]) -> anyhow::Result<Vec<SealedSecret>> {
        let mut fresh = documents.to_vec();
        for part in batch::parts(documents) {
            let response = self.ask("v1/rotate", &part, &[StatusCode::OK]).await?;
            let text = String::from_utf8(response).map_err(|cause| self.nonsense(cause))?;
            let answered = documents::parse(&text, &Limits::default()).map_err(|cause| self.nonsense(cause))?;
            let same = |(asked, answered): (&SealedSecret, &SealedSecret)| {
                (&asked.name, &asked.namespace) == (&answered.name, &answered.namespace)
                    && asked.encrypted_data.keys().eq(answered.encrypted_data.keys())
            };
            if answered.len() != part.len() || !part.iter().zip(&answered).all(same) {
                return Err(self.nonsense("it answers other secrets than those it was asked for"));
            }
            for answered in answered {
                self.take_over(&mut fresh, answered);
            }
        }
        Ok(fresh)
    }

    /// Which secrets the stage has, and to which certificate each is sealed.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn report(&self) -> anyhow::Result<Report> {
        let request = self.proven(self.client.get(self.base.join("v1/report")?), &Method::GET, &[]);
        let response = request.send().await.map_err(|cause| self.silent(cause))?;
        let status = response.status();
        let text = self.read(response).await?;
        if status != StatusCode::OK {
            return Err(self.refused(status, &text));
        }
        serde_json::from_slice(&text).map_err(|cause| self.nonsense(cause))
    }

    fn take_over(&self, fresh: &mut [SealedSecret], answered: SealedSecret) {
        if let Some(document) = fresh.iter_mut().find(|document| document.name == answered.name) {
            if let Some(fingerprint) = answered.fingerprint() {
                document.set_fingerprint(fingerprint);
            }
            document.set_stage(&self.name);
            document.encrypted_data.extend(answered.encrypted_data);
        }
    }

    /// Sends documents; an answer of another kind than those is an error. A stage that is busy is asked again.
    async fn ask(&self, path: &str, part: &[SealedSecret], kinds: &[StatusCode]) -> anyhow::Result<Vec<u8>> {
        let body: String = part.iter().map(to_yaml).collect();
        for again in (0..AGAIN.0).rev() {
            let request = self.client.post(self.base.join(path)?);
            let response = self.proven(request, &Method::POST, body.as_bytes()).body(body.clone()).send().await;
            let response = response.map_err(|cause| self.silent(cause))?;
            let status = response.status();
            if status == StatusCode::TOO_MANY_REQUESTS && again > 0 {
                tokio::time::sleep(AGAIN.1).await;
                continue;
            }
            let text = self.read(response).await?;
            return if kinds.contains(&status) { Ok(text) } else { Err(self.refused(status, &text)) };
        }
        Err(self.nonsense("it is busy"))
    }

    fn proven(&self, request: RequestBuilder, method: &Method, body: &[u8]) -> RequestBuilder {
        match &self.proof {
            Proof::Token(credential) => request.bearer_auth(credential.token.expose_secret()),
            Proof::Signature(key) => {
                let headers = key.sign(method, body, LIMIT);
                headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
            }
        }
    }

    async fn read(&self, mut response: Response) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|cause| self.nonsense(cause.without_url()))? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(self.nonsense("its answer has no end"));
            }
        }
        Ok(body)
    }

    fn refused(&self, status: StatusCode, text: &[u8]) -> anyhow::Error {
        let said: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(400).collect();
        let trouble = match status {
            StatusCode::UNAUTHORIZED => Trouble::new(format!("{} does not know who you are: {said}", self.name))
                .hint("sign in again with `ofc login`"),
            StatusCode::NOT_FOUND => Trouble::new(format!("{} has no import-secrets, which keeps secrets", self.name))
                .hint("is it the stage's address, and a platform of this release?"),
            _ if said.is_empty() => Trouble::new(format!("{} refuses: it answers {status}", self.name)),
            _ => Trouble::new(format!("{} refuses: {said}", self.name)),
        };
        trouble.into()
    }

    fn silent(&self, cause: reqwest::Error) -> anyhow::Error {
        Trouble::new(format!("{} does not answer", self.name))
            .hint("is it the stage's address, and does the platform run?")
            .because(cause.without_url())
            .into()
    }

    fn nonsense(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> anyhow::Error {
        Trouble::new(format!("{} does not answer as a platform of this release does", self.name)).because(cause).into()
    }
}

/// Adds what is said of a part of a secret to what is known of it: it opens if all parts do.
fn merge(answers: &mut BTreeMap<String, VerifiedSecret>, secret: VerifiedSecret) {
    let known = answers.entry(secret.name.clone()).or_insert_with(|| VerifiedSecret {
        opens: true,
        problem: String::new(),
        keys: BTreeMap::new(),
        name: secret.name.clone(),
    });
    known.opens &= secret.opens;
    known.keys.extend(secret.keys);
    if known.problem.is_empty() {
        known.problem = secret.problem;
    }
}

#[cfg(test)]
mod tests;
