//! Looking up TXT records.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use super::{DnsServer, Found};
use crate::customs;

/// How long one name server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it counts that there is no record.
const NOTHING_FOR: Duration = Duration::from_secs(60);

/// Asks name servers.
pub(super) struct Dns(TokioResolver);

impl Dns {
    pub(super) fn new(server: DnsServer) -> anyhow::Result<Self> {
        let mut builder = match server {
            DnsServer::System => TokioResolver::builder_tokio()?,
            DnsServer::At(address) => {
                TokioResolver::builder_with_config(only(address), TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 1;
        // What is found is kept in our own way.
        options.cache_size = 0;
        Ok(Self(builder.build()?))
    }

    /// The owner that the records of a host name.
    pub(super) async fn owner(&self, host: &str) -> Found {
        match self.0.txt_lookup(format!("_ofc.{host}.")).await {
            Ok(lookup) => {
                let texts: Vec<String> = lookup.answers().iter().filter_map(|record| text(&record.data)).collect();
                let ttl = lookup.valid_until().saturating_duration_since(Instant::now());
                Found::Word(customs::named_owner(texts.iter().map(String::as_str)), ttl)
            }
            Err(error) if error.is_no_records_found() => Found::Word(None, NOTHING_FOR),
            Err(error) => {
                tracing::warn!(host, cause = %error, "DNS does not say whose a host is");
                Found::Failure
            }
        }
    }
}

/// A long text comes in pieces.
fn text(data: &RData) -> Option<String> {
    let RData::TXT(txt) = data else { return None };
    String::from_utf8(txt.txt_data.concat()).ok()
}

fn only(address: SocketAddr) -> ResolverConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    ResolverConfig::from_name_servers(vec![NameServerConfig::new(address.ip(), true, connections)])
}
