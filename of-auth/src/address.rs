//! The hosts that sessions are for, and the addresses that somebody may be sent to.
//!
//! An address is never taken over from a request. A request names a host and a path; each is parsed into a type that
//! can hold nothing foreign, and the address is written anew from these.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use sdk::id::Owner;
use url::Url;

/// Told by the router: the host that the browser asked for.
const FORWARDED_HOST: &str = "x-forwarded-host";
/// The longest path and query that somebody is sent back to, in bytes.
const MAX_PATH: usize = 2048;

/// A host that sessions are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    /// `<owner>.<domain>`.
    Owner(Owner),
    /// `system.<domain>`.
    System,
    /// `auth.system.<domain>`, where people sign in.
    Auth,
}

/// The installation's public addresses.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    domain: String,
    scheme: String,
    port: Option<u16>,
    secure: bool,
    public: Url,
}

/// Why two settings do not go together; the end of a sentence that begins with `auth_public_url`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAddress {
    #[error("has to begin with http:// or https://")]
    Scheme,
    #[error("has to be of the host auth.system.{0}, because of the variable domain")]
    Host(String),
    #[error("has to end after the host and its port")]
    More,
}

impl Addresses {
    /// Those of an installation at `domain` whose of-auth is reached at `public`.
    pub(crate) fn new(domain: &Domain, public: &Url) -> Result<Self, BadAddress> {
        if !matches!(public.scheme(), "http" | "https") {
            return Err(BadAddress::Scheme);
        }
        let plain = public.path() == "/" && public.query().is_none() && public.fragment().is_none();
        if !plain || !public.username().is_empty() || public.password().is_some() {
            return Err(BadAddress::More);
        }
        let this = Self {
            domain: domain.0.clone(),
            scheme: public.scheme().to_owned(),
            port: public.port(),
            secure: public.scheme() == "https",
            public: public.clone(),
        };
        if public.host_str() != Some(&this.host(&Site::Auth)) {
            return Err(BadAddress::Host(this.domain));
        }
        Ok(this)
    }

    /// Whether cookies are kept for HTTPS alone.
    pub(crate) fn secure(&self) -> bool {
        self.secure
    }

    /// The site of a host, which is given lower-cased and without a port.
    pub(crate) fn site(&self, host: &str) -> Option<Site> {
        match host.strip_suffix(self.domain.as_str())?.strip_suffix('.')? {
            "system" => Some(Site::System),
            "auth.system" => Some(Site::Auth),
            // An owner has one form; any other spelling is nobody's host.
            label => {
                label.parse().ok().filter(|owner: &Owner| owner.as_str() == label && !reserved(owner)).map(Site::Owner)
            }
        }
    }

    /// The site that a request came to, as the router says.
    pub(crate) fn asked(&self, headers: &HeaderMap) -> Option<Site> {
        let name = if headers.contains_key(FORWARDED_HOST) { FORWARDED_HOST } else { "host" };
        let mut values = headers.get_all(name).iter();
        let host = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let (host, port) = host.split_once(':').unwrap_or((host, "0"));
        let fine = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        self.site(&host.to_ascii_lowercase()).filter(|_| fine)
    }

    /// A site's host, without a port: the audience of its tokens.
    pub(crate) fn host(&self, site: &Site) -> String {
        match site {
            Site::Owner(owner) => format!("{owner}.{}", self.domain),
            Site::System => format!("system.{}", self.domain),
            Site::Auth => format!("auth.system.{}", self.domain),
        }
    }

    /// A site's origin, such as `https://alice.example.com`, as browsers write it.
    pub(crate) fn origin(&self, site: &Site) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme, self.host(site))
    }

    /// The address of a path at a site.
    pub(crate) fn at(&self, site: &Site, path: &LocalPath) -> String {
        format!("{}{path}", self.origin(site))
    }

    /// Who signs tokens: of-auth's origin.
    pub(crate) fn issuer(&self) -> String {
        self.origin(&Site::Auth)
    }

    /// An address of of-auth's own; nothing of a request is in it.
    pub(crate) fn own(&self, path: &str) -> Url {
        let mut url = self.public.clone();
        url.set_path(path);
        url
    }
}

/// `git` is a host of the platform's that knows no sessions, and others may follow.
fn reserved(owner: &Owner) -> bool {
    sdk::reserved::is_login(owner)
}

/// The domain that the installation is served at, lower-cased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Domain(String);

/// Text that is no domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has to be a host name such as example.com: labels of letters, digits and inner hyphens, joined by dots")]
pub(crate) struct BadDomain;

impl FromStr for Domain {
    type Err = BadDomain;

    fn from_str(text: &str) -> Result<Self, BadDomain> {
        let text = text.to_ascii_lowercase();
        let label = |label: &str| {
            let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        // The longest host is a login and the domain.
        (text.len() <= 200 && text.split('.').all(label)).then_some(Self(text)).ok_or(BadDomain)
    }
}

/// A path and query within one host: nothing that a browser takes for another host, and nothing that ends a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalPath(String);

/// Text that is no [`LocalPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no path of this host")]
pub(crate) struct NotLocal;

impl LocalPath {
    /// The host's first page.
    pub(crate) fn root() -> Self {
        Self("/".to_owned())
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LocalPath {
    type Err = NotLocal;

    fn from_str(text: &str) -> Result<Self, NotLocal> {
        // Visible ASCII alone: browsers drop tabs and line ends, and take a backslash for a slash.
        let plain = text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'\\' && b != b'#');
        let local = text.starts_with('/') && !text.starts_with("//");
        // Signing in must not end in signing in or out.
        let ours = text.starts_with(session::protocol::HOST_PAGES);
        (plain && local && !ours && text.len() <= MAX_PATH).then(|| Self(text.to_owned())).ok_or(NotLocal)
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
