//! Encryption at the router, where the configuration file asks for it.

use std::sync::Arc;

use anyhow::Context;
use of_router::tls::{Allowed, Edge, Settings};
use sdk::customers::Customers;
use tokio::net::TcpListener;

use super::variables::Variables;
use crate::data_dir::{DataDir, private_dir};

/// The encrypted door, if there is to be one.
///
/// # Errors
/// When a certificate or its key is of no use.
pub(super) fn open(
    data: &DataDir,
    router: &of_router::Config,
    listener: Option<TcpListener>,
    variables: &Variables,
) -> anyhow::Result<Option<(Arc<Edge>, TcpListener)>> {
    let (Some(listener), Some(env)) = (listener, variables.site().tls(data)) else { return Ok(None) };
    private_dir(&data.certificates()).context("the folder for certificates cannot be made")?;
    let reader = env.reader();
    let settings = Settings::read(&reader, router.domain.clone());
    reader.finish().context("`tls` in the configuration cannot be used")?;
    let Ok(Some(settings)) = settings else { return Ok(None) };
    let customers = Customers::open(data.customers()).context("the tenant list cannot be read")?;
    let allowed = Allowed::of_tenants(&router.domain, Some(customers));
    let edge = Edge::new(settings, allowed).context("`tls` in the configuration cannot be used")?;
    Ok(Some((Arc::new(edge), listener)))
}
