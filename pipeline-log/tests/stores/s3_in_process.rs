//! An S3 server in this process, on a port of its own, over a temporary directory.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::client::{ACCESS_KEY, SECRET_KEY};

pub(crate) struct Server {
    address: String,
    _data: TempDir,
}

impl Server {
    pub(crate) fn vars(&self) -> [(&str, &str); 3] {
        [("log_store", "s3"), ("s3_url", &self.address), ("s3_bucket", "build-logs")]
    }
}

pub(crate) async fn start() -> Server {
    let data = tempfile::tempdir().unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(data.path()).unwrap());
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Server { address, _data: data }
}
