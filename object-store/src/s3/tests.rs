use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns};
use sdk::Env;

use super::*;
use crate::test_servers::{ACCESS_KEY, InProcess, SECRET_KEY};

fn config(vars: &[(&str, &str)]) -> BucketConfig {
    let env = Env::from_map(vars.iter().copied(), [("s3-access-key", ACCESS_KEY), ("s3-secret-key", SECRET_KEY)]);
    BucketConfig::read(&env.reader(), "records").unwrap_or_else(|_| panic!("{vars:?} name no bucket"))
}

/// Finds every name on this machine, and remembers which were looked for.
#[derive(Debug, Clone, Default)]
struct Loopback(Arc<Mutex<Vec<String>>>);

impl ResolveDns for Loopback {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        self.0.lock().unwrap().push(name.to_owned());
        DnsFuture::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))
    }
}

#[tokio::test]
async fn the_bucket_is_in_the_host_where_the_operator_says_so() {
    let server = InProcess::start_for_domain("s3.test").await;
    let port = server.address().rsplit_once(':').unwrap().1;
    for (style, host) in [("true", "s3.test"), ("false", "records.s3.test")] {
        let names = Loopback::default();
        let http =
            Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build_with_resolver(names.clone());
        let config = config(&[("s3_url", &format!("http://s3.test:{port}")), ("s3_path_style", style)]);
        let (bucket, key) = (Bucket::with_http(config, http), Key::new("a/b").unwrap());
        bucket.put(&key, style.into()).await.unwrap();
        assert_eq!(bucket.get(&key, 10).await.unwrap().unwrap().bytes, style);
        let names = names.0.lock().unwrap();
        assert!(!names.is_empty() && names.iter().all(|name| name == host), "{names:?}");
    }
}

#[test]
fn both_kinds_of_endpoint_make_a_client() {
    for url in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
        let bucket = Bucket::new(config(&[("s3_url", url)]));
        assert_eq!(bucket.bucket, "records");
    }
}
