//! Whether the names below the domain lead somewhere that answers. From here that is all that can be seen: whether GitHub
//! gets through, its own list of deliveries says.

use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::PATIENCE;
use crate::config_file::{ConfigFile, Source};
use crate::doctor::Finding;
use crate::secrets::random;

/// Every name that has to be there, with any one for the wildcard.
pub(super) async fn examine(config: &ConfigFile) -> Vec<Finding> {
    let domain = config.domain.as_str();
    if domain == "localhost" || domain.ends_with(".localhost") {
        return foreign_and_local(config).into_iter().collect();
    }
    // Nobody has a record of that name but by a wildcard.
    let any = random().map(|text| format!("w{}", &text[..12])).unwrap_or_else(|_| "wildcard".to_owned());
    let (system, auth, wildcard) = tokio::join!(
        name(config, "system", "DNS system."),
        name(config, "auth.system", "DNS auth.system."),
        name(config, &any, "DNS *.")
    );
    vec![system, auth, wildcard]
}

/// A host elsewhere cannot send webhooks to this machine's own name.
fn foreign_and_local(config: &ConfigFile) -> Option<Finding> {
    let far = match &config.source {
        Source::Local => None,
        Source::Github(github) => Some(&github.url),
        Source::Gitlab(gitlab) => Some(&gitlab.url),
    };
    let url = far.filter(|url| url.scheme() == "https")?;
    Some(Finding::fail(
        "webhooks",
        format!("{url} cannot reach {}", config.domain),
        "say a `domain` that leads here from everywhere",
    ))
}

async fn name(config: &ConfigFile, label: &str, what: &'static str) -> Finding {
    let url = config.public_url(label);
    let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let usual = if config.scheme() == "https" { 443 } else { 80 };
    let (host, port) =
        authority.rsplit_once(':').map_or((authority, usual), |(host, port)| (host, port.parse().unwrap_or(usual)));
    let found = timeout(PATIENCE, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let Some(address) = addresses.first() else {
        let record = if what == "DNS *." { format!("*.{}", config.domain) } else { host.to_owned() };
        return Finding::fail(what, format!("{host} has no address"), format!("make an A or AAAA record for {record}"));
    };
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Finding::ok(what, format!("{host} is {}, and port {port} answers", address.ip())),
        Ok(Err(_)) | Err(_) => Finding::warn(
            what,
            format!("{host} is {}, but port {port} does not answer", address.ip()),
            "start the platform, and let the port through every firewall on the way",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio::net::TcpListener;

    use super::*;

    fn config(text: &str) -> ConfigFile {
        ConfigFile::parse(text, PathBuf::from("/")).unwrap()
    }

    #[tokio::test]
    async fn names_that_lead_nowhere_name_their_record() {
        let found = examine(&config("domain: nowhere.invalid")).await;
        let text = crate::doctor::lines(&found);
        assert_eq!(found.len(), 3);
        assert!(text.contains("system.nowhere.invalid has no address") && text.contains("*.nowhere.invalid"), "{text}");
    }

    #[tokio::test]
    async fn a_port_that_answers_is_told_from_one_that_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = config(&format!("{{domain: localhost, listen: {{http: '127.0.0.1:{port}'}}}}"));
        let lines = |finding| anstream::adapter::strip_str(&crate::doctor::lines(&[finding])).to_string();
        // By the resolver's own word: not every one knows names below localhost.
        if lookup_host(("system.localhost", port)).await.is_ok_and(|mut all| all.any(|a| a.ip().is_ipv4())) {
            assert!(lines(name(&config, "system", "DNS").await).starts_with("ok"));
            drop(listener);
            assert!(lines(name(&config, "system", "DNS").await).contains("does not answer"));
        }
    }

    #[tokio::test]
    async fn a_host_elsewhere_does_not_find_this_machine_s_own_name() {
        let far = config("{domain: localhost, source: {host: github}, tenants: [a]}");
        assert!(crate::doctor::lines(&examine(&far).await).contains("cannot reach localhost"));
        assert!(examine(&config("domain: localhost")).await.is_empty());
    }
}
