//! As in a pod: TLS by the cluster's own authority, and the token of the service account.

use std::sync::Arc;

use axum::serve::Listener;
use rcgen::{CertificateParams, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::cluster::Cluster;
use crate::setup::{Stage, push, sealed};
use crate::stage::served;
use crate::{api, operator};

/// An API server as pods see it.
struct Pod {
    port: String,
    account: tempfile::TempDir,
    cluster: Cluster,
    operator: String,
}

struct Tls(TcpListener, TlsAcceptor);

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        loop {
            let (stream, _) = self.0.accept().await.unwrap();
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, ());
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Pod {
    async fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let account = tempfile::tempdir().unwrap();
        std::fs::write(account.path().join("ca.crt"), certificate.pem()).unwrap();
        std::fs::write(account.path().join("token"), "token of the pod").unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let listener = Tls(listener, TlsAcceptor::from(Arc::new(config.unwrap())));
        let cluster = Cluster::new();
        cluster.state().token = Some("token of the pod".to_owned());
        let router = api::routes(cluster.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let operator = served(operator::routes(cluster.clone())).await;
        Self { port, account, cluster, operator }
    }

    async fn stage(&self) -> Stage {
        Stage::with(&[
            ("secrets_backend", "kubernetes"),
            ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
            ("KUBERNETES_SERVICE_PORT", &self.port),
            ("service_account_directory", self.account.path().to_str().unwrap()),
            ("controller_url", &self.operator),
        ])
        .await
    }
}

#[tokio::test]
async fn a_pod_speaks_with_its_cluster_by_its_account() {
    let pod = Pod::start().await;
    let stage = pod.stage().await;
    stage.import(&push("alice", "secrets"), Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    assert_eq!(pod.cluster.values("alice-db").unwrap()["k"], "v");
}

#[tokio::test]
async fn a_wrong_token_is_the_operators_to_mend() {
    let pod = Pod::start().await;
    std::fs::write(pod.account.path().join("token"), "an old token").unwrap();
    let (status, text) = pod.stage().await.refused(&push("alice", "secrets"), &sealed("alice-db", &[("k", "v")])).await;
    assert_eq!(status, 502, "{text}");
    assert!(!text.contains("old token"));
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_token() {
    let pod = Pod::start().await;
    let key = KeyPair::generate().unwrap();
    let other = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(pod.account.path().join("ca.crt"), other.pem()).unwrap();
    let (status, _) = pod.stage().await.refused(&push("alice", "secrets"), &sealed("alice-db", &[("k", "v")])).await;
    assert_eq!(status, 502);
    assert!(pod.cluster.state().log.is_empty(), "not a single request came through");
}
