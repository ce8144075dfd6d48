//! A browser without a screen: it keeps cookies per host, and reaches the service as through the router.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use http::{HeaderMap, Method};
use url::Url;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Where it leads.
    pub(crate) fn location(&self) -> Url {
        self.header("location").map(|to| self.url.join(to).unwrap()).unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }
}

pub(crate) struct Browser {
    service: SocketAddr,
    pub(crate) address: String,
    cookies: HashMap<String, BTreeMap<String, String>>,
    /// Addresses that were visited, the last one last.
    pub(crate) visited: Vec<Url>,
}

impl Browser {
    pub(crate) fn new(service: SocketAddr) -> Self {
        Self { service, address: "192.0.2.1".into(), cookies: HashMap::new(), visited: Vec::new() }
    }

    pub(crate) fn cookie(&self, host: &str, name: &str) -> Option<String> {
        self.cookies.get(host)?.get(name).cloned()
    }

    /// The session's token at a host.
    pub(crate) fn token(&self, host: &str) -> String {
        self.cookie(host, "__Host-ofc_session").unwrap_or_else(|| panic!("no session at {host}: {:?}", self.cookies))
    }

    pub(crate) fn set_cookie(&mut self, host: &str, name: &str, value: &str) {
        self.cookies.entry(host.into()).or_default().insert(name.into(), value.into());
    }

    pub(crate) fn forget(&mut self, host: &str, name: &str) {
        self.cookies.entry(host.into()).or_default().remove(name);
    }

    /// One GET.
    pub(crate) async fn get(&mut self, url: &str) -> Reply {
        self.send(Method::GET, url, None, &[]).await
    }

    /// Follows redirects to the end.
    pub(crate) async fn follow(&mut self, url: &str) -> Reply {
        let mut reply = self.get(url).await;
        for _ in 0..20 {
            // Owners' functions are not there; what matters is that somebody was sent to one.
            if reply.status != 303 && reply.status != 302 {
                return reply;
            }
            let next = reply.location();
            if !self.is_ours(&next) {
                return reply;
            }
            reply = self.get(next.as_str()).await;
        }
        panic!("redirected for ever: {:?}", self.visited);
    }

    /// Follows redirects up to the first address that begins so, without going there.
    pub(crate) async fn follow_until(&mut self, url: &str, prefix: &str) -> Url {
        let mut next: Url = url.parse().unwrap();
        for _ in 0..20 {
            if next.as_str().starts_with(prefix) {
                return next;
            }
            next = self.get(next.as_str()).await.location();
        }
        panic!("never came to {prefix}: {:?}", self.visited);
    }

    fn is_ours(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap();
        host == "127.0.0.1" || host == super::AUTH_HOST || url.path().starts_with("/.ofc/")
    }

    /// A form of the same host's page.
    pub(crate) async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Reply {
        let origin = Url::parse(url).unwrap().origin().ascii_serialization();
        self.send(Method::POST, url, Some(form), &[("origin", &origin), ("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        url: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let url: Url = url.parse().unwrap();
        self.visited.push(url.clone());
        let host = url.host_str().unwrap().to_owned();
        let mut to = url.clone();
        let outside = host == "127.0.0.1";
        if !outside {
            to.set_scheme("http").unwrap();
            to.set_host(Some(&self.service.ip().to_string())).unwrap();
            to.set_port(Some(self.service.port())).unwrap();
        }
        let mut request = sdk::http::client().request(method, to);
        if !outside {
            request = request
                .header("x-forwarded-host", &host)
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-for", &self.address)
                .header("user-agent", "Test<b>Browser</b>/1.0");
        }
        let jar = self.cookies.entry(host).or_default();
        if !jar.is_empty() {
            let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            request = request.form(form);
        }
        let response = request.send().await.unwrap();
        for value in response.headers().get_all("set-cookie") {
            let value = value.to_str().unwrap();
            let (pair, attributes) = value.split_once(';').unwrap();
            let (name, content) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0;") {
                true => jar.remove(name),
                false => jar.insert(name.into(), content.into()),
            };
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { url, status, headers, text: response.text().await.unwrap() }
    }
}
