//! What objects do, whatever keeps them. Each case has a folder of its own, so they share a store.
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{AnyStore, Expected, Key, Listed, Piece, Store as _, StoreError, Swap, Version};

/// Enough for every object of these cases.
const MAX: usize = 1024 * 1024;
/// Writers that race.
const WRITERS: usize = 8;
/// What each of them adds.
const ROUNDS: usize = 5;

/// Runs every case; `open` makes the store anew, as another process would.
pub(crate) async fn run(open: impl Fn() -> AnyStore) {
    let store = open();
    nothing_is_there_at_first(&store).await;
    objects_are_read_as_they_were_written(&store, &open()).await;
    deletion_is_safe_to_repeat(&store).await;
    a_read_is_bounded(&store).await;
    a_range_is_read_alone(&store).await;
    lists_are_in_order_and_of_their_folder(&store).await;
    a_list_is_bounded(&store).await;
    one_version_is_swapped_once(&store).await;
    a_swap_wants_just_what_is_expected(&store).await;
}

/// Runs the cases in which writers race.
pub(crate) async fn race(open: impl Fn() -> AnyStore) {
    of_many_who_make_an_object_one_does(&open).await;
    no_addition_of_a_race_is_lost(&open).await;
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn text(store: &AnyStore, of: &str) -> Option<String> {
    let object = store.get(&key(of), MAX).await.unwrap()?;
    Some(String::from_utf8(object.bytes.to_vec()).unwrap())
}

async fn version(store: &AnyStore, of: &str) -> Version {
    store.get(&key(of), MAX).await.unwrap().unwrap().version
}

async fn swap(store: &AnyStore, of: &str, bytes: &'static str, expected: Expected) -> Swap {
    store.put_if(&key(of), bytes.into(), expected).await.unwrap()
}

async fn nothing_is_there_at_first(store: &AnyStore) {
    assert_eq!(store.get(&key("first/object"), MAX).await.unwrap(), None);
    assert_eq!(store.list(&key("first"), 10).await.unwrap(), []);
    store.delete(&key("first/object")).await.unwrap();
}

async fn objects_are_read_as_they_were_written(store: &AnyStore, other: &AnyStore) {
    let long: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for bytes in [Bytes::new(), Bytes::from_static(b"text\0\xff"), long.into()] {
        store.put(&key("write/deep/er/object"), bytes.clone()).await.unwrap();
        for store in [store, other] {
            assert_eq!(store.get(&key("write/deep/er/object"), MAX).await.unwrap().unwrap().bytes, bytes);
        }
    }
}

async fn deletion_is_safe_to_repeat(store: &AnyStore) {
    store.put(&key("delete/a"), "x".into()).await.unwrap();
    store.put(&key("delete/ab"), "y".into()).await.unwrap();
    for _ in 0..2 {
        store.delete(&key("delete/a")).await.unwrap();
        assert_eq!(text(store, "delete/a").await, None);
    }
    assert_eq!(text(store, "delete/ab").await.unwrap(), "y");
}

async fn a_read_is_bounded(store: &AnyStore) {
    store.put(&key("bound/object"), vec![7; 100_000].into()).await.unwrap();
    assert_eq!(store.get(&key("bound/object"), 100_000).await.unwrap().unwrap().bytes.len(), 100_000);
    let error = store.get(&key("bound/object"), 99_999).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLong { max: 99_999, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the object bound/object has more than 99999 bytes");
}

async fn a_range_is_read_alone(store: &AnyStore) {
    assert_eq!(store.get_range(&key("range/none"), 0, 9).await.unwrap(), None);
    assert_eq!(store.get_range(&key("range/none"), 5, 0).await.unwrap(), None);
    store.put(&key("range/object"), "0123456789".into()).await.unwrap();
    for (from, max, bytes) in [
        (0, 4, "0123"),
        (4, 3, "456"),
        (8, 100, "89"),
        (9, 1, "9"),
        (0, MAX, "0123456789"),
        (3, 0, ""),
        (10, 5, ""),
        (u64::MAX, 5, ""),
    ] {
        let piece = store.get_range(&key("range/object"), from, max).await.unwrap().unwrap();
        assert_eq!((piece.bytes.as_ref(), piece.whole), (bytes.as_bytes(), 10), "{max} from {from}");
    }
    store.put(&key("range/empty"), Bytes::new()).await.unwrap();
    assert_eq!(
        store.get_range(&key("range/empty"), 0, 5).await.unwrap().unwrap(),
        Piece { bytes: Bytes::new(), whole: 0 }
    );
}

async fn lists_are_in_order_and_of_their_folder(store: &AnyStore) {
    for (name, bytes) in
        [("list/b", "22"), ("list/a/z", "1"), ("list/a/y/x", ""), ("list2/a", "4"), ("list/b-0", "333")]
    {
        store.put(&key(name), bytes.into()).await.unwrap();
    }
    let listed = |name: &str, bytes| Listed { key: key(name), bytes };
    let all = [listed("list/a/y/x", 0), listed("list/a/z", 1), listed("list/b", 2), listed("list/b-0", 3)];
    assert_eq!(store.list(&key("list"), 10).await.unwrap(), all);
    assert_eq!(store.list(&key("list/a"), 10).await.unwrap(), all[..2]);
    assert_eq!(store.list(&key("lis"), 10).await.unwrap(), []);
}

async fn a_list_is_bounded(store: &AnyStore) {
    for number in 0..5 {
        store.put(&key(&format!("many/{number}")), "x".into()).await.unwrap();
    }
    assert_eq!(store.list(&key("many"), 5).await.unwrap().len(), 5);
    let error = store.list(&key("many"), 4).await.unwrap_err();
    assert!(matches!(error, StoreError::TooMany { max: 4, .. }), "{error:?}");
    assert_eq!(error.to_string(), "there are more than 4 objects in many");
}

async fn one_version_is_swapped_once(store: &AnyStore) {
    let Swap::Done(first) = swap(store, "swap/object", "first", Expected::Absent).await else { panic!("a conflict") };
    assert_eq!(version(store, "swap/object").await, first, "what a swap tells is what a read tells");
    let expected = || Expected::Version(first.clone());
    let Swap::Done(second) = swap(store, "swap/object", "second", expected()).await else { panic!("a conflict") };
    assert_ne!(first, second);
    assert_eq!(swap(store, "swap/object", "third", expected()).await, Swap::Conflict);
    assert_eq!(swap(store, "swap/object", "third", Expected::Absent).await, Swap::Conflict);
    assert_eq!(text(store, "swap/object").await.unwrap(), "second");
}

async fn a_swap_wants_just_what_is_expected(store: &AnyStore) {
    store.put(&key("expect/there"), "a".into()).await.unwrap();
    let there = version(store, "expect/there").await;
    assert_eq!(swap(store, "expect/not", "x", Expected::Version(there.clone())).await, Swap::Conflict);
    assert_eq!(text(store, "expect/not").await, None);
    // What was put without a condition counts as well.
    store.put(&key("expect/there"), "b".into()).await.unwrap();
    assert_eq!(swap(store, "expect/there", "x", Expected::Version(there)).await, Swap::Conflict);
    store.delete(&key("expect/there")).await.unwrap();
    assert!(matches!(swap(store, "expect/there", "c", Expected::Absent).await, Swap::Done(_)));
    assert_eq!(text(store, "expect/there").await.unwrap(), "c");
}

async fn of_many_who_make_an_object_one_does(open: &impl Fn() -> AnyStore) {
    let start = Arc::new(tokio::sync::Barrier::new(WRITERS));
    let mut racers = JoinSet::new();
    for number in 0..WRITERS {
        let (store, start) = (open(), Arc::clone(&start));
        racers.spawn(async move {
            start.wait().await;
            (number, store.put_if(&key("race/made"), number.to_string().into(), Expected::Absent).await.unwrap())
        });
    }
    let winners: Vec<_> = racers.join_all().await.into_iter().filter(|(_, swap)| *swap != Swap::Conflict).collect();
    let [(winner, _)] = winners[..] else { panic!("of many who make an object, these did: {winners:?}") };
    assert_eq!(text(&open(), "race/made").await.unwrap(), winner.to_string());
}

async fn no_addition_of_a_race_is_lost(open: &impl Fn() -> AnyStore) {
    let mut racers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = open();
        racers.spawn(async move {
            for _ in 0..ROUNDS {
                add_one(&store, &key("race/sum")).await;
            }
        });
    }
    racers.join_all().await;
    assert_eq!(text(&open(), "race/sum").await.unwrap(), (WRITERS * ROUNDS).to_string());
}

async fn add_one(store: &AnyStore, sum: &Key) {
    loop {
        let (before, expected) = match store.get(sum, MAX).await.unwrap() {
            None => (0, Expected::Absent),
            Some(object) => {
                (str::from_utf8(&object.bytes).unwrap().parse().unwrap(), Expected::Version(object.version))
            }
        };
        let after: usize = before + 1;
        if store.put_if(sum, after.to_string().into(), expected).await.unwrap() != Swap::Conflict {
            return;
        }
    }
}
