//! Every line of `corpus/hostile.txt` over a connection to a router before functions that keep account of what they see.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use support::auth::Auth;
use support::{Gateway, Router, config, status_of};

const CORPUS: &str = include_str!("corpus/hostile.txt");
/// The least number of lines that deserves the name of a corpus.
const ENOUGH: usize = 300;

struct Line {
    host: Vec<u8>,
    target: Vec<u8>,
    expected: Option<String>,
}

fn lines() -> Vec<Line> {
    let lines = CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parse = |line: &str| {
        let mut parts = line.split('\t');
        let (host, target) = (bytes(parts.next().unwrap()), bytes(parts.next().unwrap()));
        Line { host, target, expected: parts.next().map(str::to_owned) }
    };
    lines.map(parse).collect()
}

/// Resolves `\xNN` and `<text*N>`.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|rest| rest.split_at_checked(2));
        if let Some((hex, after)) = hex {
            out.push(u8::from_str_radix(hex, 16).unwrap());
            rest = after;
        } else if let Some((repeated, after)) = repeated(rest) {
            out.extend(repeated);
            rest = after;
        } else {
            out.extend(first.to_string().bytes());
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn repeated(text: &str) -> Option<(Vec<u8>, &str)> {
    let (inside, after) = text.strip_prefix('<')?.split_once('>')?;
    let (what, count) = inside.rsplit_once('*')?;
    Some((what.repeat(count.parse().ok()?).into_bytes(), after))
}

#[tokio::test]
async fn router_and_function_see_the_same_route_or_none() {
    let (gateway, auth) = (Gateway::start().await, Auth::start().await);
    for (name, owner) in [("alice-greet", "alice"), ("bob-secret", "bob"), ("a-b-c", "a-b")] {
        gateway.deploy(name, owner);
    }
    let router = Router::start(auth.behind(config(gateway.address))).await;
    let lines = lines();
    assert!(lines.len() >= ENOUGH, "{} lines", lines.len());
    let mut wrong = Vec::new();
    let mut served = 0;
    for line in lines {
        let request =
            [b"GET ", &line.target[..], b" HTTP/1.1\r\nHost: ", &line.host, b"\r\nConnection: close\r\n\r\n"].concat();
        let before = gateway.reached().len();
        let status = status_of(&router.raw(&request).await);
        let seen: Vec<String> = gateway.reached()[before..].iter().map(|reached| reached.target.clone()).collect();
        let fine = match &line.expected {
            Some(expected) => status == 200 && seen == [expected.clone()],
            None => (400..500).contains(&status) && seen.is_empty(),
        };
        served += usize::from(line.expected.is_some());
        if !fine {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
            wrong.push(format!("{:?} {:?}: {status} {seen:?}", shown(&line.host), shown(&line.target)));
        }
    }
    assert!(wrong.is_empty(), "{} lines are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(served > 20, "what is harmless is served");
    assert_eq!((auth.pages().len(), auth.questions()), (0, 0), "nothing hostile reaches of-auth");
}
