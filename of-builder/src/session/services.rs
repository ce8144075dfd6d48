//! What the engine may ask over a session: that it is alive, secrets by their id, and credentials, of which there are none.

use std::sync::Arc;

use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::{Health, HealthServer};
use bollard::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use bollard::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use secrecy::ExposeSecret as _;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::secrets::BuildSecrets;

/// What the engine is told that it may ask.
pub(super) const METHODS: [&str; 2] =
    ["/moby.buildkit.secrets.v1.Secrets/GetSecret", "/moby.filesync.v1.Auth/Credentials"];

pub(super) fn all(secrets: Arc<BuildSecrets>) -> Routes {
    Routes::new(HealthServer::new(Alive))
        .add_service(SecretsServer::new(Giver { secrets }))
        .add_service(AuthServer::new(Nobody))
        .prepare()
}

struct Giver {
    secrets: Arc<BuildSecrets>,
}

#[tonic::async_trait]
impl Secrets for Giver {
    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        match self.secrets.get(&id) {
            Some(value) => Ok(Response::new(GetSecretResponse { data: value.expose_secret().to_vec() })),
            // The engine builds its sentence from the code; whether that fails the step is the Dockerfile's decision.
            None => Err(Status::not_found("there is no such build secret")),
        }
    }
}

/// A `FROM` reaches only what is public or already in the engine.
struct Nobody;

#[tonic::async_trait]
impl Auth for Nobody {
    async fn credentials(&self, _: Request<CredentialsRequest>) -> Result<Response<CredentialsResponse>, Status> {
        Ok(Response::new(CredentialsResponse::default()))
    }

    async fn fetch_token(&self, _: Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(no_authority())
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(no_authority())
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(no_authority())
    }
}

/// With this answer the engine asks the registry itself, as somebody without a name.
fn no_authority() -> Status {
    Status::unavailable("no tokens are made here")
}

struct Alive;

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: ServingStatus::Serving.into() }
}

#[tonic::async_trait]
impl Health for Alive {
    type WatchStream = tokio_stream::Once<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(serving()))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Ok(Response::new(HealthListResponse { statuses: [(String::new(), serving())].into() }))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::once(Ok(serving()))))
    }
}
