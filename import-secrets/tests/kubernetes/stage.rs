//! A stage in a cluster: what [`Stage`] is, with a cluster behind it in the place of the gateway's secrets.

use std::ops::Deref;

use axum::Router;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::cluster::Cluster;
use crate::setup::Stage;
use crate::{api, operator};

pub(crate) struct InCluster {
    stage: Stage,
    pub(crate) cluster: Cluster,
}

impl Deref for InCluster {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl InCluster {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With more variables.
    pub(crate) async fn with(vars: &[(&str, &str)]) -> Self {
        let cluster = Cluster::new();
        let (api, operator) =
            (served(api::routes(cluster.clone())).await, served(operator::routes(cluster.clone())).await);
        let own = [
            ("secrets_backend", "kubernetes"),
            ("kubernetes_url", api.as_str()),
            ("controller_url", operator.as_str()),
            ("service_account_directory", "/nowhere"),
            ("sync_timeout", "10s"),
        ];
        let stage = Stage::with(&[&own[..], vars].concat()).await;
        Self { stage, cluster }
    }

    /// What the file's objects are now: their specs, labels and annotations.
    pub(crate) fn written(&self, name: &str) -> Value {
        let mut object = self.cluster.sealed(name).unwrap();
        for sealed in object["spec"]["encryptedData"].as_object_mut().unwrap().values_mut() {
            *sealed = "(sealed)".into();
        }
        object
    }
}

/// Serves a router on a port of its own.
pub(crate) async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
