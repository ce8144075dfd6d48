//! Hosts: the platform's own domain, and the one that a client asks for.

use std::fmt;
use std::str::FromStr;

/// The longest host name of DNS.
const MAX_HOST: usize = 253;

/// The domain that the platform is served at, lower-cased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

/// Text that is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has to be a host name such as example.com: labels of letters, digits and inner hyphens, joined by dots")]
pub struct InvalidDomain;

impl Domain {
    /// The domain of a machine by itself.
    pub fn localhost() -> Self {
        Self("localhost".to_owned())
    }

    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        let text = text.to_ascii_lowercase();
        let fine = text.len() <= MAX_HOST && text.split('.').all(is_label);
        fine.then_some(Self(text)).ok_or(InvalidDomain)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a host stands to our domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The domain itself.
    Root,
    /// One label below it.
    Sub(&'a str),
    /// Further below it.
    Deeper(&'a str),
    /// Anywhere else.
    Elsewhere,
}

/// A `Host` header or authority that no honest client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadHost;

/// Where `host`, in its one form, stands to `domain`.
pub(crate) fn place<'a>(domain: &Domain, host: &'a str) -> Place<'a> {
    if host == domain.0 {
        return Place::Root;
    }
    match host.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.')) {
        Some(label) if is_label(label) => Place::Sub(label),
        Some(labels) if labels.contains('.') => Place::Deeper(labels),
        _ => Place::Elsewhere,
    }
}

/// The host of `authority` (a host, perhaps with a port) in its one form: lower-cased, without port and without the
/// dot that may end it.
pub(crate) fn host_of(authority: &str) -> Result<String, BadHost> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or(BadHost)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| BadHost)?;
            (address, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(BadHost)?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if port.is_some_and(|port| port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit())) {
        return Err(BadHost);
    }
    if authority.starts_with('[') {
        return Ok(host.to_owned());
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let fine = host.len() <= MAX_HOST && host.split('.').all(|l| !l.is_empty() && l.bytes().all(is_host_byte));
    fine.then_some(host).ok_or(BadHost)
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// True for the name of a host in its one form that may be somewhere on the internet: no address, no single label.
pub(crate) fn is_name(host: &str) -> bool {
    let top = host.rsplit('.').next().unwrap_or_default();
    let letters = top.bytes().any(|b| b.is_ascii_lowercase());
    host.len() <= MAX_HOST && host.contains('.') && letters && host.split('.').all(is_label)
}

/// True for a DNS label, lower-cased.
fn is_label(label: &str) -> bool {
    let edge = label.starts_with('-') || label.ends_with('-');
    (1..=63).contains(&label.len()) && !edge && label.bytes().all(is_host_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_one_form() {
        let domain: Domain = "Example.com".parse().unwrap();
        let sub = |label| Ok(Place::Sub(label));
        let cases = [
            ("example.com", Ok(Place::Root)),
            ("EXAMPLE.com.:8000", Ok(Place::Root)),
            ("alice.example.com", sub("alice")),
            ("ALICE.Example.COM:65535", sub("alice")),
            ("alice.example.com.", sub("alice")),
            ("a.b.example.com", Ok(Place::Deeper("a.b"))),
            ("aliceexample.com", Ok(Place::Elsewhere)),
            ("example.com.evil.org", Ok(Place::Elsewhere)),
            ("-.example.com", Ok(Place::Elsewhere)),
            ("127.0.0.1:8000", Ok(Place::Elsewhere)),
            ("[::1]:8000", Ok(Place::Elsewhere)),
            ("[::1]", Ok(Place::Elsewhere)),
            ("", Err(BadHost)),
            (".", Err(BadHost)),
            (".example.com", Err(BadHost)),
            ("alice..example.com", Err(BadHost)),
            ("alice.example.com..", Err(BadHost)),
            ("alice.example.com:", Err(BadHost)),
            ("alice.example.com:80:80", Err(BadHost)),
            ("alice.example.com:8o", Err(BadHost)),
            ("alice.example.com:123456", Err(BadHost)),
            ("alice@example.com", Err(BadHost)),
            ("alice.example.com/x", Err(BadHost)),
            ("alice%2eexample.com", Err(BadHost)),
            ("alice_x.example.com", Err(BadHost)),
            ("alice .example.com", Err(BadHost)),
            ("älice.example.com", Err(BadHost)),
            ("[::1", Err(BadHost)),
            ("[::1]x", Err(BadHost)),
            ("[evil]", Err(BadHost)),
        ];
        for (given, expected) in cases {
            let host = host_of(given);
            assert_eq!(host.as_deref().map(|host| place(&domain, host)).map_err(|e| *e), expected, "{given}");
        }
    }

    #[test]
    fn names_are_told_from_addresses() {
        for name in ["alice.com", "www.alice.com", "xn--bcher-kva.example", "a.b1"] {
            assert!(is_name(name), "{name}");
        }
        for none in ["", "localhost", "127.0.0.1", "::1", "1.2", "-a.com", "a_b.com", "a..com", "Alice.com", "a.com."] {
            assert!(!is_name(none), "{none}");
        }
    }

    #[test]
    fn domains_are_checked() {
        for wrong in ["", ".", "a..b", "-a.com", "a b", "a.com.", "a_b"] {
            assert!(wrong.parse::<Domain>().is_err(), "{wrong}");
        }
    }
}
