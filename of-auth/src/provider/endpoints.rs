//! Where a provider is, for browsers and for us.

use sdk::{Invalid, Reader};
use url::{Host, Url};

/// The two addresses of one provider. They are the same unless we reach it by another way than browsers do.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    public: Url,
    internal: Url,
}

impl Endpoints {
    /// `public` came from the variable `name`; `oauth_provider_internal_url` may add another way.
    pub(super) fn read(reader: &Reader<'_>, name: &str, public: Url) -> Result<Self, Invalid> {
        let internal: Option<Url> = reader.optional("oauth_provider_internal_url")?;
        // Where the whole installation is one machine's, secrets and tokens never leave it; what browsers carry are codes,
        // which are worth nothing without the verifier that stays here.
        let stays_here = internal.as_ref().is_some_and(is_private);
        if !is_private(&public) && !stays_here {
            return Err(reader.invalid(
                name,
                format!("'{public}' must begin with https://, and may begin with http:// only on this machine"),
            ));
        }
        let internal = internal.unwrap_or_else(|| public.clone());
        for (name, url) in [(name, &public), ("oauth_provider_internal_url", &internal)] {
            let bare = url.query().is_none() && url.fragment().is_none();
            let anonymous = url.username().is_empty() && url.password().is_none();
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare || !anonymous {
                return Err(reader.invalid(name, "must be an http(s) address with a host and nothing after its path"));
            }
        }
        Ok(Self { public, internal })
    }

    /// The host's name, which people and owners are known under.
    pub(super) fn host(&self) -> &str {
        self.public.host_str().unwrap_or_default()
    }

    /// A page for browsers.
    pub(super) fn public(&self, path: &str) -> Url {
        below(&self.public, path)
    }

    /// The same for us.
    pub(super) fn internal(&self, path: &str) -> Url {
        below(&self.internal, path)
    }

    /// True if both are one.
    pub(super) fn are_one(&self) -> bool {
        self.public == self.internal
    }

    /// Our way to an address of the provider's own, whichever way it is written; `None` for other places.
    pub(super) fn ours(&self, url: &Url) -> Option<Url> {
        if url.origin() == self.internal.origin() {
            return Some(url.clone());
        }
        if url.origin() != self.public.origin() {
            return None;
        }
        let mut ours = self.internal.clone();
        ours.set_path(url.path());
        ours.set_query(url.query());
        Some(ours)
    }

    /// True for an address that browsers reach the provider at.
    pub(super) fn is_public(&self, url: &Url) -> bool {
        url.origin() == self.public.origin()
    }
}

/// True if nobody on the way can read along: HTTPS, or this machine.
pub(crate) fn is_private(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// An address below another one, whose own path stays.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
