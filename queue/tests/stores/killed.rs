//! The process is killed while it enqueues and claims.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use openfaas_runtime::Env;
use queue::{Nats, Queue, Verdict};

use crate::support::{Home, claim, enqueue_body, eventually, head, settle, short_lease};

/// Past the harness, which keeps back what tests print, and at once.
fn promise(id: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "promised {id}").and_then(|()| out.flush()).unwrap();
}

async fn opened(folder: &Path, nats: Option<&str>) -> Queue {
    match nats {
        None => queue::embedded(folder, short_lease()).await.unwrap(),
        Some(address) => queue::jetstream(folder, Nats::at(address), short_lease()).await.unwrap(),
    }
}

/// Not a test of its own: the process that the tests below kill. Without its variables it ends at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_enqueues_until_it_is_killed() {
    let env = Env::from_process();
    let (Some(folder), Some(round)) = (env.var("QUEUE_KILL_FOLDER"), env.var("QUEUE_KILL_ROUND")) else { return };
    let queue = opened(&PathBuf::from(folder), env.var("QUEUE_KILL_NATS")).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32 {
        let (queue, round) = (queue.clone(), round.to_owned());
        tasks.spawn(async move {
            for n in 0.. {
                let id = format!("{round}-{task}-{n}");
                let size = if n % 50 == 0 { 200_000 } else { 100 };
                enqueue_body(&queue, head("f", &id), &vec![1; size]).await.unwrap();
                promise(&id);
                // Some run when the process is killed.
                if n % 7 == 0 {
                    claim(&queue, "f", 1).await;
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Lets a process enqueue and kills it; answers with what it had promised.
fn promised_and_killed(folder: &Path, nats: Option<&str>, round: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child_that_enqueues_until_it_is_killed", "--nocapture"])
        .env("QUEUE_KILL_FOLDER", folder)
        .env("QUEUE_KILL_ROUND", round.to_string())
        .envs(nats.map(|address| ("QUEUE_KILL_NATS", address)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut promised = lines.filter_map(|line| Some(line.split_once("promised ")?.1.to_owned()));
    let mut before: Vec<String> = promised.by_ref().take(400 * (round + 1)).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    before.extend(promised);
    before
}

async fn survives(home: &Home) {
    let address = home.nats.as_ref().map(crate::support::nats::NatsServer::address);
    let mut promised = HashSet::new();
    for round in 0..5 {
        promised.extend(promised_and_killed(home.folder.path(), address.as_deref(), round));
    }
    assert!(promised.len() > 2000);
    let queue = home.open_with(short_lease()).await;
    let mut ran = HashSet::new();
    eventually("all promised calls to run", async || {
        for call in claim(&queue, "f", 10_000).await {
            settle(&queue, &call, Verdict::Done).await;
            assert!(ran.insert(call.head.call_id), "no call is stored twice");
        }
        promised.is_subset(&ran).then_some(())
    })
    .await;
    assert_eq!(home.bodies().len(), 0, "nor do bodies stay behind");
}

#[tokio::test]
async fn no_promised_call_in_a_file_is_lost_to_kill_9() {
    survives(&Home::embedded()).await;
}

#[tokio::test]
async fn no_promised_call_in_nats_is_lost_to_kill_9() {
    survives(&Home::jetstream()).await;
}
