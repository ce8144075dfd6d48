//! The tenant list of a configuration file, as the file that the functions read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sdk::customers;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config_file::Tenants;
use crate::report::Trouble;

/// How often a list at an address is asked for.
const REFRESH: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TenantsError {
    #[error("the tenant list at {0} cannot be reached")]
    Unreachable(Url, #[source] reqwest::Error),
    #[error("the tenant list's address {0} answers {1}")]
    Refused(Url, http::StatusCode),
    #[error("what {0} answers is no tenant list")]
    Malformed(Url, #[source] customers::MalformedLine),
    #[error("the tenant list at {0} is empty or too large")]
    Size(Url),
}

/// Asks for the list at an address, and believes nothing but a whole one.
///
/// # Errors
/// When there is no list, or something that is none.
pub(crate) async fn fetch(url: &Url) -> Result<String, TenantsError> {
    let unreachable = |cause: reqwest::Error| TenantsError::Unreachable(url.clone(), cause.without_url());
    let response = sdk::http::client().get(url.clone()).timeout(PATIENCE).send().await.map_err(unreachable)?;
    if response.status() != http::StatusCode::OK {
        return Err(TenantsError::Refused(url.clone(), response.status()));
    }
    let limit = usize::try_from(customers::MAX_LIST_BYTES).unwrap_or(usize::MAX);
    let text = read(response, limit).await.map_err(unreachable)?.ok_or_else(|| TenantsError::Size(url.clone()))?;
    let tenants = customers::parse(&text).map_err(|error| TenantsError::Malformed(url.clone(), error))?;
    if tenants.is_empty() { Err(TenantsError::Size(url.clone())) } else { Ok(text) }
}

/// The whole text: half a list would be a list of other tenants.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Option<String>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(bytes).ok())
}

/// Puts the list where the functions read it.
///
/// # Errors
/// When it cannot be written; or not be had, and there is none of before.
pub(super) async fn lay_out(tenants: &Tenants, path: &Path) -> anyhow::Result<()> {
    let text = match tenants {
        Tenants::OfTheHost => return Ok(()),
        Tenants::List(_) => tenants.text().unwrap_or_default(),
        Tenants::At(url) => match fetch(url).await {
            Ok(text) => text,
            Err(error) if std::fs::metadata(path).is_ok_and(|about| about.len() > 0) => {
                let cause = sdk::failure::chain(&error);
                tracing::warn!(cause, "The tenant list cannot be had; that of the last run stays in force");
                return Ok(());
            }
            Err(error) => {
                return Err(Trouble::new("there is no tenant list")
                    .hint("see to it that `tenants` in ofc.yml is the address of a list of logins")
                    .because(error)
                    .into());
            }
        },
    };
    write(path, &text).map_err(|cause| {
        Trouble::new(format!("the tenant list {} cannot be written", path.display())).because(cause).into()
    })
}

/// Asks for the list again and again. Errors leave the last good one in force.
pub(super) async fn refresh(url: Url, path: PathBuf, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REFRESH) => {}
        }
        let written = match fetch(&url).await {
            Ok(text) => write(&path, &text).map_err(|error| error.to_string()),
            Err(error) => Err(sdk::failure::chain(&error)),
        };
        if let Err(cause) = written {
            tracing::error!(cause, "The tenant list cannot be renewed; the last good one stays in force");
        }
    }
}

/// Whole or not at all, and not where nothing has changed.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;

    async fn serve(routes: Router) -> Url {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/list", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url.parse().unwrap()
    }

    #[tokio::test]
    async fn only_a_whole_list_is_one() {
        let good = serve(Router::new().route("/list", get(|| async { "alice\nacme github.com/9\n" }))).await;
        assert_eq!(fetch(&good).await.unwrap(), "alice\nacme github.com/9\n");
        for bad in ["", "# nobody\n", "<html>not found</html>", "alice\nal ice x\n"] {
            let url = serve(Router::new().route("/list", get(move || async move { bad }))).await;
            assert!(fetch(&url).await.is_err(), "{bad}");
        }
        let missing = fetch(&serve(Router::new()).await).await.unwrap_err();
        assert!(missing.to_string().contains("404"), "{missing}");
    }

    #[tokio::test]
    async fn the_last_list_serves_a_start_without_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers");
        let gone = Tenants::At(serve(Router::new()).await);
        let error = crate::report::render(&lay_out(&gone, &path).await.unwrap_err());
        assert!(error.contains("`tenants` in ofc.yml"), "{error}");
        let good = serve(Router::new().route("/list", get(|| async { "alice\n" }))).await;
        lay_out(&Tenants::At(good), &path).await.unwrap();
        lay_out(&gone, &path).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "alice\n");
        lay_out(&Tenants::List(vec!["bob".into()]), &path).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "bob\n");
    }
}
