//! Where the cluster is, and where its controller.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use sdk::{Invalid, Reader};
use url::{Host, Url};

const CONTROLLER: &str = "http://sealed-secrets-controller.kube-system:8080";
/// Where Kubernetes mounts a pod's account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What [`KubernetesBackend`](super::KubernetesBackend) needs to know.
pub(crate) struct Config {
    /// `kubernetes_url`, or what Kubernetes says to every pod; with the files `token` and `ca.crt` of
    /// `service_account_directory`.
    pub(super) cluster: kube::Config,
    /// `controller_url`.
    pub(super) controller: Url,
    /// Where functions are.
    pub(super) namespace: String,
    /// `secret_timeout`: one call.
    pub(super) call: Duration,
    /// `sync_timeout`: until the controller has opened what was written, or the cluster has removed what was deleted.
    pub(super) sync: Duration,
    /// `verify_timeout`: until the controller has answered about all secrets of one import.
    pub(super) verify: Duration,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// When one is missing or malformed; the reader knows which.
    pub(crate) fn read(r: &Reader<'_>, namespace: &str, call: Duration) -> Result<Self, Invalid> {
        let cluster = cluster(r);
        let controller = controller(r);
        let sync = r.duration_or("sync_timeout", Duration::from_secs(15));
        let verify = r.duration_or("verify_timeout", Duration::from_secs(30));
        Ok(Self {
            cluster: cluster?,
            controller: controller?,
            namespace: namespace.to_owned(),
            call,
            sync: sync?,
            verify: verify?,
        })
    }
}

fn cluster(r: &Reader<'_>) -> Result<kube::Config, Invalid> {
    let url = api_server(r)?;
    let account: PathBuf = r.or("service_account_directory", ACCOUNT.to_owned())?.into();
    let file = |name: &str| Some(account.join(name)).filter(|path| path.is_file());
    let (token, authority) = (file("token"), file("ca.crt"));
    if url.scheme() == "https" && (token.is_none() || authority.is_none()) {
        let reason = format!("{} has not the files token and ca.crt of a service account", account.display());
        return Err(r.invalid("service_account_directory", reason));
    }
    let uri: Uri = url.as_str().parse().map_err(|_| r.invalid("kubernetes_url", "is not an URL"))?;
    let mut config = kube::Config::new(uri);
    // Both files change while the pod runs, and are read again.
    config.auth_info.token_file = token.map(|path| path.display().to_string());
    config.root_cert_file = authority;
    // Whoever sent the message sends it again.
    config.default_retry = false;
    Ok(config)
}

fn api_server(r: &Reader<'_>) -> Result<Url, Invalid> {
    let url = match r.optional::<Url>("kubernetes_url")? {
        Some(url) => url,
        None => in_cluster(r)?,
    };
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        // Such as `kubectl proxy`. Anywhere else, everybody on the way could read the account's token and the secrets.
        "http" if here => Ok(url),
        _ => Err(r.invalid("kubernetes_url", format!("'{url}' is neither an https URL nor one of this machine"))),
    }
}

/// What Kubernetes says to every pod.
fn in_cluster(r: &Reader<'_>) -> Result<Url, Invalid> {
    let host: Option<String> = r.optional("KUBERNETES_SERVICE_HOST")?;
    let port: u16 = r.or("KUBERNETES_SERVICE_PORT", 443)?;
    let Some(host) = host else {
        return Err(r.invalid("kubernetes_url", "is not set, and this is not a pod of a cluster"));
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let url = format!("https://{host}:{port}");
    url.parse().map_err(|_| r.invalid("KUBERNETES_SERVICE_HOST", format!("'{host}' is not the name of a host")))
}

fn controller(r: &Reader<'_>) -> Result<Url, Invalid> {
    let mut url: Url = r.or("controller_url", Url::parse(CONTROLLER).map_err(|_| Invalid)?)?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || !url.username().is_empty() {
        return Err(r.invalid("controller_url", format!("'{url}' is not a plain http or https URL")));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let env = Env::from_map(vars.iter().copied(), [("", "")]);
        let r = env.reader();
        Config::read(&r, "openfaas-fn", Duration::from_secs(1))
            .map_err(|_| r.finish().unwrap_err().problems().iter().map(|problem| problem.name.clone()).collect())
    }

    fn account() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "t").unwrap();
        std::fs::write(folder.path().join("ca.crt"), "c").unwrap();
        folder
    }

    #[test]
    fn a_pod_needs_no_configuration() {
        let account = account();
        for (host, url) in [("10.0.0.1", "https://10.0.0.1:6443/"), ("fd00::1", "https://[fd00::1]:6443/")] {
            let config = read(&[
                ("KUBERNETES_SERVICE_HOST", host),
                ("KUBERNETES_SERVICE_PORT", "6443"),
                ("service_account_directory", account.path().to_str().unwrap()),
            ]);
            let config = config.unwrap_or_else(|problems| panic!("{problems:?}"));
            assert_eq!(config.cluster.cluster_url, url);
            assert!(!config.cluster.accept_invalid_certs);
            assert_eq!(config.cluster.root_cert_file, Some(account.path().join("ca.crt")));
            assert!(config.cluster.auth_info.token_file.unwrap().ends_with("/token"));
            assert_eq!(config.controller.as_str(), "http://sealed-secrets-controller.kube-system:8080/");
        }
    }

    #[test]
    fn without_a_cluster_or_an_account_it_does_not_start() {
        let none = tempfile::tempdir().unwrap();
        let none = ("service_account_directory", none.path().to_str().unwrap());
        assert_eq!(read(&[]).err().unwrap(), ["kubernetes_url"]);
        assert_eq!(read(&[none, ("kubernetes_url", "https://k8s")]).err().unwrap(), ["service_account_directory"]);
        let wrong = [("kubernetes_url", "http://k8s"), ("controller_url", "ftp://x"), ("sync_timeout", "long")];
        assert_eq!(read(&wrong).err().unwrap(), ["kubernetes_url", "controller_url", "sync_timeout"]);
    }

    #[test]
    fn no_token_is_sent_in_the_clear_over_a_network() {
        for url in ["http://10.0.0.1", "http://localhost.example.com", "http://[fd00::1]", "ftp://127.0.0.1"] {
            assert_eq!(read(&[("kubernetes_url", url)]).err().unwrap(), ["kubernetes_url"], "{url}");
        }
        assert!(read(&[("kubernetes_url", "http://127.0.0.1:8001")]).is_ok());
    }
}
