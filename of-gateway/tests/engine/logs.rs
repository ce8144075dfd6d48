//! Logs of functions that write what no log should hold, and readers that do not read.

use http::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bench::Bench;
use crate::support::{Running, eventually};

/// Every line of the answer has to be JSON.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn lines(gateway: &Running, query: &str) -> Vec<Value> {
    let path = format!("/system/logs?{query}");
    let text = gateway.system(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text_of(line: &Value) -> &str {
    line["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn whatever_a_function_writes_comes_out_as_lines_of_json() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("odd")).await;
    for hex in ["fffe20c3280a", "00011b5b316d0a", "225c7b7d0a", "e280a80d0a", "0a", "656e640a"] {
        assert_eq!(gateway.get(&format!("/function/odd/print/{hex}")).await.0, 200);
    }
    let all = eventually("the last line", async || {
        let all = lines(&gateway, "name=odd").await;
        (all.last().map(text_of) == Some("end")).then_some(all)
    })
    .await;
    let texts: Vec<_> = all.iter().skip(1).map(text_of).collect();
    assert_eq!(texts, ["\u{fffd}\u{fffd} \u{fffd}(", "\0\u{1}\u{1b}[1m", "\"\\{}", "\u{2028}", "", "end"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_line_of_a_mebibyte_comes_out_whole_in_pieces() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("long")).await;
    assert_eq!(gateway.get("/function/long/long/1048576").await.0, 200);
    gateway.get("/function/long/log/after").await;
    let all = eventually("the line after the long one", async || {
        let all = lines(&gateway, "name=long").await;
        (all.last().map(text_of) == Some("after")).then_some(all)
    })
    .await;
    let pieces: Vec<_> = all[1..all.len() - 1].iter().map(text_of).collect();
    assert!(pieces.len() < 10, "pieces are large: {}", pieces.len());
    assert!(pieces.iter().all(|piece| piece.bytes().all(|byte| byte == b'x')));
    assert_eq!(pieces.iter().map(|piece| piece.len()).sum::<usize>(), 1 << 20);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_written_without_a_line_end_is_not_lost() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("cut")).await;
    gateway.get("/function/cut/print/6c61737420776f726473").await;
    let scale = gateway.scale("cut", 0).await;
    assert_eq!(scale.0, 202, "{}", scale.1);
    let all = eventually("the log of the stopped function", async || {
        let all = lines(&gateway, "name=cut").await;
        (all.last().map(text_of) == Some("last words")).then_some(all)
    })
    .await;
    assert_eq!(text_of(&all[0]), "starting in mode ok");
    gateway.stop().await;
}

/// Bytes of memory that this process, and so the gateway in it, has.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_the_log_back_and_fills_no_memory() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("loud")).await;
    assert_eq!(gateway.scale("loud", 3).await.0, 202);
    for _ in 0..20 {
        let long = || gateway.get("/function/loud/long/1048576");
        let (one, two, three) = tokio::join!(long(), long(), long());
        assert_eq!((one.0, two.0, three.0), (200, 200, 200));
    }
    let request = gateway.system(Method::GET, "/system/logs?name=loud").build().unwrap();
    let auth = request.headers()["authorization"].to_str().unwrap();
    let head = format!("GET /system/logs?name=loud HTTP/1.1\r\nHost: g\r\nAuthorization: {auth}\r\n\r\n");
    let mut slow = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    let before = resident();
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.readable().await.unwrap();
    // By the time another reader has all of it, the slow one would have it in memory.
    let (mut whole, mut other) = (0, gateway.system(Method::GET, "/system/logs?name=loud").send().await.unwrap());
    while let Some(chunk) = other.chunk().await.unwrap() {
        whole += chunk.len();
    }
    assert!(whole > 50 << 20, "{whole} bytes are enough to tell");
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 << 20, "{} MiB more for a log of {} MiB", grown >> 20, whole >> 20);
    let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
    while read < whole {
        let more = slow.read(&mut buffer).await.unwrap();
        assert!(more > 0, "the rest comes when it is asked for: {read} of {whole}");
        read += more;
    }
    gateway.stop().await;
}
