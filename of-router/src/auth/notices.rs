//! Which sessions have ended, as of-auth tells while they end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use sdk::signing::Key;
use session::protocol::{NOTICES_PATH, Notice};
use url::Url;

use super::open::Open;
use super::seconds;

/// The longest notice, in bytes.
const MAX_LINE: usize = 4096;
/// How many ended sessions are kept in mind. With more, of-auth is asked about every request.
const MAX_REVOKED: usize = 200_000;
/// The shortest and the longest wait before the next connection.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long the signature of a request holds.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// Clocks may be this far apart, in seconds.
const CLOCKS: u64 = 60;

/// Whether notices come, and what they said.
#[derive(Debug)]
pub(crate) struct Standing {
    silence: Duration,
    began: Instant,
    /// Milliseconds from the beginning to when the last notice came, and one more; 0 for never.
    heard: AtomicU64,
    revoked: RwLock<HashMap<String, u64>>,
    open: Open,
}

impl Standing {
    /// Without a notice for `silence`, nothing is known.
    pub(crate) fn new(silence: Duration) -> Self {
        Self {
            silence,
            began: Instant::now(),
            heard: AtomicU64::new(0),
            revoked: RwLock::default(),
            open: Open::default(),
        }
    }

    /// Whether what was revoked is known.
    pub(crate) fn is_live(&self, now: Instant) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        let silent = self.since_began(now).saturating_sub(heard);
        heard > 0 && u128::from(silent) <= self.silence.as_millis()
    }

    /// Whether a session has ended.
    pub(crate) fn is_revoked(&self, sid: &str) -> bool {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).contains_key(sid)
    }

    /// What is open in somebody's name.
    pub(super) fn open(&self) -> &Open {
        &self.open
    }

    /// How long nothing may be heard.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    fn hear(&self, now: Instant) {
        self.heard.store(self.since_began(now), Ordering::Release);
    }

    /// Something was not understood that may have been the end of a session.
    fn lose(&self) {
        self.heard.store(0, Ordering::Release);
    }

    fn since_began(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// False if it cannot be kept in mind.
    fn revoke(&self, sid: String, until: u64) -> bool {
        let kept = self.keep_in_mind(sid.clone(), until);
        // After that: what is opened from now on sees it.
        self.open.end(&sid);
        kept
    }

    fn keep_in_mind(&self, sid: String, until: u64) -> bool {
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        if revoked.len() >= MAX_REVOKED && !revoked.contains_key(&sid) {
            return false;
        }
        let known = revoked.entry(sid).or_default();
        *known = until.max(*known);
        true
    }

    /// Forgets sessions whose tokens have all run out.
    fn forget(&self, now: u64) {
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.retain(|_, until| until.saturating_add(CLOCKS) > now);
    }

    /// Takes one line in; `ready` is whether all that was before has been told. False ends the connection.
    fn take_in(&self, line: &[u8], ready: &mut bool, now: Instant) -> bool {
        let understood = match serde_json::from_slice(line) {
            Ok(Notice::Revoked { sid, until }) => self.revoke(sid, until),
            Ok(Notice::Ready) => {
                *ready = true;
                true
            }
            Ok(Notice::Alive) => {
                self.forget(seconds());
                true
            }
            Err(_) => false,
        };
        match (understood, *ready) {
            (false, _) => self.lose(),
            (true, true) => self.hear(now),
            (true, false) => {}
        }
        understood
    }
}

/// Listens for as long as it runs.
pub(crate) async fn follow(http: reqwest::Client, base: Url, key: Key, standing: Arc<Standing>) {
    let mut url = base;
    url.set_path(NOTICES_PATH);
    let mut wait = WAITS.0;
    loop {
        let was_ready = listen(&http, &url, &key, &standing).await;
        wait = if was_ready { WAITS.0 } else { (wait * 2).min(WAITS.1) };
        tracing::warn!("of-auth tells no more which sessions end; it will be asked about every request soon");
        tokio::time::sleep(wait).await;
    }
}

/// One connection. True if it came so far that all was told.
async fn listen(http: &reqwest::Client, url: &Url, key: &Key, standing: &Standing) -> bool {
    let mut request = http.get(url.clone());
    for (name, value) in key.sign(&Method::GET, b"", SIGNED_FOR) {
        request = request.header(name, value);
    }
    let Ok(Ok(mut response)) = tokio::time::timeout(standing.silence, request.send()).await else { return false };
    if response.status() != StatusCode::OK {
        tracing::warn!(status = response.status().as_u16(), "of-auth does not tell which sessions end");
        return false;
    }
    let (mut ready, mut rest) = (false, Vec::new());
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(standing.silence, response.chunk()).await {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if !standing.take_in(&line, &mut ready, Instant::now()) {
                tracing::error!("of-auth said something about sessions that is not understood");
                return false;
            }
        }
        if rest.len() > MAX_LINE {
            standing.lose();
            return false;
        }
    }
    ready
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(15);

    #[test]
    fn nothing_is_believed_before_all_is_told_nor_after_a_silence() {
        let standing = Standing::new(SILENCE);
        let (now, mut ready) = (Instant::now(), false);
        assert!(!standing.is_live(now));
        assert!(standing.take_in(br#"{"revoked":{"sid":"s1","until":9999999999}}"#, &mut ready, now));
        assert!(standing.take_in(b"\"alive\"", &mut ready, now));
        assert!(!standing.is_live(now), "not all has been told");
        assert!(standing.is_revoked("s1") && !standing.is_revoked("s2"));
        assert!(standing.take_in(b"\"ready\"\n", &mut ready, now));
        assert!(standing.is_live(now) && standing.is_live(now + SILENCE));
        assert!(!standing.is_live(now + SILENCE + Duration::from_millis(1)));
        assert!(standing.take_in(b"\"alive\"", &mut ready, now + SILENCE));
        assert!(standing.is_live(now + SILENCE * 2));
    }

    #[test]
    fn what_is_not_understood_may_have_been_the_end_of_a_session() {
        for line in [
            &b"\"readyish\""[..],
            b"",
            b"{}",
            b"{\"revoked\":{\"sid\":1,\"until\":2}}",
            b"{\"revoked\":{\"sid\":\"s\"",
            b"\xff",
        ] {
            let standing = Standing::new(SILENCE);
            let (now, mut ready) = (Instant::now(), false);
            assert!(standing.take_in(b"\"ready\"", &mut ready, now) && standing.is_live(now));
            assert!(!standing.take_in(line, &mut ready, now));
            assert!(!standing.is_live(now), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn an_ended_session_is_forgotten_with_its_last_token() {
        let standing = Standing::new(SILENCE);
        assert!(standing.revoke("s1".into(), 1000) && standing.revoke("s1".into(), 500));
        standing.forget(1000 + CLOCKS - 1);
        assert!(standing.is_revoked("s1"));
        standing.forget(1000 + CLOCKS);
        assert!(!standing.is_revoked("s1"));
    }

    #[test]
    fn more_than_can_be_kept_in_mind_is_not_overlooked() {
        let (standing, now, mut ready) = (Standing::new(SILENCE), Instant::now(), true);
        for number in 0..MAX_REVOKED {
            assert!(standing.revoke(number.to_string(), u64::MAX));
        }
        assert!(!standing.take_in(br#"{"revoked":{"sid":"more","until":9}}"#, &mut ready, now));
        assert!(!standing.is_live(now));
    }
}
