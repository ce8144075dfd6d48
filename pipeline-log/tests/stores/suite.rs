//! What a log does, whatever keeps it. Each case has a function of its own, so they share a store.

use sdk::pipeline_log::{LogKey, LogPart, LogRequest};

use crate::client::Client;

pub(crate) const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) fn part(function: &str, part: u32, text: &str, last: bool) -> LogPart {
    LogPart { key: key(function), part, text: text.to_owned(), last }
}

pub(crate) fn request(function: &str, tail_bytes: Option<u64>) -> LogRequest {
    LogRequest { key: key(function), tail_bytes, from: None, max_bytes: None }
}

pub(crate) fn key(function: &str) -> LogKey {
    LogKey {
        owner: "alice".parse().unwrap(),
        repo: "Shop.js".parse().unwrap(),
        sha: SHA.parse().unwrap(),
        function: function.parse().unwrap(),
    }
}

/// Runs every case; `open` makes the function with more variables.
pub(crate) async fn run(open: impl AsyncFn(&[(&str, &str)]) -> Client) {
    let client = open(&[]).await;
    an_unknown_log_is_404(&client).await;
    parts_are_read_while_they_come_and_after(&client).await;
    a_tail_begins_with_a_line(&client).await;
    a_range_is_read_alone_while_parts_come_and_after(&client).await;
    a_long_log_is_read_at_any_place(&client).await;
    every_message_may_come_twice(&client).await;
    a_new_try_replaces_the_old_one(&client).await;
    a_gap_is_said(&client).await;
    builds_do_not_mix(&client).await;
    too_many_parts_are_refused(&client).await;
    parts_are_joined_in_the_order_of_their_numbers(&client).await;
    a_log_too_long_is_cut(&open(&[("max_log_bytes", "1024")]).await).await;
    a_log_outlives_the_process(&client, &open(&[]).await).await;
}

pub(crate) async fn keep(client: &Client, message: LogPart) {
    let (status, text) = client.keep(&message).await;
    assert_eq!(status, 200, "part {} of {}: {text}", message.part, message.key.function);
}

async fn log(client: &Client, function: &str) -> String {
    let (status, text) = client.read(&request(function, None)).await;
    assert_eq!(status, 200, "{function}: {text}");
    text
}

async fn an_unknown_log_is_404(client: &Client) {
    let (status, text) = client.read(&request("unknown", None)).await;
    assert_eq!(status, 404);
    assert_eq!(text, format!("there is no log of alice/Shop.js/{SHA}/unknown\n"));
}

async fn parts_are_read_while_they_come_and_after(client: &Client) {
    keep(client, part("steps", 0, "one\n", false)).await;
    assert_eq!(log(client, "steps").await, "one\n");
    keep(client, part("steps", 1, "two\n", false)).await;
    assert_eq!(log(client, "steps").await, "one\ntwo\n");
    keep(client, part("steps", 2, "three ✓\n", true)).await;
    assert_eq!(log(client, "steps").await, "one\ntwo\nthree ✓\n");
}

async fn a_tail_begins_with_a_line(client: &Client) {
    keep(client, part("tail", 0, "one\ntwo\nthree\n", true)).await;
    let (status, text) = client.read(&request("tail", Some(8))).await;
    assert_eq!((status, text.as_str()), (200, "three\n"));
    // A last line that is longer is cut, but not inside a character.
    keep(client, part("tail-line", 0, &format!("one\n{}\n", "✓".repeat(100)), true)).await;
    assert_eq!(client.read(&request("tail-line", Some(6))).await.1, "✓\n");
}

async fn a_range_is_read_alone_while_parts_come_and_after(client: &Client) {
    let range = |from, max_bytes, tail_bytes| LogRequest { from, max_bytes, ..request("range", tail_bytes) };
    for (number, text, state, length) in [(0, "0123\n", "open", 5), (1, "5678\n", "open", 10), (2, "", "whole", 10)] {
        keep(client, part("range", number, text, number == 2)).await;
        let read = async |request: LogRequest| {
            let (text, said, whole, start) = client.range(&request).await;
            assert_eq!((said.as_str(), whole), (state, length), "{request:?}");
            (text, start)
        };
        let whole = &"0123\n5678\n"[..length as usize];
        assert_eq!(read(range(None, None, None)).await, (whole.to_owned(), 0));
        assert_eq!(read(range(Some(2), None, None)).await, (whole[2..].to_owned(), 2));
        assert_eq!(read(range(Some(2), Some(3), None)).await, (whole[2..5].to_owned(), 2));
        assert_eq!(read(range(None, Some(0), None)).await, (String::new(), 0));
        assert_eq!(read(range(Some(u64::MAX), Some(u64::MAX), None)).await, (String::new(), length));
        assert_eq!(read(range(None, None, Some(5))).await, (whole[length as usize - 5..].to_owned(), length - 5));
        assert_eq!(read(range(None, Some(2), Some(5))).await.0, whole[length as usize - 5..length as usize - 3]);
        assert_eq!(read(range(None, None, Some(u64::MAX))).await, (whole.to_owned(), 0));
        assert_eq!(read(range(None, None, Some(0))).await, (String::new(), length));
    }
    let both = range(Some(1), None, Some(1));
    let sentence = "ask for a log from a byte on or for its end, not for both\n";
    assert_eq!(client.read(&both).await, (400, sentence.to_owned()));
}

