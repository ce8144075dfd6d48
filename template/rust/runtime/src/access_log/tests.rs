use std::sync::mpsc;

use super::*;

/// Sends each write to the test.
struct Out(mpsc::Sender<Vec<u8>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets one write through for each permit sent.
struct Gated(mpsc::Receiver<()>, Out);

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn entry(path: &str) -> Entry<'_> {
    Entry {
        method: "GET",
        path,
        status: 200,
        elapsed: Duration::from_micros(1_234_567),
        call_id: None,
        failure: None,
    }
}

fn text(received: &mpsc::Receiver<Vec<u8>>) -> String {
    String::from_utf8(received.iter().flatten().collect()).unwrap_or_default()
}

#[test]
fn a_line_says_what_was_asked_and_answered() {
    let (sender, received) = mpsc::channel();
    let log = AccessLog::start(Out(sender)).unwrap();
    log.write(&Entry {
        call_id: Some("abc"),
        failure: Some("timeout"),
        ..entry("/a")
    });
    drop(log);
    let line = text(&received);
    let (timestamp, rest) = line.split_once(r#"","level""#).unwrap();
    assert!(
        timestamp.starts_with(r#"{"timestamp":"20"#) && timestamp.ends_with('Z'),
        "{timestamp}"
    );
    assert_eq!(
        rest,
        concat!(
            r#":"INFO","message":"request","method":"GET","uri":"/a","status":200,"duration_seconds":1.234567,"#,
            r#""call_id":"abc","failure":"timeout"}"#,
            "\n"
        )
    );
}

#[test]
fn what_a_client_sends_cannot_break_out_of_its_field() {
    let mut line = String::new();
    push_escaped(&mut line, "/a\"b\\c\n\u{1}é");
    assert_eq!(line, r#"/a\"b\\c\u000a\u0001é"#);
    line.clear();
    push_escaped(&mut line, &"x".repeat(5000));
    assert_eq!(line.len(), MAX_FIELD);
}

#[test]
fn a_line_is_written_while_the_log_stays_open() {
    let (sender, received) = mpsc::channel();
    let log = AccessLog::start(Out(sender)).unwrap();
    log.write(&entry("/soon"));
    let written = received.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(String::from_utf8(written).unwrap().contains("/soon"));
    drop(log);
}

#[test]
fn a_stuck_reader_loses_lines_and_is_told() {
    let (permit, permits) = mpsc::channel();
    let (sender, received) = mpsc::channel();
    let log = AccessLog::start(Gated(permits, Out(sender))).unwrap();
    let path = format!("/{}", "x".repeat(900));
    for _ in 0..3000 {
        log.write(&entry(&path));
    }
    drop(permit);
    drop(log);
    let lines = text(&received);
    let kept = lines.lines().filter(|line| line.contains("/xxx")).count();
    let told: Vec<_> = lines.lines().filter(|line| line.contains("dropped")).collect();
    assert!(kept < 3000 && kept > 100, "{kept}");
    let counted: usize = told
        .iter()
        .filter_map(|line| line.rsplit_once(':')?.1.trim_end_matches('}').parse::<usize>().ok())
        .sum();
    assert_eq!(kept + counted, 3000);
}
