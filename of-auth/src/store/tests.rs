use std::collections::BTreeSet;

use super::*;
use crate::provider::Person;

const RULES: SessionRules = SessionRules { idle: 100, lifetime: 1000, token: 10 };

fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn person(id: u64) -> Person {
    Person { host: "github.com".into(), id, login: "alice".parse().unwrap(), organisations: Vec::new() }
}

async fn begin(store: &Store, sid: &str, now: u64) {
    let session =
        Session { sid: sid.into(), subject: subject(&person(42)), agent: String::new(), created: now, seen: now };
    store.begin(session, person(42), RULES).await.unwrap();
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    let (_folder, store) = open();
    begin(&store, "s1", 100).await;
    begin(&store, "s2", 100).await;
    store.revoke(Which::One { sid: "s2".into(), of: None }, 110, RULES).await.unwrap();
    let login = PendingLogin {
        browser: [1; 32],
        provider: "github".into(),
        pending: "{}".into(),
        host: "h".into(),
        path: "/".into(),
        bind: String::new(),
        created: 100,
    };
    store.keep_login([2; 32], login).await.unwrap();
    let device = Device {
        code: "BCDF-GHJK".into(),
        name: "x".into(),
        scopes: BTreeSet::new(),
        client: String::new(),
        expires: 150,
    };
    assert!(store.keep_device([3; 32], device.clone()).await.unwrap());
    assert!(!store.keep_device([4; 32], device).await.unwrap(), "a user code is given once");
    let rows = async |store: &Store| {
        let tables = ["people", "sessions", "revoked", "logins", "tickets", "devices"];
        let count = move |file: &Transaction<'_>| {
            let one = |table| file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, u64>(0));
            tables.into_iter().map(one).collect::<rusqlite::Result<Vec<u64>>>()
        };
        store.run(count).await.unwrap()
    };
    store.sweep(119, RULES).await.unwrap();
    assert_eq!(rows(&store).await, [1, 1, 1, 1, 0, 1]);
    store.sweep(120, RULES).await.unwrap();
    assert_eq!(rows(&store).await, [1, 1, 0, 1, 0, 1]);
    store.sweep(200, RULES).await.unwrap();
    assert_eq!(rows(&store).await, [0, 0, 0, 1, 0, 0]);
    store.sweep(700, RULES).await.unwrap();
    assert_eq!(rows(&store).await, [0, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn the_number_of_tickets_is_bounded() {
    let (_folder, store) = open();
    let fill = |file: &Transaction<'_>| {
        file.execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
             INSERT INTO tickets SELECT CAST(i AS BLOB), 's', 'h', '/', '', 100 FROM n;",
        )
    };
    store.run(fill).await.unwrap();
    let ticket =
        |sid: &str| Ticket { sid: sid.into(), host: "h".into(), path: "/".into(), bind: String::new(), created: 100 };
    store.keep_ticket([9; 32], ticket("new")).await.unwrap();
    let count = store.run(|file| file.query_row("SELECT count(*) FROM tickets", [], |row| row.get::<_, u64>(0)));
    assert_eq!(count.await.unwrap(), 10_000);
    assert_eq!(store.take_ticket([9; 32], 100).await.unwrap(), Some(ticket("new")), "the oldest went");
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_once_a_minute() {
    let (_folder, store) = open();
    begin(&store, "s1", 100).await;
    let token = ApiToken {
        id: "t-1".into(),
        subject: subject(&person(42)),
        name: "x".into(),
        scopes: BTreeSet::new(),
        created: 100,
        used: None,
        expires: 1000,
    };
    assert!(store.keep_token([1; 32], token).await.unwrap());
    let used = async |now| {
        store.use_token([1; 32], now).await.unwrap();
        store.tokens("github.com/42", now).await.unwrap()[0].used
    };
    assert_eq!(used(200).await, Some(200));
    assert_eq!(used(259).await, Some(200));
    assert_eq!(used(260).await, Some(260));
    assert_eq!(store.use_token([1; 32], 1000).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_piece_of_work_leaves_nothing() {
    let (_folder, store) = open();
    let work = |file: &Transaction<'_>| {
        file.execute("INSERT INTO revoked VALUES ('s', 1000)", [])?;
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    };
    assert!(store.run(work).await.is_err());
    assert!(store.revoked(0).await.unwrap().is_empty());
}

#[test]
fn another_program_s_file_and_a_newer_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE a (b)").unwrap();
    drop(other);
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Damaged { .. })));
    let (folder, store) = open();
    drop(store);
    let newer = Connection::open(folder.path().join("auth.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Format { found: 99, .. })));
}
