use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use openfaas_runtime::Env;

use super::*;

const LEASE: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits { calls: 100_000, dead: 3 };

fn call(function: &str, call_id: &str) -> NewCall {
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_bytes(b"2 \xff").unwrap());
    NewCall {
        function: function.into(),
        call_id: call_id.into(),
        method: Method::POST,
        path: "/p?q=1".into(),
        headers,
        body: Bytes::from_static(b"\0body\r\n"),
    }
}

async fn claim(queue: &Queue, function: &str, calls: usize) -> Claimed {
    let want = Want { function: function.into(), calls };
    queue.claim(vec![want], LEASE).await.unwrap().remove(0)
}

async fn queue() -> (tempfile::TempDir, PathBuf, Queue) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let queue = Queue::open(&path, LIMITS).await.unwrap();
    (dir, path, queue)
}

#[tokio::test]
async fn a_call_comes_back_as_it_went_in_and_is_forgotten_when_done() {
    let (_dir, _, queue) = queue().await;
    assert_eq!(queue.enqueue(call("f", "id")).await.unwrap(), Enqueued::New);
    assert_eq!(queue.news().await, HashSet::from(["f".to_owned()]));
    let claimed = claim(&queue, "f", 10).await;
    let [got] = claimed.calls.as_slice() else { panic!("one call, not {:?}", claimed.calls) };
    let sent = call("f", "id");
    assert_eq!(
        (&got.method, &got.path, &got.headers, &got.body),
        (&sent.method, &sent.path, &sent.headers, &sent.body)
    );
    assert_eq!((got.call_id.as_str(), got.attempt, claimed.next), ("id", 1, None));
    assert!(claim(&queue, "f", 10).await.calls.is_empty(), "it is leased");
    queue.settle(got.id, got.attempt, Verdict::Done).await.unwrap();
    assert_eq!(queue.enqueue(call("f", "id")).await.unwrap(), Enqueued::New);
}

#[tokio::test]
async fn the_same_call_is_stored_once_and_another_of_the_same_id_is_not_lost() {
    let (_dir, _, queue) = queue().await;
    queue.enqueue(call("f", "id")).await.unwrap();
    assert_eq!(queue.enqueue(call("f", "id")).await.unwrap(), Enqueued::Known);
    assert_eq!(queue.enqueue(call("g", "id")).await.unwrap(), Enqueued::New);
    let other = NewCall { body: Bytes::from_static(b"other"), ..call("f", "id") };
    assert_eq!(queue.enqueue(other).await.unwrap(), Enqueued::New);
    assert_eq!(claim(&queue, "f", 10).await.calls.len(), 2);
}

#[tokio::test]
async fn a_retry_waits_for_its_time() {
    let (_dir, _, queue) = queue().await;
    queue.enqueue(call("f", "id")).await.unwrap();
    let first = claim(&queue, "f", 1).await.calls.remove(0);
    let at = now_ms() + 60_000;
    queue.settle(first.id, 1, Verdict::Retry { at, status: 503, reason: "busy".into() }).await.unwrap();
    let none = claim(&queue, "f", 1).await;
    assert_eq!((none.calls.len(), none.next), (0, Some(at)));
}

#[tokio::test]
async fn dead_letters_are_kept_listed_and_bounded() {
    let (_dir, _, queue) = queue().await;
    for id in 0..5 {
        queue.enqueue(call("f", &id.to_string())).await.unwrap();
        let got = claim(&queue, "f", 1).await.calls.remove(0);
        let verdict = Verdict::Dead { status: 400, reason: format!("{}ü", "x".repeat(1999)) };
        queue.settle(got.id, got.attempt, verdict).await.unwrap();
    }
    let dead = queue.dead(Some("f".into()), 10).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.call_id.as_str()).collect::<Vec<_>>(), ["4", "3", "2"]);
    assert_eq!((dead[0].status, dead[0].attempts, dead[0].reason.len()), (400, 1, 1999));
    assert!(queue.dead(Some("g".into()), 10).await.unwrap().is_empty());
    assert_eq!(
        queue.enqueue(call("f", "4")).await.unwrap(),
        Enqueued::New,
        "a dead letter does not swallow a new call"
    );
}

