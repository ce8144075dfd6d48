//! An S3 server in this process, on a port of its own, over a temporary directory.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::access::S3Access;
use s3s::auth::SimpleAuth;
use s3s::dto::PutObjectInput;
use s3s::host::SingleDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Request, S3Result};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::{ACCESS_KEY, SECRET_KEY};

/// A condition of writes.
#[derive(Debug, Clone, Copy)]
pub enum Condition {
    /// `If-Match`.
    Match,
    /// `If-None-Match`.
    NoneMatch,
}

/// Forgets a condition before the server looks at it.
struct Ignoring(Condition);

#[async_trait::async_trait]
impl S3Access for Ignoring {
    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        match self.0 {
            Condition::Match => request.input.if_match = None,
            Condition::NoneMatch => request.input.if_none_match = None,
        }
        Ok(())
    }
}

/// A server, which ends with this value. It checks signatures.
pub struct InProcess {
    address: String,
    server: JoinHandle<()>,
    _data: TempDir,
}

impl InProcess {
    /// Starts it on a port of its own.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        Self::serve(|_, _| {}).await
    }

    /// Starts it; it takes no notice of a condition of writes, as a service would that does not know it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_without(condition: Condition) -> Self {
        Self::serve(|service, _| service.set_access(Ignoring(condition))).await
    }

    /// Starts it; it takes what is before this domain in a request's host for the bucket.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_for_domain(domain: &str) -> Self {
        let set_host = |service: &mut S3ServiceBuilder, port| {
            service.set_host(SingleDomain::new(&format!("{domain}:{port}")).unwrap());
        };
        Self::serve(set_host).await
    }

    async fn serve(more: impl FnOnce(&mut S3ServiceBuilder, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let data = tempfile::tempdir().unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(data.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        more(&mut service, address.port());
        let server = tokio::spawn(accept(listener, service.build()));
        Self { address: address.to_string(), server, _data: data }
    }

    /// Where it is, as `host:port`: the variable `s3_url`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The server looks at a condition and writes later; real services do both at once, and so does it with one write at a time.
async fn accept(listener: TcpListener, service: S3Service) {
    let writes = Arc::new(Mutex::new(()));
    while let Ok((stream, _)) = listener.accept().await {
        let (service, writes) = (service.clone(), Arc::clone(&writes));
        tokio::spawn(async move {
            let one_at_a_time = service_fn(move |request: Request<Incoming>| {
                let (service, writes) = (service.clone(), Arc::clone(&writes));
                async move {
                    let write = request.method() == Method::PUT;
                    let _turn = if write { Some(writes.lock().await) } else { None };
                    hyper::service::Service::call(&service, request).await
                }
            });
            let _ =
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), one_at_a_time).await;
        });
    }
}
