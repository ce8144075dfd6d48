//! Whether objects can be written to the bucket, read and deleted.

use bytes::Bytes;
use object_store::{Bucket, BucketConfig, Key, Store as _, StoreError};
use sdk::Env;
use secrecy::ExposeSecret;

use crate::config_file::{ConfigFile, Store};
use crate::doctor::Finding;
use crate::init::keys::S3;
use crate::secrets::Secrets;

const WHAT: &str = "bucket";
/// What is written, and deleted again.
const PROBE: &str = "ofc-init/probe";

/// Writes, reads and deletes one small object.
pub(super) async fn examine(config: &ConfigFile, secrets: &Secrets) -> Option<Finding> {
    let Store::S3 { url, region, bucket } = &config.store else { return None };
    let mut keys = Vec::new();
    for name in S3 {
        match secrets.get(name) {
            Ok(value) => keys.push((name, value.expose_secret().to_owned())),
            Err(_) => {
                let sentence = format!("{} is not there", secrets.path(name).display());
                return Some(Finding::fail(WHAT, sentence, "put the key of a user of the bucket there"));
            }
        }
    }
    let variables = [("s3_url", url.as_str()), ("s3_region", region), ("s3_bucket", bucket)];
    let env = Env::from_map(variables, keys);
    let reader = env.reader();
    let settings = BucketConfig::read(&reader, bucket);
    let tried = match (reader.finish(), settings) {
        (Ok(()), Ok(settings)) => round_trip(&Bucket::new(settings)).await.map_err(|error| sdk::failure::chain(&error)),
        (Err(error), _) => Err(error.to_string()),
        (Ok(()), Err(_)) => Err("the settings cannot be used".to_owned()),
    };
    Some(match tried {
        Ok(()) => Finding::ok(WHAT, format!("{bucket} at {url} can be written to")),
        Err(cause) => {
            let advice =
                "see whether store.url, region and bucket are right, and what the user of s3-access-key may do";
            Finding::fail(WHAT, format!("{bucket} at {url} cannot be used: {cause}"), advice)
        }
    })
}

async fn round_trip(bucket: &Bucket) -> Result<(), StoreError> {
    let Ok(key) = PROBE.parse::<Key>() else { return Ok(()) };
    bucket.put(&key, Bytes::from_static(b"probe")).await?;
    bucket.get(&key, 64).await?;
    bucket.delete(&key).await
}

#[cfg(test)]
mod tests {
    use object_store::test_servers::{ACCESS_KEY, InProcess, SECRET_KEY};

    use super::*;

    async fn said(address: &str, keys: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{{domain: a.io, store: {{kind: s3, url: 'http://{address}', bucket: logs}}}}");
        let config = ConfigFile::parse(&text, folder.path().to_owned()).unwrap();
        for (name, value) in keys {
            std::fs::write(folder.path().join(name), value).unwrap();
        }
        let finding = examine(&config, &Secrets::existing(folder.path().to_owned())).await.unwrap();
        anstream::adapter::strip_str(&crate::doctor::lines(&[finding])).to_string()
    }

    #[tokio::test]
    async fn a_bucket_has_to_take_an_object_and_give_it_back() {
        let server = InProcess::start().await;
        let good = [(S3[0], ACCESS_KEY), (S3[1], SECRET_KEY)];
        let text = said(server.address(), &good).await;
        assert!(text.starts_with("ok") && text.contains("can be written to"), "{text}");
        let text = said(server.address(), &[(S3[0], ACCESS_KEY), (S3[1], "hunter2")]).await;
        assert!(text.starts_with("FAIL") && text.contains("store.url") && !text.contains("hunter2"), "{text}");
        assert!(said(server.address(), &good[..1]).await.contains("s3-secret-key is not there"));
        let gone = said("127.0.0.1:1", &good).await;
        assert!(gone.starts_with("FAIL"), "{gone}");
    }
}
