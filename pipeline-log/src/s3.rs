//! Logs in a bucket of an S3 service: path style, one fixed key, our own endpoint.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use bytes::Bytes;
use sdk::{Invalid, Reader};
use secrecy::{ExposeSecret as _, SecretString};

use crate::log_key::{Folder, Name};
use crate::store::{Object, Store, StoreError};

const OPERATION_TIME: Duration = Duration::from_secs(20);
const ATTEMPT_TIME: Duration = Duration::from_secs(8);
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// Where the bucket is and who may use it.
pub(crate) struct BucketConfig {
    /// `s3_url`, with `s3_tls` where it has no scheme.
    endpoint: String,
    /// `s3_region`.
    region: String,
    /// `s3_bucket`.
    bucket: String,
    /// Secret `s3-access-key`.
    access_key: SecretString,
    /// Secret `s3-secret-key`.
    secret_key: SecretString,
}

impl BucketConfig {
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let endpoint = endpoint(r);
        let region = r.or("s3_region", "us-east-1".to_owned());
        let bucket = bucket(r);
        let access_key = r.secret("s3-access-key");
        let secret_key = r.secret("s3-secret-key");
        Ok(Self {
            endpoint: endpoint?,
            region: region?,
            bucket: bucket?,
            access_key: access_key?,
            secret_key: secret_key?,
        })
    }
}

/// The original's `s3_url` is `host:port`; a URL is taken as it is.
fn endpoint(r: &Reader<'_>) -> Result<String, Invalid> {
    let tls = r.flag("s3_tls", false);
    let url: String = r.required("s3_url")?;
    let scheme = if tls? { "https" } else { "http" };
    match url.split_once("://") {
        None => Ok(format!("{scheme}://{url}")),
        Some(("http" | "https", _)) => Ok(url),
        Some(_) => Err(r.invalid("s3_url", format!("'{url}' is neither host:port nor an http or https URL"))),
    }
}

fn bucket(r: &Reader<'_>) -> Result<String, Invalid> {
    let bucket = r.or("s3_bucket", "pipeline".to_owned())?;
    let plain = bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    if plain && (3..=63).contains(&bucket.len()) && !bucket.contains("..") {
        Ok(bucket)
    } else {
        let rule = "a bucket's name: 3 to 63 lower-case letters, digits, '-' and '.'";
        Err(r.invalid("s3_bucket", format!("'{bucket}' is not {rule}")))
    }
}

/// A bucket.
pub(crate) struct Bucket {
    client: Client,
    bucket: String,
}

impl Bucket {
    pub(crate) fn new(config: BucketConfig) -> Self {
        let (access, secret) = (config.access_key.expose_secret(), config.secret_key.expose_secret());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIME)
            .operation_attempt_timeout(ATTEMPT_TIME)
            .operation_timeout(OPERATION_TIME)
            .build();
        let http = if config.endpoint.starts_with("https://") {
            Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build_https()
        } else {
            Builder::new().build_http()
        };
        let client = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .credentials_provider(Credentials::new(access, secret, None, None, "configuration"))
            .region(Region::new(config.region))
            .endpoint_url(config.endpoint)
            .force_path_style(true)
            .timeout_config(timeouts)
            // Not every service that speaks S3 knows the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { client: Client::from_conf(client), bucket: config.bucket }
    }

    async fn put_once(&self, key: &str, bytes: Bytes) -> Result<(), SdkError<PutObjectError>> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        put.content_type("text/plain; charset=utf-8").send().await.map(drop)
    }

    async fn create(&self) -> Result<(), StoreError> {
        let created = self.client.create_bucket().bucket(&self.bucket).send().await;
        match created {
            Ok(_) => {
                tracing::info!(bucket = self.bucket, "made the bucket for build logs");
                Ok(())
            }
            // Another instance was quicker.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_bucket_already_owned_by_you()) => {
                Ok(())
            }
            Err(error) => Err(failed("make the bucket", &self.bucket, error)),
        }
    }
}

impl Store for Bucket {
    async fn put(&self, folder: &Folder, name: Name, bytes: Bytes) -> Result<(), StoreError> {
        let key = folder.object(name);
        match self.put_once(&key, bytes.clone()).await {
            Err(error) if is_no_bucket(&error) => {
                self.create().await?;
                self.put_once(&key, bytes).await
            }
            other => other,
        }
        .map_err(|error| failed("write", &key, error))
    }

    async fn get(&self, folder: &Folder, name: Name) -> Result<Option<Bytes>, StoreError> {
        let key = folder.object(name);
        let object = match self.client.get_object().bucket(&self.bucket).key(&key).send().await {
            Ok(object) => object,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed("read", &key, error)),
        };
        let body = object.body.collect().await.map_err(|error| StoreError::new("read", &key, error))?;
        Ok(Some(body.into_bytes()))
    }

    async fn list(&self, folder: &Folder) -> Result<Vec<Object>, StoreError> {
        let prefix = format!("{folder}/");
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_absent(&error) => return Ok(Vec::new()),
                Err(error) => return Err(failed("list", folder.as_str(), error)),
            };
            objects.extend(page.contents().iter().filter_map(|object| {
                let name = Name::parse(object.key()?.strip_prefix(&prefix)?)?;
                Some(Object { name, bytes: u64::try_from(object.size()?).ok()? })
            }));
        }
        objects.sort();
        Ok(objects)
    }

    async fn delete(&self, folder: &Folder, name: Name) -> Result<(), StoreError> {
        let key = folder.object(name);
        match self.client.delete_object().bucket(&self.bucket).key(&key).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(failed("delete", &key, error)),
        }
    }
}

/// No such object, or no bucket for it yet.
fn is_absent<E: aws_sdk_s3::error::ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    use aws_sdk_s3::error::ProvideErrorMetadata as _;
    matches!(error.code(), Some("NoSuchKey" | "NoSuchBucket" | "NotFound"))
}

fn is_no_bucket(error: &SdkError<PutObjectError>) -> bool {
    use aws_sdk_s3::error::ProvideErrorMetadata as _;
    error.code() == Some("NoSuchBucket")
}

fn failed<E>(operation: &'static str, object: &str, error: SdkError<E>) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
{
    // Its own text says no more than "service error"; the chain below it has the reason.
    StoreError::new(operation, object, DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    fn read(vars: &[(&str, &str)]) -> Option<BucketConfig> {
        let env = Env::from_map(vars.iter().copied(), [("s3-access-key", "a"), ("s3-secret-key", "s")]);
        BucketConfig::read(&env.reader()).ok()
    }

    #[test]
    fn the_originals_form_and_urls_are_understood() {
        let endpoint = |vars: &[(&str, &str)]| read(vars).unwrap().endpoint;
        assert_eq!(endpoint(&[("s3_url", "minio:9000")]), "http://minio:9000");
        assert_eq!(endpoint(&[("s3_url", "s3.example.com"), ("s3_tls", "1")]), "https://s3.example.com");
        assert_eq!(endpoint(&[("s3_url", "https://s3.example.com")]), "https://s3.example.com");
        assert!(read(&[("s3_url", "ftp://x")]).is_none());
    }

    #[test]
    fn the_originals_defaults_hold() {
        let config = read(&[("s3_url", "minio:9000")]).unwrap();
        assert_eq!((config.bucket.as_str(), config.region.as_str()), ("pipeline", "us-east-1"));
    }

    #[test]
    fn both_kinds_of_endpoint_make_a_client() {
        for url in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
            let bucket = Bucket::new(read(&[("s3_url", url)]).unwrap());
            assert_eq!(bucket.bucket, "pipeline");
        }
    }
}
