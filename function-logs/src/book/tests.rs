//! A book in a directory.

use object_store::Directory;
use sdk::gateway::FunctionStatus;
use sdk::labels;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn book(root: &std::path::Path) -> Book {
    let labels = [(labels::GIT_CLOUD, "1"), (labels::GIT_SCM, "git.localhost"), (labels::GIT_OWNER_ID, "7")];
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let function = FunctionStatus { name: "alice-a".to_owned(), labels, ..FunctionStatus::default() };
    Book::new(Source::of(&function).unwrap(), AnyStore::Directory(Directory::new(root))).unwrap()
}

fn record(at: u64, text: &str) -> Record {
    Record { at, instance: "abc".to_owned(), text: text.to_owned() }
}

async fn take(book: &Book, records: &[Record]) {
    let (mut before, _) = book.begin().await;
    book.take(records.to_vec(), &mut before).await;
}

/// All lines that a view has.
async fn lines(book: &Book) -> Vec<Record> {
    let view = book.view().await.unwrap();
    let mut all = view.waiting;
    all.extend(unpacked(view.open, |_| true).await.unwrap());
    for piece in &view.closed {
        all.extend(unpacked(book.get(piece).await.unwrap(), |_| true).await.unwrap());
    }
    all.sort();
    all
}

fn files(root: &std::path::Path) -> Vec<String> {
    let folder = root.join("function_logs/git.localhost/7/alice-a");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Text that does not get much shorter when it is packed.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test]
async fn each_line_is_in_a_view_once_whether_it_is_kept_or_not() {
    let root = tempfile::tempdir().unwrap();
    let book = book(root.path());
    book.load().await.unwrap();
    take(&book, &[record(1, "one")]).await;
    assert_eq!(lines(&book).await, [record(1, "one")]);
    assert!(book.keep().await.unwrap());
    assert_eq!(files(root.path()), ["0000000000-open.ndjson.gz"]);
    take(&book, &[record(1, "one"), record(2, "two")]).await;
    assert_eq!(lines(&book).await, [record(1, "one"), record(2, "two")]);
    assert!(!book.keep().await.unwrap(), "nothing was begun");
    assert!(!book.keep().await.unwrap());
    assert_eq!(lines(&book).await, [record(1, "one"), record(2, "two")]);
}

#[tokio::test]
async fn what_comes_goes_to_readers_once() {
    let root = tempfile::tempdir().unwrap();
    let book = book(root.path());
    take(&book, &[record(1, "before")]).await;
    let mut view = book.view().await.unwrap();
    assert!(book.has_readers());
    take(&book, &[record(1, "before"), record(2, "after")]).await;
    assert_eq!(view.waiting, [record(1, "before")]);
    assert_eq!(view.live.recv().await.unwrap(), record(2, "after"));
    assert!(view.live.try_recv().is_err());
}

#[tokio::test]
async fn a_full_object_gets_its_last_name_and_the_next_one_is_begun() {
    let root = tempfile::tempdir().unwrap();
    let book = book(root.path());
    for number in 1..=3 {
        take(&book, &[record(number, &noise(FULL_PACKED + 100_000)), record(number + 10, "x")]).await;
        assert!(book.keep().await.unwrap());
    }
    take(&book, &[record(20, "last")]).await;
    book.keep().await.unwrap();
    let names = files(root.path());
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[1], format!("0000000001-{:020}-{:020}.ndjson.gz", 2, 12));
    assert_eq!(names[3], "0000000003-open.ndjson.gz");
    assert_eq!(lines(&book).await.len(), 7);
}

#[tokio::test]
async fn another_process_goes_on_where_the_first_one_ended() {
    let root = tempfile::tempdir().unwrap();
    let first = book(root.path());
    take(&first, &[record(1000 * SECOND, "one"), record(1001 * SECOND, "two")]).await;
    first.keep().await.unwrap();
    take(&first, &[record(1002 * SECOND, "not kept")]).await;
    drop(first);
    let second = book(root.path());
    second.load().await.unwrap();
    let (_, since) = second.begin().await;
    assert_eq!(since, 1001 * SECOND - LOOK_BACK);
    let all = [(1000, "one"), (1001, "two"), (1002, "not kept")].map(|(at, text)| record(at * SECOND, text));
    take(&second, &all).await;
    assert_eq!(lines(&second).await, all);
    second.keep().await.unwrap();
    assert_eq!(lines(&second).await, all);
    assert_eq!(files(root.path()), ["0000000000-open.ndjson.gz"]);
}

#[tokio::test]
async fn a_process_that_ended_while_it_gave_the_last_name_doubles_nothing() {
    let root = tempfile::tempdir().unwrap();
    let first = book(root.path());
    take(&first, &[record(5, "one")]).await;
    first.keep().await.unwrap();
    let folder = root.path().join("function_logs/git.localhost/7/alice-a");
    let closed = Piece { number: 0, span: Some((5, 5)) }.key(&first.folder).unwrap();
    std::fs::copy(folder.join("0000000000-open.ndjson.gz"), root.path().join(closed.as_str())).unwrap();
    let second = book(root.path());
    second.load().await.unwrap();
    assert_eq!(lines(&second).await, [record(5, "one")]);
    take(&second, &[record(6, "two")]).await;
    second.keep().await.unwrap();
    assert_eq!(lines(&second).await, [record(5, "one"), record(6, "two")]);
    assert!(files(root.path()).contains(&"0000000001-open.ndjson.gz".to_owned()));
}

#[tokio::test]
async fn a_store_that_fails_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("in the way");
    std::fs::write(&place, "a file").unwrap();
    let book = book(&place);
    take(&book, &[record(1, "one")]).await;
    assert!(matches!(book.keep().await, Err(BookError::Store(_))));
    std::fs::remove_file(&place).unwrap();
    assert!(book.keep().await.unwrap());
    assert_eq!(lines(&book).await, [record(1, "one")]);
}

#[tokio::test]
async fn an_object_that_was_forgotten_is_begun_anew() {
    let root = tempfile::tempdir().unwrap();
    let book = book(root.path());
    take(&book, &[record(1, "one")]).await;
    book.keep().await.unwrap();
    book.forget(Piece { number: 0, span: None }).await.unwrap();
    take(&book, &[record(2, "two")]).await;
    book.keep().await.unwrap();
    assert_eq!(lines(&book).await, [record(2, "two")]);
}
