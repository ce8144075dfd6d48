//! of-auth, which knows people by the platform's own git host, or by the provider of the configuration file.

use anyhow::Context;

use super::variables::Variables;
use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::secrets::{AUTH_CLIENT, PAYLOAD};

/// What the git host knows of-auth as.
const CLIENT_ID: &str = "openfaas-cloud";
/// The number of who was registered first, when the platform was new: the one who started it.
const FIRST_OWNER: u64 = 1;

/// of-auth as the git host knows it.
pub(super) fn client(record: &Record, variables: &Variables) -> anyhow::Result<of_git::Client> {
    Ok(of_git::Client {
        id: CLIENT_ID.to_owned(),
        secret: variables.secret(AUTH_CLIENT)?,
        redirect_uri: format!("{}/oauth2/authorized", record.auth_url()),
    })
}

/// What of-auth is told. The tenant list has to be there already.
pub(super) async fn config(data: &DataDir, record: &Record, variables: &Variables) -> anyhow::Result<of_auth::Config> {
    let mut own = vec![
        ("domain", record.domain.clone()),
        ("auth_public_url", record.auth_url()),
        ("data_dir", data.auth().to_string_lossy().into_owned()),
    ];
    match variables.site().sign_in()? {
        Some(provider) => own.extend(provider),
        None => own.extend(own_host(record)?),
    }
    let env = variables.env_with(own, &[("payload-secret", PAYLOAD), ("of-client-secret", AUTH_CLIENT)])?;
    of_auth::Config::from_env(&env).await.context("the auth service is not configured rightly")
}

/// The platform's own git host.
fn own_host(record: &Record) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("oauth_provider", "github".to_owned()),
        ("oauth_provider_label", "the git host".to_owned()),
        ("oauth_provider_base_url", record.git_url()),
        // By address: not every resolver knows the names below the domain.
        ("oauth_provider_internal_url", format!("http://{}", record.own_git()?)),
        ("client_id", CLIENT_ID.to_owned()),
        ("operators", format!("git.{}/{FIRST_OWNER}", record.domain)),
    ])
}
