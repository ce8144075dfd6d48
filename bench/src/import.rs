//! Sealed secrets on their way into a gateway, beside the same number of secrets that are simply posted to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use openfaas_runtime::{Env, SecretString};
use sdk::gateway::{Gateway, NamedSecret, Secret};
use sdk::secrets::{Import, SECRETS_FUNCTION, SealedFile, SecretsRequest};
use sdk::signing::Key;
use sealed_secrets::{KeyPair, Keyring, seal};
use secrecy::ExposeSecret as _;
use tower::ServiceExt as _;

use crate::report::{Report, Row, median};

const SECRETS: usize = 200;
const ROUNDS: usize = 5;
/// So many plain calls are under way at once: as many as the importer makes.
const AT_ONCE: usize = 8;
/// What the importer may take beyond the gateway's own time.
const BUDGET: Duration = Duration::from_millis(500);
/// The namespace of functions.
const NAMESPACE: &str = "openfaas-fn";
const PAYLOAD_SECRET: &str = "payload-secret-of-benchmarks";

/// A gateway's secrets.
type Kept = Arc<Mutex<BTreeMap<String, Secret>>>;

/// Measures what an import of many secrets adds to the gateway's own time.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let kept = Kept::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let server = tokio::spawn(axum::serve(listener, gateway(Arc::clone(&kept))).into_future());
    let folder = tempfile::tempdir()?;
    let key = KeyPair::generate(chrono::Utc::now(), chrono::TimeDelta::days(3650))?;
    let importer = importer(folder.path(), &key, &url)?;
    let client = Gateway::new(url.parse()?, "operator", "password".into());
    let ring = Keyring::from_pem(key.to_pem().expose_secret())?;
    let (mut ours, mut peers, mut openings) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let owner = format!("owner{round}");
        let sealed = sealed(&key, &owner)?;
        let message = message(&sealed, &owner, 1 + round as u64)?;
        ours.push(import(&importer, &message).await?);
        peers.push(plain(&client, round).await?);
        openings.push(opening(&ring, &sealed)?);
    }
    ensure!(
        kept.lock().unwrap_or_else(PoisonError::into_inner).len() == 2 * ROUNDS * SECRETS,
        "not all secrets arrived"
    );
    server.abort();
    let beyond = median(ours.iter().zip(&peers).map(|(ours, peer)| ours - peer).collect());
    report.add(Row {
        what: format!("{SECRETS} sealed secrets imported"),
        ours: format!("{:.0} ms", median(ours) * 1e3),
        peer: format!(
            "as many plain POSTs {:.0} ms; the keys' arithmetic alone {:.0} ms",
            median(peers) * 1e3,
            median(openings) * 1e3
        ),
        ratio: format!("+{:.0} ms", beyond * 1e3),
        budget: format!("≤ +{} ms", BUDGET.as_millis()),
        holds: beyond <= BUDGET.as_secs_f64(),
    });
    Ok(())
}

fn gateway(kept: Kept) -> Router {
    let list = async |State(kept): State<Kept>| {
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |name: &String| NamedSecret { name: name.clone(), namespace: String::new() };
        Json(kept.keys().map(named).collect::<Vec<_>>())
    };
    let create = async |State(kept): State<Kept>, Json(secret): Json<Secret>| {
        kept.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.name.clone(), secret);
        StatusCode::ACCEPTED
    };
    Router::new()
        .route("/system/secrets", get(list).post(create))
        .route("/system/functions", get(async || Json(Vec::<u8>::new())))
        .route("/async-function/{name}", post(async || StatusCode::ACCEPTED))
        .with_state(kept)
}

fn importer(folder: &Path, key: &KeyPair, gateway: &str) -> Result<Router> {
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("customers"), "")?;
    std::fs::create_dir(path("keys"))?;
    std::fs::write(path("keys/1.pem"), key.to_pem().expose_secret())?;
    let vars = [
        ("gateway_url", gateway.to_owned()),
        ("customers_path", path("customers")),
        ("sealing_directory", path("keys")),
        ("record_directory", path("records")),
    ];
    let secrets =
        [("payload-secret", PAYLOAD_SECRET), ("basic-auth-user", "operator"), ("basic-auth-password", "password")];
    Ok(import_secrets::router(&Env::from_map(vars, secrets))?)
}

/// Names, and values that are sealed for them.
fn sealed(key: &KeyPair, owner: &str) -> Result<Vec<(String, String)>> {
    let seal = |number| {
        let name = format!("{owner}-s{number}");
        let value = seal(key.certificate(), NAMESPACE, &name, format!("value {number}").as_bytes())?;
        Ok((name, value))
    };
    (0..SECRETS).map(seal).collect()
}

/// What opening alone takes, on all processors: one operation with a private key of 4,096 bits for each value.
fn opening(ring: &Keyring, sealed: &[(String, String)]) -> Result<f64> {
    let threads = std::thread::available_parallelism()?.get();
    let next = AtomicUsize::new(0);
    let open = || {
        while let Some((name, value)) = sealed.get(next.fetch_add(1, Ordering::Relaxed)) {
            ring.open(NAMESPACE, name, value)?;
        }
        Ok(())
    };
    let began = Instant::now();
    let opened: Vec<Result<()>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(open)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a thread failed"))).collect()
    });
    opened.into_iter().collect::<Result<()>>()?;
    Ok(began.elapsed().as_secs_f64())
}

/// A push that brings them all.
fn message(sealed: &[(String, String)], owner: &str, owner_id: u64) -> Result<Vec<u8>> {
    let mut text = String::new();
    for (name, value) in sealed {
        text.push_str(&format!(
            "---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
             spec:\n  encryptedData:\n    key: {value}\n"
        ));
    }
    let event = serde_json::from_value(serde_json::json!({
        "host": "git.localhost", "owner": owner, "owner_id": owner_id, "repo": "secrets", "repo_id": owner_id,
        "private": false, "branch": "main", "default_branch": "main", "sha": "a".repeat(40), "html_url": "",
        "installation": 0, "pusher": owner,
    }))?;
    let file = Some(SealedFile { name: "secrets.yml".to_owned(), text });
    Ok(serde_json::to_vec(&SecretsRequest::Import(Import { event, file, wanted: Default::default() }))?)
}

async fn import(importer: &Router, message: &[u8]) -> Result<f64> {
    let key = Key::derive(&SecretString::from(PAYLOAD_SECRET), SECRETS_FUNCTION);
    let headers = key.sign(&axum::http::Method::POST, message, Duration::from_secs(60));
    let request =
        headers.into_iter().fold(axum::http::Request::post("/"), |request, (name, value)| request.header(name, value));
    let request = request.body(axum::body::Body::from(message.to_vec()))?;
    let began = Instant::now();
    let answer = importer.clone().oneshot(request).await?;
    let took = began.elapsed().as_secs_f64();
    ensure!(answer.status() == StatusCode::OK, "the import was answered with {}", answer.status());
    Ok(took)
}

async fn plain(client: &Gateway, round: usize) -> Result<f64> {
    let began = Instant::now();
    let posts = (0..SECRETS).map(|number| async move {
        let (name, value) = (format!("plain{round}-s{number}"), format!("value {number}"));
        client.create_secret(&Secret { name, value, ..Secret::default() }).await
    });
    stream::iter(posts).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    Ok(began.elapsed().as_secs_f64())
}
