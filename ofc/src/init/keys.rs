//! Keys and secrets: what can be made is made once, and never replaced; what others give is named.

use std::io;
use std::path::Path;

use anyhow::Context;
use chrono::Utc;
use sealed_secrets::KeyPair;
use secrecy::ExposeSecret;
use session::SigningKey;

use super::report::Report;
use crate::config_file::{ConfigFile, SignIn, Source, Store, Target};
use crate::data_dir::private_dir;
use crate::report::Trouble;
use crate::secrets::{
    ADMIN, AUTH_CLIENT, BUILDER, BUILDER_KEY, FOREIGN_APP_KEY, GATEWAY_PASSWORD, GATEWAY_USER, GIT_TOKEN_KEY,
    GITHUB_APP_KEY, GITLAB_TOKEN, GITLAB_WEBHOOK, PAYLOAD, Secrets, WEBHOOK, app_key, builder_key, random,
};

/// Signs what of-auth says of people, in a cluster.
pub(crate) const AUTH_KEY: &str = "jwt-private-key";
/// Opens sealed secrets, in a cluster; on one machine they are a folder that grows.
pub(crate) const SEALING_KEYS: &str = "sealing-keys";
/// The bucket's keys.
pub(crate) const S3: [&str; 2] = ["s3-access-key", "s3-secret-key"];

type Make = fn() -> io::Result<String>;

/// Makes what is missing.
///
/// # Errors
/// When the folder or a file cannot be kept.
pub(crate) fn make(config: &ConfigFile, report: &mut Report) -> anyhow::Result<Secrets> {
    let folder = config.secrets();
    private_dir(&folder).map_err(|cause| {
        Trouble::new(format!("the folder {} for secrets cannot be made", folder.display()))
            .hint("it must be this user's: run as another user, or say `data` in ofc.yml")
            .because(cause)
    })?;
    let secrets = Secrets::existing(folder);
    for (name, make) in generated(config) {
        if secrets.keep(name, make)? {
            report.changed(format!("made {}", secrets.path(name).display()));
        }
    }
    for (name, hint) in given(config) {
        close(&secrets, name)?;
        if !secrets.has(name) {
            report.missing(format!("{}: {hint}", secrets.path(name).display()));
        }
    }
    Ok(secrets)
}

/// What others put there is closed to others too.
fn close(secrets: &Secrets, name: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = secrets.path(name);
    if path.is_file() {
        let closed = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600));
        closed.with_context(|| format!("{} cannot be closed to others", path.display()))?;
    }
    Ok(())
}

/// All that is made here, with how.
fn generated(config: &ConfigFile) -> Vec<(&'static str, Make)> {
    let mut all: Vec<(&'static str, Make)> = vec![
        (PAYLOAD, random),
        (BUILDER, random),
        (BUILDER_KEY, builder_key),
        (GATEWAY_PASSWORD, random),
        (GATEWAY_USER, || Ok(ADMIN.to_owned())),
    ];
    match &config.source {
        Source::Local => {
            all.extend([(WEBHOOK, random as Make), (GIT_TOKEN_KEY, random), (AUTH_CLIENT, random)]);
            all.push((GITHUB_APP_KEY, app_key));
        }
        // One that `ofc init` makes at GitHub gets GitHub's own.
        Source::Github(github) if github.app.id.is_some() => all.push((WEBHOOK, random)),
        Source::Github(_) => {}
        Source::Gitlab(_) => all.push((GITLAB_WEBHOOK, random)),
    }
    if config.target == Target::Kubernetes {
        all.push((AUTH_KEY, auth_key));
        all.push((SEALING_KEYS, sealing_key));
    }
    all
}

/// What only others can give, and where it is from.
fn given(config: &ConfigFile) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    let by_hand = matches!(&config.source, Source::Github(github) if github.app.id.is_some());
    match &config.source {
        Source::Github(_) if by_hand => {
            all.push((FOREIGN_APP_KEY, "the App's private key, from its page at GitHub: \"Generate a private key\""));
        }
        Source::Gitlab(_) => {
            all.push((GITLAB_TOKEN, "a token of GitLab's with the scope api (docs/gitlab.md, step 2)"))
        }
        Source::Github(_) | Source::Local => {}
    }
    let own_client = match &config.sign_in {
        SignIn::Github { client_id, .. } => by_hand || client_id.is_some(),
        SignIn::Gitlab { .. } | SignIn::Oidc(_) => true,
        SignIn::Local | SignIn::Off => false,
    };
    if own_client {
        all.push((AUTH_CLIENT, "the client's secret, from whom people sign in with (docs/providers.md)"));
    }
    if config.store != Store::Directory {
        all.extend(S3.map(|name| (name, "of a user who may read, write, list and delete in the bucket")));
    }
    all
}

fn auth_key() -> io::Result<String> {
    SigningKey::generate().map(|key| key.expose_secret().to_owned()).map_err(io::Error::other)
}

fn sealing_key() -> io::Result<String> {
    let now = Utc::now();
    let pair = KeyPair::generate(now, KeyPair::usual_end(now) - now).map_err(io::Error::other)?;
    Ok(pair.to_pem().expose_secret().to_owned())
}

/// Makes the first key for sealing secrets in the folder where `ofc up` keeps them. True if it was made.
///
/// # Errors
/// When it cannot be made or kept, or those that are there cannot be used.
pub(crate) fn first_sealing_key(data: &Path) -> anyhow::Result<bool> {
    let keys = crate::sealing::SealingKeys::of(&crate::data_dir::DataDir::create(data)?);
    if keys.load()?.is_some() {
        return Ok(false);
    }
    keys.make(Utc::now())?;
    Ok(true)
}
