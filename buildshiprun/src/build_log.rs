//! The build's log: to `pipeline-log` in parts while it grows, and its last lines for the author of the push.

use std::collections::VecDeque;
use std::time::Duration;

use sdk::call::{CallId, Functions};
use sdk::pipeline_log::{LogKey, LogPart};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

const LOG_FUNCTION: &str = "pipeline-log";
/// Lines shown with a failure.
const TAIL: usize = 30;
/// Lines that wait to be sent; one more holds the builder up until some are.
const QUEUE: usize = 1024;
/// A part is sent when it has so many bytes, or so long after its first line. One costs `pipeline-log` several syncs of its disk,
/// so a build that writes much is sent in few.
const PART_BYTES: usize = 256 * 1024;
const PART_TIME: Duration = Duration::from_millis(250);
/// What follows is left out.
const MAX_LOG_BYTES: usize = 64 * 1024 * 1024;
const MAX_LINE_CHARS: usize = 4000;
/// How long one try to send a part may take, and how many there are.
const SEND_TIME: Duration = Duration::from_secs(5);
/// The last one is answered when all are joined and packed.
const LAST_TIME: Duration = Duration::from_secs(25);
const TRIES: u32 = 3;

pub(crate) struct BuildLog {
    sender: mpsc::Sender<String>,
    tail: VecDeque<String>,
    bytes: usize,
}

impl BuildLog {
    /// Starts to send in the background. That ends, with the last part, some time after this value is dropped; the
    /// work does not wait for it.
    pub(crate) fn start(functions: Functions, key: LogKey, call: CallId) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let parts =
            Parts { functions, call, part: LogPart { key, part: 0, text: String::new(), last: false }, lost: false };
        tokio::spawn(parts.run(receiver));
        Self { sender, tail: VecDeque::with_capacity(TAIL), bytes: 0 }
    }

    pub(crate) async fn line(&mut self, line: &str) {
        let line: String = line.chars().filter(|c| *c == '\t' || !c.is_control()).take(MAX_LINE_CHARS).collect();
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        let within = self.bytes <= MAX_LOG_BYTES;
        self.bytes = self.bytes.saturating_add(line.len() + 1);
        if self.bytes <= MAX_LOG_BYTES {
            let _ = self.sender.send(line).await;
        } else if within {
            let _ = self.sender.send("(the rest of the log is left out)".to_owned()).await;
        }
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> String {
        let lines: Vec<&str> = self.tail.iter().map(String::as_str).collect();
        lines.join("\n")
    }
}

/// Sends parts in their order.
struct Parts {
    functions: Functions,
    call: CallId,
    part: LogPart,
    /// A part could not be sent: a log with a gap in it would deceive.
    lost: bool,
}

impl Parts {
    async fn run(mut self, mut lines: mpsc::Receiver<String>) {
        while let Some(line) = lines.recv().await {
            self.add(&line);
            let deadline = Instant::now() + PART_TIME;
            while self.part.text.len() < PART_BYTES {
                match timeout_at(deadline, lines.recv()).await {
                    Ok(Some(line)) => self.add(&line),
                    Ok(None) | Err(_) => break,
                }
            }
            if !lines.is_empty() || !lines.is_closed() {
                self.send().await;
            }
        }
        self.part.last = true;
        self.send().await;
    }

    fn add(&mut self, line: &str) {
        self.part.text.push_str(line);
        self.part.text.push('\n');
    }

    async fn send(&mut self) {
        if !self.lost {
            self.lost = !self.try_to_send().await;
        }
        self.part.text.clear();
        self.part.part += 1;
    }

    async fn try_to_send(&self) -> bool {
        let time = if self.part.last { LAST_TIME } else { SEND_TIME };
        for _ in 0..TRIES {
            let error = match timeout(time, self.functions.invoke(LOG_FUNCTION, &self.part, &self.call)).await {
                Ok(Ok(_)) => return true,
                Ok(Err(error)) => sdk::failure::chain(&error),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::warn!(call_id = %self.call, part = self.part.part, error, "A part of the build log could not be kept");
        }
        false
    }
}