async fn a_long_log_is_read_at_any_place(client: &Client) {
    let mut whole = String::new();
    for number in 0..4_u32 {
        let text: String = (0..12_000).map(|line| format!("part {number} line {line}\n")).collect();
        keep(client, part("long-range", number, &text, number == 3)).await;
        whole.push_str(&text);
    }
    let length = whole.len() as u64;
    assert!(length > 3 * 256 * 1024, "it has several members");
    for (from, max) in [(0, 10), (262_140, 10), (length - 300_000, 299_000), (length - 1, 5), (0, length)] {
        let ask = LogRequest { from: Some(from), max_bytes: Some(max), ..request("long-range", None) };
        let (text, state, said, start) = client.range(&ask).await;
        assert_eq!((state.as_str(), said, start), ("whole", length, from));
        assert!(text == whole[from as usize..(from + max).min(length) as usize], "{max} from {from}");
    }
}

async fn every_message_may_come_twice(client: &Client) {
    for _ in 0..2 {
        keep(client, part("twice", 0, "a\n", false)).await;
    }
    for _ in 0..2 {
        keep(client, part("twice", 1, "b\n", false)).await;
    }
    for _ in 0..2 {
        keep(client, part("twice", 2, "c\n", true)).await;
        assert_eq!(log(client, "twice").await, "a\nb\nc\n");
    }
    keep(client, part("twice", 1, "b\n", false)).await;
    assert_eq!(log(client, "twice").await, "a\nb\nc\n");
    for _ in 0..2 {
        keep(client, part("once", 0, "all\n", true)).await;
        assert_eq!(log(client, "once").await, "all\n");
    }
}

async fn a_new_try_replaces_the_old_one(client: &Client) {
    for number in 0..3 {
        keep(client, part("again", number, "broken off\n", false)).await;
    }
    keep(client, part("again", 0, "second\n", false)).await;
    assert_eq!(log(client, "again").await, "second\n");
    keep(client, part("again", 1, "done\n", true)).await;
    keep(client, part("again", 0, "third\n", false)).await;
    assert_eq!(log(client, "again").await, "third\n");
    keep(client, part("again", 1, "done\n", true)).await;
    assert_eq!(log(client, "again").await, "third\ndone\n");
}

async fn a_gap_is_said(client: &Client) {
    keep(client, part("gap", 0, "a\n", false)).await;
    keep(client, part("gap", 2, "c\n", true)).await;
    assert_eq!(log(client, "gap").await, "a\n(a part of this log did not arrive)\nc\n");
}

async fn builds_do_not_mix(client: &Client) {
    keep(client, part("mix", 0, "mine\n", true)).await;
    keep(client, part("mix-2", 0, "yours\n", true)).await;
    let mut other = part("mix", 0, "other commit\n", true);
    other.key.sha = "f".repeat(40).parse().unwrap();
    keep(client, other).await;
    assert_eq!(log(client, "mix").await, "mine\n");
}

async fn too_many_parts_are_refused(client: &Client) {
    let (status, text) = client.keep(&part("many", 10_000, "x\n", false)).await;
    assert_eq!((status, text.as_str()), (400, "a log has at most 10000 parts, and this is number 10000\n"));
}

async fn parts_are_joined_in_the_order_of_their_numbers(client: &Client) {
    for number in 0..12 {
        keep(client, part("order", number, &format!("{number}\n"), number == 11)).await;
    }
    let expected: String = (0..12).map(|number| format!("{number}\n")).collect();
    assert_eq!(log(client, "order").await, expected);
}

async fn a_log_too_long_is_cut(client: &Client) {
    let line = "0123456789\n".repeat(60);
    for number in 0..4 {
        keep(client, part("long", number, &line, number == 3)).await;
    }
    let text = log(client, "long").await;
    let (kept, rest) = text.split_at(1024);
    assert!(kept.starts_with("0123456789\n"));
    assert_eq!(rest, "\n… this log is cut here: a build keeps 1024 bytes …\n");
}

async fn a_log_outlives_the_process(before: &Client, after: &Client) {
    keep(before, part("outlives", 0, "a\n", false)).await;
    keep(after, part("outlives", 1, "b\n", true)).await;
    assert_eq!(log(after, "outlives").await, "a\nb\n");
}
