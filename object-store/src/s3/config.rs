//! Where a bucket is and who may use it.

use sdk::{Invalid, Reader};
use secrecy::SecretString;

/// What [`Bucket`](crate::Bucket) needs to know.
#[derive(Clone)]
pub struct BucketConfig {
    /// `s3_url`, with `s3_tls` where it has no scheme.
    pub(super) endpoint: String,
    /// `s3_region`.
    pub(super) region: String,
    /// `s3_bucket`.
    pub(super) bucket: String,
    /// `s3_path_style`: the bucket is in the path (`host/bucket/key`), not in the host (`bucket.host/key`).
    pub(super) path_style: bool,
    /// Secret `s3-access-key`.
    pub(super) access_key: SecretString,
    /// Secret `s3-secret-key`.
    pub(super) secret_key: SecretString,
}

impl BucketConfig {
    /// Reads the variables `s3_url` (`host:port` or an URL), `s3_tls`, `s3_region` (`us-east-1`), `s3_bucket`, `s3_path_style` (on)
    /// and the secrets `s3-access-key` and `s3-secret-key`.
    ///
    /// # Errors
    /// When one is missing or malformed; the reader knows which.
    pub fn read(r: &Reader<'_>, default_bucket: &str) -> Result<Self, Invalid> {
        let endpoint = endpoint(r);
        let region = r.or("s3_region", "us-east-1".to_owned());
        let path_style = r.flag("s3_path_style", true);
        let bucket = bucket(r, default_bucket, matches!(path_style, Ok(false)));
        let access_key = r.secret("s3-access-key");
        let secret_key = r.secret("s3-secret-key");
        Ok(Self {
            endpoint: endpoint?,
            region: region?,
            bucket: bucket?,
            path_style: path_style?,
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

fn bucket(r: &Reader<'_>, default: &str, in_host: bool) -> Result<String, Invalid> {
    let bucket = r.or("s3_bucket", default.to_owned())?;
    let plain = bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    if !plain || !(3..=63).contains(&bucket.len()) || bucket.contains("..") {
        let rule = "a bucket's name: 3 to 63 lower-case letters, digits, '-' and '.'";
        Err(r.invalid("s3_bucket", format!("'{bucket}' is not {rule}")))
    } else if in_host && bucket.contains('.') {
        // A certificate for *.host does not cover it.
        Err(r.invalid("s3_bucket", format!("'{bucket}' has a dot, so s3_path_style must be on")))
    } else {
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<BucketConfig, String> {
        let env = Env::from_map(vars.iter().copied(), [("s3-access-key", "a"), ("s3-secret-key", "s")]);
        let r = env.reader();
        BucketConfig::read(&r, "pipeline").map_err(|_| r.finish().unwrap_err().to_string())
    }

    #[test]
    fn the_originals_form_and_urls_are_understood() {
        let endpoint = |vars: &[(&str, &str)]| read(vars).unwrap().endpoint;
        assert_eq!(endpoint(&[("s3_url", "minio:9000")]), "http://minio:9000");
        assert_eq!(endpoint(&[("s3_url", "s3.example.com"), ("s3_tls", "1")]), "https://s3.example.com");
        assert_eq!(endpoint(&[("s3_url", "https://s3.example.com")]), "https://s3.example.com");
        assert!(read(&[("s3_url", "ftp://x")]).is_err());
    }

    #[test]
    fn the_originals_defaults_hold() {
        let config = read(&[("s3_url", "minio:9000")]).unwrap();
        assert_eq!((config.bucket.as_str(), config.region.as_str()), ("pipeline", "us-east-1"));
        assert!(config.path_style);
    }

    #[test]
    fn a_bucket_in_the_host_has_no_dot() {
        let vars = |style| [("s3_url", "s3.example.com"), ("s3_bucket", "my.logs"), ("s3_path_style", style)];
        assert!(read(&vars("true")).is_ok());
        let problem = read(&vars("false")).err().unwrap();
        assert!(problem.contains("s3_bucket 'my.logs' has a dot, so s3_path_style must be on"), "{problem}");
        assert!(read(&vars("perhaps")).err().unwrap().contains("s3_path_style"));
    }
}
