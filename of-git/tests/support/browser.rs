//! What a browser does: keeps cookies, says where a form comes from, and shows every redirect.

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret;
use url::Url;

use super::Host;

/// The address under which browsers reach the host.
pub(crate) const ORIGIN: &str = "http://git.localhost:8000";

/// One browser and what it keeps.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    base: String,
    client: reqwest::Client,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What it got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    /// Where it is sent, relative to the host.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).unwrap_or_else(|| panic!("no redirect: {self:?}")).to_str().unwrap()
    }

    /// A parameter of the address that it is sent to.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let to = Url::parse(ORIGIN).unwrap().join(self.location()).unwrap();
        to.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

impl Browser {
    pub(crate) fn new(host: &Host) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base: format!("http://{}", host.address), client, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Got {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send(request).await
    }

    /// Sends a form from one of the host's own pages.
    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Got {
        self.post_from(path, form, Some(ORIGIN)).await
    }

    pub(crate) async fn post_from(&mut self, path: &str, form: &[(&str, &str)], origin: Option<&str>) -> Got {
        let mut request = self.client.post(format!("{}{path}", self.base)).form(form);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        self.send(request).await
    }

    /// Signs in with a new link.
    pub(crate) async fn sign_in(&mut self, host: &Host, owner: &str) {
        let got = self.post(&link(host, owner), &[]).await;
        assert_eq!((got.status, got.location()), (StatusCode::SEE_OTHER, "/login/continue"), "{got:?}");
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Got {
        let kept: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(header::COOKIE, kept.join("; ")).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all(header::SET_COOKIE) {
            let (pair, rest) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Got { status, headers, text: response.text().await.unwrap() }
    }
}

/// A new link for an owner.
pub(crate) fn link(host: &Host, owner: &str) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    of_git::login_link(&host.config.token_key, &owner.parse().unwrap(), now).expose_secret().to_owned()
}