#[tokio::test]
async fn a_lost_lease_gives_the_call_back_and_fences_the_late_verdict_off() {
    let (_dir, _, queue) = queue().await;
    queue.enqueue(call("f", "id")).await.unwrap();
    let want = vec![Want { function: "f".into(), calls: 1 }];
    let late = queue.claim(want, Duration::ZERO).await.unwrap().remove(0).calls.remove(0);
    assert_eq!(queue.extend(vec![late.id], LEASE).await.unwrap(), Vec::<String>::new(), "it is extended");
    queue.extend(vec![late.id], Duration::ZERO).await.unwrap();
    let released = loop {
        let released = queue.extend(vec![], LEASE).await.unwrap();
        if !released.is_empty() {
            break released;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(released, ["f"]);
    let again = claim(&queue, "f", 1).await.calls.remove(0);
    assert_eq!(again.attempt, 2);
    queue.settle(late.id, late.attempt, Verdict::Done).await.unwrap();
    queue.settle(again.id, again.attempt, Verdict::Released).await.unwrap();
    assert_eq!(claim(&queue, "f", 1).await.calls.remove(0).attempt, 2, "a released attempt does not count");
}

#[tokio::test]
async fn a_call_that_cannot_be_read_is_a_dead_letter_and_does_not_stop_the_others() {
    let (_dir, path, queue) = queue().await;
    for id in ["1", "2", "3"] {
        queue.enqueue(call("f", id)).await.unwrap();
    }
    queue.close().await.unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE contents SET head = x'00ff' WHERE id = 1", []).unwrap();
    connection.execute("DELETE FROM contents WHERE id = 2", []).unwrap();
    drop(connection);
    let queue = Queue::open(&path, LIMITS).await.unwrap();
    let calls = claim(&queue, "f", 10).await.calls;
    assert_eq!(calls.iter().map(|call| call.call_id.as_str()).collect::<Vec<_>>(), ["3"]);
    assert_eq!(queue.dead(None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_of_a_call_stays_behind() {
    let (_dir, path, queue) = queue().await;
    for id in 0..6 {
        queue.enqueue(call("f", &id.to_string())).await.unwrap();
    }
    for call in claim(&queue, "f", 6).await.calls {
        let dead = Verdict::Dead { status: 400, reason: String::new() };
        let verdict = if call.id % 6 == 0 { Verdict::Done } else { dead };
        queue.settle(call.id, call.attempt, verdict).await.unwrap();
    }
    queue.close().await.unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
    assert_eq!((count("calls"), count("contents")), (Ok(3i64), Ok(3i64)), "the three dead letters that are kept");
}

#[tokio::test]
async fn a_full_queue_refuses_and_takes_again_later() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(&dir.path().join("q"), Limits { calls: 1, dead: 1 }).await.unwrap();
    queue.enqueue(call("f", "1")).await.unwrap();
    assert!(matches!(queue.enqueue(call("f", "2")).await, Err(QueueError::Full(1))));
    let got = claim(&queue, "f", 1).await.calls.remove(0);
    queue.settle(got.id, 1, Verdict::Done).await.unwrap();
    queue.enqueue(call("f", "2")).await.unwrap();
}

#[tokio::test]
async fn a_second_gateway_is_refused_by_the_files_name() {
    let (_dir, path, queue) = queue().await;
    let error = Queue::open(&path, LIMITS).await.err().unwrap();
    assert!(matches!(error, QueueError::InUse(_)), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()));
    queue.close().await.unwrap();
    Queue::open(&path, LIMITS).await.unwrap();
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.db");
    std::fs::write(&garbage, "x".repeat(8192)).unwrap();
    let torn = dir.path().join("torn.db");
    let queue = Queue::open(&torn, LIMITS).await.unwrap();
    for id in 0..200 {
        queue.enqueue(call("f", &id.to_string())).await.unwrap();
    }
    queue.close().await.unwrap();
    let mut bytes = std::fs::read(&torn).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0x5a);
    std::fs::write(&torn, bytes).unwrap();
    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for path in [garbage, torn, foreign] {
        let error = Queue::open(&path, LIMITS).await.err().unwrap();
        assert!(matches!(error, QueueError::Damaged { .. }), "{error:?}");
        let sentence = error.to_string();
        assert!(sentence.contains(path.to_str().unwrap()) && sentence.contains("-wal"), "{sentence}");
    }
}

#[tokio::test]
async fn a_file_of_a_later_format_and_a_missing_directory_are_named() {
    let (_dir, path, queue) = queue().await;
    queue.close().await.unwrap();
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    assert!(matches!(Queue::open(&path, LIMITS).await, Err(QueueError::Format { found: 9, .. })));
    let nowhere = path.join("queue.db");
    assert!(matches!(Queue::open(&nowhere, LIMITS).await, Err(QueueError::Open { .. })));
}

/// Past the harness, which keeps back what tests print, and at once.
fn promise(id: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "promised {id}").and_then(|()| out.flush()).unwrap();
}

/// Not a test of its own: the process that [`no_promised_call_is_lost_to_kill_9`] kills. Without its variable it
/// ends at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_enqueues_until_it_is_killed() {
    let env = Env::from_process();
    let (Some(path), Some(round)) = (env.var("QUEUE_KILL_FILE"), env.var("QUEUE_KILL_ROUND")) else { return };
    let queue = Queue::open(&PathBuf::from(path), LIMITS).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32 {
        let (queue, round) = (queue.clone(), round.to_owned());
        tasks.spawn(async move {
            for n in 0.. {
                let id = format!("{round}-{task}-{n}");
                queue.enqueue(call("f", &id)).await.unwrap();
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

#[tokio::test]
async fn no_promised_call_is_lost_to_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut promised = HashSet::new();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "queue::tests::child_that_enqueues_until_it_is_killed", "--nocapture"])
            .env("QUEUE_KILL_FILE", &path)
            .env("QUEUE_KILL_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut count = 0;
        while count < 400 * (round + 1) {
            let line = lines.next().unwrap().unwrap();
            let Some((_, id)) = line.split_once("promised ") else { continue };
            promised.insert(id.to_owned());
            count += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rest = lines.map_while(Result::ok);
        promised.extend(rest.filter_map(|line| Some(line.split_once("promised ")?.1.to_owned())));
    }
    let queue = Queue::open(&path, LIMITS).await.unwrap();
    let calls = claim(&queue, "f", 100_000).await.calls;
    let stored: HashSet<String> = calls.iter().map(|call| call.call_id.clone()).collect();
    assert_eq!(calls.len(), stored.len(), "no call is stored twice");
    let lost: Vec<_> = promised.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} promised calls are lost: {lost:?}", lost.len(), promised.len());
}
