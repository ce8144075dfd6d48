//! Webhooks: how many are verified and durably queued, and whether a burst arrives whole.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use openfaas_runtime::SecretString;

use crate::child::Process;
use crate::report::{Report, Row, median};
use crate::servers::Server;
use crate::servers::webhooks::{OWNER, SECRET, SINK};
use crate::wrk;

const ROUNDS: usize = 3;
const BURST: usize = 10_000;
/// Requests of the burst under way at once.
const AT_ONCE: usize = 64;
/// How long the queue may take to hand out the burst.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Measures line 7 of the budgets.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let script = script(directory.path())?;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (gateway, _data) = start_gateway()?;
        ours.push(wrk::rate(&format!("{}function/github-event", gateway.url), Some(&script))?);
        drop(gateway);
        let verifier = Process::start(Server::Verifier, &[])?;
        peers.push(wrk::rate(&verifier.url, Some(&script))?);
    }
    let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
    let rate = median(ours);
    report.add(Row {
        what: "webhooks verified and durably queued".to_owned(),
        ours: format!("{rate:.0}/s"),
        peer: format!("signature check alone {:.0}/s", median(peers)),
        ratio: format!("{ratio:.2}"),
        budget: "≥ 5000/s".to_owned(),
        holds: rate >= 5000.0,
    });
    burst(report)
}

fn start_gateway() -> Result<(Process, tempfile::TempDir)> {
    let data = tempfile::tempdir()?;
    let directory = data.path().display().to_string();
    Ok((Process::start(Server::Gateway, &[("bench_directory", directory)])?, data))
}

/// A push as GitHub sends it, with a few commits, about 7 KB.
fn payload() -> String {
    let commit = serde_json::json!({
        "id": "1".repeat(40), "tree_id": "2".repeat(40), "distinct": true, "message": "Change the greeting\n\nA longer reason for it.",
        "timestamp": "2026-01-01T00:00:00Z", "url": "https://github.com/alice/hello/commit/1111111",
        "author": {"name": "Alice", "email": "alice@example.com", "username": "alice"},
        "committer": {"name": "Alice", "email": "alice@example.com", "username": "alice"},
        "added": ["greet/src/new.rs"], "removed": [], "modified": ["greet/src/lib.rs", "stack.yml", "count/handler.py"],
    });
    let payload = serde_json::json!({
        "ref": "refs/heads/main", "before": "3".repeat(40), "after": "1".repeat(40), "created": false, "deleted": false, "forced": false,
        "repository": {"id": 1, "name": "hello", "full_name": "alice/hello", "private": false, "default_branch": "main",
            "owner": {"id": 7, "login": OWNER, "name": OWNER}, "html_url": "https://github.com/alice/hello", "description": "x".repeat(2000)},
        "pusher": {"name": OWNER, "email": "alice@example.com"}, "sender": {"id": 7, "login": OWNER},
        "installation": {"id": 5}, "commits": vec![commit.clone(); 8], "head_commit": commit,
    });
    payload.to_string()
}

fn signature(body: &str) -> String {
    sdk::signing::sha256_header(&SecretString::from(SECRET), body.as_bytes())
}

/// A wrk script that posts the payload, each time as another delivery.
fn script(directory: &Path) -> Result<PathBuf> {
    let body = payload();
    let mut script = String::new();
    writeln!(script, "local body = [==[{body}]==]")?;
    writeln!(script, "local headers = {{ ['Content-Type'] = 'application/json', ['X-GitHub-Event'] = 'push',")?;
    writeln!(script, "  ['X-Hub-Signature-256'] = '{}' }}", signature(&body))?;
    script.push_str("local sent = 0\nfunction request()\n  sent = sent + 1\n");
    script.push_str("  headers['X-GitHub-Delivery'] = 'bench-' .. sent\n");
    script.push_str("  return wrk.format('POST', nil, headers, body)\nend\n");
    let path = directory.join("push.lua");
    std::fs::write(&path, script)?;
    Ok(path)
}

/// Sends a burst as fast as it goes and counts what the queue hands out.
fn burst(report: &mut Report) -> Result<()> {
    let (gateway, _data) = start_gateway()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (seconds, delivered) = runtime.block_on(async {
        let client = sdk::http::client();
        let seconds = send_burst(&client, &gateway.url).await?;
        anyhow::Ok((seconds, count_delivered(&client, &gateway.url).await?))
    })?;
    report.add(Row {
        what: format!("a burst of {BURST} webhooks"),
        ours: format!("{} lost, taken in {seconds:.1} s", BURST as i64 - delivered),
        peer: String::new(),
        ratio: String::new(),
        budget: "0 lost".to_owned(),
        holds: delivered == BURST as i64,
    });
    Ok(())
}

async fn send_burst(client: &reqwest::Client, gateway: &str) -> Result<f64> {
    let body = payload();
    let (url, signature) = (format!("{gateway}function/github-event"), signature(&body));
    let began = Instant::now();
    let sends = futures_util::stream::iter(0..BURST).map(|number| {
        let request = client.post(&url).body(body.clone()).header("X-GitHub-Event", "push");
        let request = request.header("X-Hub-Signature-256", &signature);
        request.header("X-GitHub-Delivery", format!("burst-{number}")).send()
    });
    let mut answers = sends.buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        let status = answer.context("a webhook got no answer")?.status();
        ensure!(status.is_success(), "a webhook was answered with {status}");
    }
    Ok(began.elapsed().as_secs_f64())
}

async fn count_delivered(client: &reqwest::Client, gateway: &str) -> Result<i64> {
    let began = Instant::now();
    loop {
        let answer = client.get(format!("{gateway}function/{SINK}/count")).send().await?;
        let count: i64 = answer.text().await?.parse()?;
        if count >= BURST as i64 || began.elapsed() > DRAIN_LIMIT {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
