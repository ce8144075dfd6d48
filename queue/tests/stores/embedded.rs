use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use queue::{Limits, Options, Queue, QueueError, Verdict};
use rusqlite::Connection;

use crate::support::disk::SmallDisk;
use crate::support::{Home, claim, claim_one, dead, enqueue, enqueue_body, head, ids, lane, limited, read, settle};

fn file(home: &Home) -> PathBuf {
    home.folder.path().join("queue.db")
}

/// The file of a closed queue with these calls in it.
async fn closed(home: &Home, ids: &[&str]) -> Connection {
    let queue = home.open().await;
    for id in ids {
        enqueue(&queue, "f", id).await;
    }
    queue.close().await.unwrap();
    Connection::open(file(home)).unwrap()
}

#[tokio::test]
async fn a_call_that_cannot_be_read_is_a_dead_letter_and_does_not_stop_the_others() {
    let home = Home::embedded();
    let connection = closed(&home, &["1", "2", "3", "4"]).await;
    connection.execute("UPDATE contents SET head = x'00ff' WHERE id = 1", []).unwrap();
    connection.execute("DELETE FROM contents WHERE id = 2", []).unwrap();
    connection.execute("UPDATE calls SET body_file = '../../etc/passwd' WHERE id = 4", []).unwrap();
    drop(connection);
    let queue = home.open().await;
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["3"]);
    assert_eq!(queue.dead(None, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_letter_that_makes_room_for_one_that_cannot_be_read_goes_with_its_body() {
    let home = Home::embedded();
    let queue = home.open_with(limited(10, 1)).await;
    enqueue_body(&queue, head("f", "1"), &vec![7; 200 << 10]).await.unwrap();
    settle(&queue, &claim_one(&queue, "f").await, dead(400, "")).await;
    enqueue(&queue, "f", "2").await;
    queue.close().await.unwrap();
    assert_eq!(home.bodies().len(), 1);
    Connection::open(file(&home)).unwrap().execute("UPDATE contents SET head = x'00ff' WHERE id = 2", []).unwrap();
    let queue = home.open_with(limited(10, 1)).await;
    assert!(claim(&queue, "f", 10).await.is_empty());
    assert_eq!(queue.dead(None, 10).await.unwrap()[0].call_id, "2");
    assert_eq!(home.bodies().len(), 0);
}

#[tokio::test]
async fn nothing_of_a_call_stays_behind() {
    let home = Home::embedded();
    let queue = home.open_with(limited(100, 3)).await;
    for id in 0..6 {
        enqueue(&queue, "f", &id.to_string()).await;
    }
    for call in claim(&queue, "f", 6).await {
        let verdict = if call.head.call_id == "5" { Verdict::Done } else { dead(400, "") };
        settle(&queue, &call, verdict).await;
    }
    queue.close().await.unwrap();
    let connection = Connection::open(file(&home)).unwrap();
    let count = |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
    assert_eq!((count("calls"), count("contents")), (Ok(3i64), Ok(3i64)), "the three dead letters that are kept");
}

#[tokio::test]
async fn what_ran_when_the_process_ended_waits_again_at_once() {
    let home = Home::embedded();
    let queue = home.open().await;
    enqueue(&queue, "f", "1").await;
    claim_one(&queue, "f").await;
    queue.close().await.unwrap();
    let queue = home.open().await;
    assert_eq!(queue.waiting().await.unwrap(), [lane("f")]);
    assert_eq!(claim(&queue, "f", 1).await[0].ticket.attempt, 2);
}

#[tokio::test]
async fn what_callers_sent_is_for_nobody_else_to_read() {
    let home = Home::embedded();
    let rights = |name: &str| home.folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    let queue = home.open().await;
    enqueue(&queue, "f", "1").await;
    assert_eq!([rights("queue.db"), rights("queue.db-wal"), rights("bodies")], [0o600, 0o600, 0o700]);
    queue.close().await.unwrap();
    for (name, open) in [("queue.db", 0o644), ("bodies", 0o755)] {
        std::fs::set_permissions(home.folder.path().join(name), Permissions::from_mode(open)).unwrap();
    }
    let _queue = home.open().await;
    assert_eq!([rights("queue.db"), rights("bodies")], [0o600, 0o700], "those of an earlier release");
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_refused_by_its_name() {
    async fn refusal(home: &Home) -> String {
        let error = home.try_open(Options::default()).await.err().unwrap();
        assert!(matches!(error, QueueError::Damaged { .. }), "{error:?}");
        error.to_string()
    }
    let (garbage, torn, foreign) = (Home::embedded(), Home::embedded(), Home::embedded());
    std::fs::write(file(&garbage), "x".repeat(8192)).unwrap();
    let many: Vec<String> = (0..200).map(|id| id.to_string()).collect();
    drop(closed(&torn, &many.iter().map(String::as_str).collect::<Vec<_>>()).await);
    let mut bytes = std::fs::read(file(&torn)).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(file(&torn), bytes).unwrap();
    Connection::open(file(&foreign)).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for home in [garbage, torn, foreign] {
        let sentence = refusal(&home).await;
        assert!(sentence.contains(file(&home).to_str().unwrap()) && sentence.contains("-wal"), "{sentence}");
    }
}

#[tokio::test]
async fn a_file_of_a_later_format_and_a_missing_directory_are_named() {
    let home = Home::embedded();
    closed(&home, &[]).await.pragma_update(None, "user_version", 9).unwrap();
    assert!(matches!(home.try_open(Options::default()).await, Err(QueueError::Format { found: 9, .. })));
    let nowhere = queue::embedded(&home.folder.path().join("no/where"), Options::default()).await;
    assert!(matches!(nowhere, Err(QueueError::Open { .. })));
}

/// What the first release wrote: one waiting call, one that ran, one that waits for its next attempt, one dead.
fn write_format_1(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA application_id = 0x4f465155;
             PRAGMA user_version = 1;
             CREATE TABLE calls (id INTEGER PRIMARY KEY, function TEXT NOT NULL, call_id TEXT NOT NULL,
                 fingerprint BLOB NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,
                 available_at INTEGER NOT NULL, lease_until INTEGER NOT NULL, enqueued_at INTEGER NOT NULL,
                 died_at INTEGER, status INTEGER, reason TEXT) STRICT;
             CREATE TABLE contents (id INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL) STRICT;
             CREATE UNIQUE INDEX calls_once ON calls(function, fingerprint) WHERE state < 2;
             CREATE INDEX calls_due ON calls(function, available_at, id) WHERE state = 0;
             CREATE INDEX calls_leased ON calls(lease_until) WHERE state = 1;
             CREATE INDEX calls_dead ON calls(id) WHERE state = 2;
             INSERT INTO calls VALUES
                 (3, 'hello', 'waits', x'01', 0, 0, 1000, 0, 1000, NULL, NULL, NULL),
                 (5, 'hello', 'ran', x'02', 1, 2, 1000, 9000, 1000, NULL, 503, 'busy'),
                 (6, 'hello', 'later', x'03', 0, 1, 99999999999999, 0, 1000, NULL, 503, 'busy'),
                 (8, 'other', 'dead', x'04', 2, 7, 1000, 0, 1000, 2000, 500, 'gave up');",
        )
        .unwrap();
    for id in [3, 5, 6, 8] {
        let head = b"POST /p?q=1\r\nx-a:1";
        let insert = "INSERT INTO contents VALUES (?1, ?2, ?3)";
        connection.execute(insert, rusqlite::params![id, head, vec![7u8; 300_000]]).unwrap();
    }
}

#[tokio::test]
async fn the_calls_of_a_file_of_the_first_format_keep_waiting_in_their_namespace() {
    let home = Home::embedded();
    write_format_1(&file(&home));
    let options = Options { former_namespace: "old".to_owned(), ..Options::default() };
    let queue = home.open_with(options.clone()).await;
    assert_eq!(queue.waiting().await.unwrap(), [lane("hello.old")]);
    let calls = claim(&queue, "hello.old", 10).await;
    assert_eq!(ids(&calls), ["ran", "waits"]);
    for call in &calls {
        let attempt = if call.head.call_id == "ran" { 3 } else { 1 };
        assert_eq!((call.ticket.attempt, call.head.path.as_str()), (attempt, "/p?q=1"));
        assert_eq!(read(&call.body).await, vec![7u8; 300_000]);
        settle(&queue, call, Verdict::Done).await;
    }
    let letter = queue.dead(Some("other.old"), 10).await.unwrap().remove(0);
    assert_eq!((letter.attempts, letter.status, letter.reason.as_str()), (7, 500, "gave up"));
    assert_eq!((letter.body_bytes, letter.died_at.as_str()), (300_000, "1970-01-01T00:00:02.000Z"));
    queue.close().await.unwrap();
    let queue = home.open_with(options).await;
    assert_eq!(queue.waiting().await.unwrap(), [lane("hello.old")], "the one that waits for its next attempt");
}

async fn on(disk: &SmallDisk) -> Queue {
    let limits = Limits { inline_body: 128 << 10, ..Options::default().limits };
    queue::embedded(disk.path(), Options { limits, ..Options::default() }).await.unwrap()
}

#[tokio::test]
async fn a_full_disk_refuses_calls_and_loses_none() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: only root may mount the small disk that this needs");
        return;
    };
    let queue = on(&disk).await;
    enqueue(&queue, "f", "before").await;
    let running = claim_one(&queue, "f").await;
    disk.fill();
    let mut refused = 0;
    for size in [1000, 100_000, 1_000_000] {
        // The log may have room for a little more.
        for n in 0..200 {
            let sent = enqueue_body(&queue, head("f", &format!("{size}-{n}")), &vec![0; size]).await;
            match sent {
                Ok(_) => settle(&queue, &claim_one(&queue, "f").await, Verdict::Done).await,
                Err(QueueError::DiskFull(path)) => {
                    assert!(path.starts_with(disk.path()));
                    refused += 1;
                    break;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(refused >= 2, "{refused}");
    disk.free();
    enqueue_body(&queue, head("f", "after"), &vec![0; 1_000_000]).await.unwrap();
    settle(&queue, &running, Verdict::Retry { at: 0, status: 500, reason: String::new() }).await;
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["after", "before"]);
}

#[tokio::test]
async fn a_disk_that_calls_have_filled_lets_them_run_and_takes_others_then() {
    for size in [50_000, 1_000_000] {
        let Some(disk) = SmallDisk::mount() else {
            eprintln!("skipped: only root may mount the small disk that this needs");
            return;
        };
        let queue = on(&disk).await;
        for round in 0..2 {
            let mut promised = 0;
            let refused = loop {
                match enqueue_body(&queue, head("f", &format!("{round}-{promised}")), &vec![0; size]).await {
                    Ok(_) => promised += 1,
                    Err(refused) => break refused,
                }
            };
            assert!(matches!(refused, QueueError::DiskFull(_)), "{refused:?}");
            assert!(promised * size > 1 << 20, "round {round}: {promised} of {size}");
            for call in claim(&queue, "f", promised).await {
                settle(&queue, &call, Verdict::Done).await;
                promised -= 1;
            }
            assert_eq!(promised, 0, "round {round}: all of them run");
        }
    }
}
