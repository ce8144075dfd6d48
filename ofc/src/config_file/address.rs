//! Addresses that secrets travel to.

use url::{Host, Url};

/// An address of a service: https, or http on this machine; with nothing that could be secret in it, and no slash at its
/// end.
///
/// # Errors
/// The rest of a sentence about it.
pub(crate) fn parse_address(text: &str) -> Result<Url, String> {
    let sentence = "it has to be an address such as https://host/path, without a user, a query or a fragment";
    let mut url: Url = text.parse().map_err(|_| sentence.to_owned())?;
    let clean = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !clean || url.fragment().is_some() {
        return Err(sentence.to_owned());
    }
    if !is_private(&url) {
        return Err("it has to begin with https://: what is sent there is secret".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// True if nobody on the way can read along: HTTPS, or this machine.
fn is_private(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}
