//! The plain port beside the encrypted one, and what browsers are told about it.

use std::time::SystemTime;

use http::HeaderValue;

use super::Edge;
use super::host::Host;

/// Where an authority looks for a text (RFC 8555, 8.3).
const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";

/// What to do with a request that came without encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// Serve it as it is.
    Serve,
    /// Answer an authority's check with this text, as `application/octet-stream`.
    Challenge(String),
    /// Answer 308 with this `Location`.
    Redirect(HeaderValue),
    /// There is no such host here: 404.
    Unknown,
}

impl Edge {
    /// Decides about a request on the plain port. `authority` is its `Host`, `path` its path and `query` its query, both
    /// as they came.
    pub async fn plain(&self, authority: &str, path: &str, query: Option<&str>) -> Plain {
        if path == "/healthz" {
            return Plain::Serve;
        }
        let host = Host::of_authority(authority);
        if let Some(text) = host.as_ref().and_then(|host| self.http_challenge(host.as_str(), path)) {
            return Plain::Challenge(text);
        }
        if !self.settings.redirect {
            return Plain::Serve;
        }
        match host {
            // Only hosts that are ours appear in an answer, so nobody is sent elsewhere by us.
            Some(host) if self.is_served(&host).await => self.redirect(&host, path, query),
            _ => Plain::Unknown,
        }
    }

    /// The text that proves `host` to an authority, if an order for it is open and `path` asks for it.
    pub fn http_challenge(&self, host: &str, path: &str) -> Option<String> {
        let token = path.strip_prefix(CHALLENGE_PATH)?;
        self.challenges.text(&host.parse().ok()?, token)
    }

    /// What `Strict-Transport-Security` to send with an encrypted answer of `host`; `None` if it is off.
    pub fn hsts(&self, host: &str) -> Option<&HeaderValue> {
        let (platform, others) = self.hsts.as_ref()?;
        // What is below a customer's own host is not ours to decide about.
        Some(if is_within(host, self.settings.domain.as_str()) { platform } else { others })
    }

    async fn is_served(&self, host: &Host) -> bool {
        if self.table.find(host, SystemTime::now()).is_some() {
            return true;
        }
        match &self.issuer {
            Some(issuer) => issuer.is_ours(host).await,
            None => false,
        }
    }

    fn redirect(&self, host: &Host, path: &str, query: Option<&str>) -> Plain {
        // "*" is a target too, and would become a part of the host.
        if !path.starts_with('/') {
            return Plain::Unknown;
        }
        let port = match self.settings.public_port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let location = format!("https://{host}{port}{path}{query}");
        HeaderValue::from_bytes(location.as_bytes()).map_or(Plain::Unknown, Plain::Redirect)
    }
}

fn is_within(authority: &str, domain: &str) -> bool {
    let Some(host) = Host::of_authority(authority) else { return false };
    host.as_str().strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The header for the platform's hosts, and for customers' own.
pub(super) fn hsts(seconds: u64, include_subdomains: bool) -> Option<(HeaderValue, HeaderValue)> {
    if seconds == 0 {
        return None;
    }
    let others = HeaderValue::try_from(format!("max-age={seconds}")).ok()?;
    let platform = HeaderValue::try_from(format!("max-age={seconds}; includeSubDomains")).ok()?;
    Some((if include_subdomains { platform } else { others.clone() }, others))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tls::{Allowed, Settings};

    fn edge(change: impl FnOnce(&mut Settings)) -> (tempfile::TempDir, Edge) {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = crate::tls::certificate::tests::pem(&["*.example.com"]);
        let pair = (folder.path().join("c"), folder.path().join("k"));
        std::fs::write(&pair.0, chain).unwrap();
        std::fs::write(&pair.1, key).unwrap();
        let mut settings = Settings::new("example.com".parse().unwrap());
        settings.files.pair = Some(pair);
        change(&mut settings);
        let edge = Edge::new(settings, Allowed::none()).unwrap();
        (folder, edge)
    }

    #[tokio::test]
    async fn only_hosts_of_ours_are_redirected_to() {
        let (_folder, edge) = edge(|settings| settings.public_port = 8443);
        let to = |text: &'static str| Plain::Redirect(HeaderValue::from_static(text));
        let cases = [
            ("alice.example.com", "/f/x", Some("a=%2F&b"), to("https://alice.example.com:8443/f/x?a=%2F&b")),
            ("ALICE.example.com:8080", "/", None, to("https://alice.example.com:8443/")),
            ("alice.example.com", "//evil.org/", None, to("https://alice.example.com:8443//evil.org/")),
            ("alice.example.com", "*", None, Plain::Unknown),
            ("alice.example.com", "@evil.org", None, Plain::Unknown),
            ("alice.example.com", "", None, Plain::Unknown),
            ("evil.org", "/", None, Plain::Unknown),
            ("example.com", "/", None, Plain::Unknown),
            ("a.b.example.com", "/", None, Plain::Unknown),
            ("alice.example.com@evil.org", "/", None, Plain::Unknown),
            ("alice.example.com:80@evil.org", "/", None, Plain::Unknown),
            ("10.0.0.1", "/", None, Plain::Unknown),
            ("", "/", None, Plain::Unknown),
            ("evil.org", "/healthz", None, Plain::Serve),
            ("evil.org", "/.well-known/acme-challenge/x", None, Plain::Unknown),
        ];
        for (host, path, query, expected) in cases {
            assert_eq!(edge.plain(host, path, query).await, expected, "{host} {path}");
        }
    }

    #[tokio::test]
    async fn without_redirects_everything_is_served() {
        let (_folder, edge) = edge(|settings| settings.redirect = false);
        assert_eq!(edge.plain("evil.org", "/", None).await, Plain::Serve);
    }

    #[tokio::test]
    async fn browsers_are_told_no_more_than_is_ours() {
        let (_folder, edge_on) = edge(|settings| {
            settings.hsts = Duration::from_secs(100);
            settings.hsts_include_subdomains = true;
        });
        for host in ["example.com", "alice.example.com:443", "auth.system.example.com"] {
            assert_eq!(edge_on.hsts(host).unwrap(), "max-age=100; includeSubDomains", "{host}");
        }
        for host in ["shop.org", "notexample.com", "[::1]"] {
            assert_eq!(edge_on.hsts(host).unwrap(), "max-age=100", "{host}");
        }
        let (_folder, plain) = edge(|settings| settings.hsts = Duration::from_secs(100));
        assert_eq!(plain.hsts("example.com").unwrap(), "max-age=100");
        let (_folder, off) = edge(|settings| settings.hsts = Duration::ZERO);
        assert_eq!(off.hsts("example.com"), None);
    }
}
