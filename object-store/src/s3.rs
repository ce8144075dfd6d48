//! Objects in a bucket of an S3 service: one fixed key, an endpoint of our own.

mod conditions;
mod config;
mod range;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use bytes::{Bytes, BytesMut};
use secrecy::ExposeSecret as _;
use tokio::sync::OnceCell;

pub use config::BucketConfig;

use crate::key::Key;
use crate::store::{Expected, Listed, Object, Piece, Store, StoreError, Swap, Version};

const OPERATION_TIME: Duration = Duration::from_secs(20);
const ATTEMPT_TIME: Duration = Duration::from_secs(8);
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// A bucket. It is made when the first object is written. Clones share their connections.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    bucket: String,
    honours_conditions: Arc<OnceCell<()>>,
}

impl Bucket {
    /// A client of the bucket; it connects when it is used.
    pub fn new(config: BucketConfig) -> Self {
        let http = if config.endpoint.starts_with("https://") {
            Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build_https()
        } else {
            Builder::new().build_http()
        };
        Self::with_http(config, http)
    }

    fn with_http(config: BucketConfig, http: SharedHttpClient) -> Self {
        let (access, secret) = (config.access_key.expose_secret(), config.secret_key.expose_secret());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIME)
            .operation_attempt_timeout(ATTEMPT_TIME)
            .operation_timeout(OPERATION_TIME)
            .build();
        let client = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .credentials_provider(Credentials::new(access, secret, None, None, "configuration"))
            .region(Region::new(config.region))
            .endpoint_url(config.endpoint)
            .force_path_style(config.path_style)
            .timeout_config(timeouts)
            // Not every service that speaks S3 knows the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { client: Client::from_conf(client), bucket: config.bucket, honours_conditions: Arc::default() }
    }

    /// Writes an object, and makes the bucket if that is what is missing.
    async fn write(&self, key: &str, bytes: Bytes, expected: Option<&Expected>) -> Result<PutObjectOutput, PutError> {
        match self.write_once(key, bytes.clone(), expected).await {
            Err(error) if error.code() == Some("NoSuchBucket") => {
                self.create().await.map_err(PutError::Other)?;
                self.write_once(key, bytes, expected).await
            }
            other => other,
        }
        .map_err(|error| PutError::of(key, error))
    }

    async fn write_once(
        &self,
        key: &str,
        bytes: Bytes,
        expected: Option<&Expected>,
    ) -> Result<PutObjectOutput, SdkError<PutObjectError>> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        let put = put.content_type("application/octet-stream");
        // A conditional write that is sent again after its answer was lost meets itself, and would look like a conflict.
        let once = aws_sdk_s3::Config::builder().retry_config(RetryConfig::disabled());
        match expected {
            None => put.send().await,
            Some(Expected::Absent) => put.if_none_match("*").customize().config_override(once).send().await,
            Some(Expected::Version(Version(tag))) => put.if_match(tag).customize().config_override(once).send().await,
        }
    }

    async fn create(&self) -> Result<(), StoreError> {
        let created = self.client.create_bucket().bucket(&self.bucket).send().await;
        match created {
            Ok(_) => {
                tracing::info!(bucket = self.bucket, "made the bucket");
                Ok(())
            }
            // Another instance was quicker.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_bucket_already_owned_by_you()) => {
                Ok(())
            }
            Err(error) => Err(failed("make the bucket", &self.bucket, error)),
        }
    }

    async fn swap(&self, key: &str, bytes: Bytes, expected: &Expected) -> Result<Swap, StoreError> {
        match self.write(key, bytes, Some(expected)).await {
            Ok(put) => put.e_tag.map(|tag| Swap::Done(Version(tag))).ok_or_else(|| no_tag("write", key)),
            Err(PutError::Conflict) => Ok(Swap::Conflict),
            Err(PutError::Other(error)) => Err(error),
        }
    }
}

impl Store for Bucket {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.write(key.as_str(), bytes, None).await.map(drop).map_err(|error| match error {
            PutError::Conflict => StoreError::failed("write", key, "another write is under way"),
            PutError::Other(error) => error,
        })
    }

    async fn put_if(&self, key: &Key, bytes: Bytes, expected: Expected) -> Result<Swap, StoreError> {
        self.honours_conditions.get_or_try_init(|| self.try_conditions()).await?;
        self.swap(key.as_str(), bytes, &expected).await
    }

    async fn get(&self, key: &Key, max: usize) -> Result<Option<Object>, StoreError> {
        let mut object = match self.client.get_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(object) => object,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed("read", key.as_str(), error)),
        };
        let version = object.e_tag.take().map(Version).ok_or_else(|| no_tag("read", key.as_str()))?;
        let mut bytes = BytesMut::new();
        while let Some(part) = object.body.next().await {
            bytes.extend_from_slice(&part.map_err(|error| StoreError::failed("read", key, error))?);
            if bytes.len() > max {
                return Err(StoreError::TooLong { key: key.clone(), max });
            }
        }
        Ok(Some(Object { bytes: bytes.freeze(), version }))
    }

    async fn get_range(&self, key: &Key, from: u64, max: usize) -> Result<Option<Piece>, StoreError> {
        self.read_range(key, from, max).await
    }

    async fn list(&self, folder: &Key, max: usize) -> Result<Vec<Listed>, StoreError> {
        let prefix = format!("{folder}/");
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_absent(&error) => return Ok(Vec::new()),
                Err(error) => return Err(failed("list", folder.as_str(), error)),
            };
            objects
                .extend(page.contents().iter().filter_map(listed).filter(|object| object.key.below(folder).is_some()));
            if objects.len() > max {
                return Err(StoreError::TooMany { folder: folder.clone(), max });
            }
        }
        objects.sort();
        Ok(objects)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match self.client.delete_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(failed("delete", key.as_str(), error)),
        }
    }
}

fn listed(object: &aws_sdk_s3::types::Object) -> Option<Listed> {
    Some(Listed { key: Key::new(object.key()?).ok()?, bytes: u64::try_from(object.size()?).ok()? })
}

/// Why an object was not written.
enum PutError {
    /// Something else is there than was expected.
    Conflict,
    Other(StoreError),
}

impl PutError {
    fn of(key: &str, error: SdkError<PutObjectError>) -> Self {
        match error.code() {
            // 409 is said while another conditional write of the object is under way; 404 where there is no object to match.
            Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey") => Self::Conflict,
            _ => Self::Other(failed("write", key, error)),
        }
    }
}

/// No such object, or no bucket for it yet.
fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "NoSuchBucket" | "NotFound"))
}

fn no_tag(operation: &'static str, key: &str) -> StoreError {
    StoreError::failed(operation, key, "the service does not tell the object's ETag")
}

fn failed<E>(operation: &'static str, object: &str, error: SdkError<E>) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
{
    // Its own text says no more than "service error"; the chain below it has the reason.
    StoreError::failed(operation, object, DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests;
