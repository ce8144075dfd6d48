//! Looks the hosts of callbacks up, and keeps to itself what they may not stand for. The addresses that are checked
//! are those that are connected to, so a name that changes its mind in between gains nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::hosts::CallbackHosts;

pub(super) struct Guarded(pub(super) Arc<CallbackHosts>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.reach(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the host stands for no address that a callback may go to".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(hosts: &str) -> Result<Vec<SocketAddr>, String> {
        let resolver = Guarded(Arc::new(hosts.parse().unwrap()));
        let found = resolver.resolve("localhost".parse().unwrap()).await;
        found.map(Iterator::collect).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_found_unless_it_is_listed() {
        for hosts in ["", "example.com", "*.localhost"] {
            let refused = resolved(hosts).await.unwrap_err();
            assert!(refused.contains("no address that a callback may go to"), "{refused}");
        }
        assert!(!resolved("localhost").await.unwrap().is_empty());
    }
}
