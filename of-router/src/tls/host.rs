//! Names that a certificate can be for.

use std::fmt;
use std::str::FromStr;

/// A host's full DNS name: lower-cased, at least two labels, no port, no dot at the end, no address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(String);

/// Text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be a DNS name such as www.example.com, or for a wildcard *.example.com")]
pub struct InvalidHost;

impl Host {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The wildcard that stands for this host and its siblings.
    fn wildcard(&self) -> Option<Name> {
        let (_, parent) = self.0.split_once('.')?;
        parent.parse().ok().map(Name::Below)
    }

    /// The host itself, then the wildcard that stands for it.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Name> {
        std::iter::once(Name::Exactly(self.clone())).chain(self.wildcard())
    }

    /// The host of a `Host` header or an authority, without its port.
    pub(super) fn of_authority(authority: &str) -> Option<Self> {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let fine = port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
        host.strip_suffix('.').unwrap_or(host).parse().ok().filter(|_| fine)
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let text = text.to_ascii_lowercase();
        let labels = text.split('.').count();
        // The last label of an IPv4 address is a number; of a name of DNS it never is.
        let address = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        let fine = text.len() <= 253 && text.split('.').all(is_label) && labels >= 2 && !address;
        fine.then_some(Self(text)).ok_or(InvalidHost)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
}

/// What a certificate is for: one host, or all hosts one label below a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// This host.
    Exactly(Host),
    /// Every host one label below this one: `*.example.com`.
    Below(Host),
}

impl Name {
    /// True if a certificate for this name is good for `host`.
    pub fn covers(&self, host: &Host) -> bool {
        host.candidates().any(|candidate| candidate == *self)
    }

    /// The name without the star: what a DNS challenge's record is made from.
    pub(super) fn base(&self) -> &Host {
        match self {
            Self::Exactly(host) | Self::Below(host) => host,
        }
    }
}

impl FromStr for Name {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        match text.strip_prefix("*.") {
            Some(parent) => parent.parse().map(Self::Below),
            None => text.parse().map(Self::Exactly),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(host) => write!(f, "{host}"),
            Self::Below(host) => write!(f, "*.{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dns_are_hosts() {
        assert_eq!("Alice.Example.COM".parse::<Host>().unwrap().as_str(), "alice.example.com");
        let long = format!("{}.com", "a".repeat(64));
        let wrong = [
            "", "com", ".com", "a..com", "a.com.", "-a.com", "a-.com", "a_b.com", "a/b.com", "a.com:80", "10.0.0.1",
            "*.a.com", "../a.com", "a\0.com", &long,
        ];
        for text in wrong {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let name: Name = "*.example.com".parse().unwrap();
        let covers = |text: &str| name.covers(&text.parse().unwrap());
        assert!(covers("alice.example.com") && covers("ALICE.example.com"));
        assert!(!covers("example.com") && !covers("a.b.example.com") && !covers("aliceexample.com"));
        assert_eq!(name.to_string(), "*.example.com");
        assert!("*.*.example.com".parse::<Name>().is_err() && "a.*.example.com".parse::<Name>().is_err());
    }

    #[test]
    fn an_authority_s_port_is_dropped() {
        let host = |text: &str| Host::of_authority(text).map(|host| host.0);
        for fine in ["a.example.com", "A.example.com:8443", "a.example.com.", "a.example.com.:443"] {
            assert_eq!(host(fine).as_deref(), Some("a.example.com"), "{fine}");
        }
        for wrong in
            ["a.example.com:", "a.example.com:x", "a.example.com:+1", "a.example.com:1:2", "[::1]", "", "@a.com"]
        {
            assert_eq!(host(wrong), None, "{wrong}");
        }
    }
}
