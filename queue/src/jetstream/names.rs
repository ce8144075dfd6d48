//! What streams, consumers and subjects are called.
//!
//! A call's subject is `of.q.<queue>.<function>.<call id>.<fingerprint>`. One consumer per function takes
//! `of.q.<queue>.<function>.>`; that at most one message of a subject exists tells a call that is sent twice; and the
//! call id is its own part, so that a call is found by it. The rejected option was the server's window for duplicates:
//! it would swallow a call that is sent again, on purpose, after the first has ended.

use sha2::{Digest, Sha256};

use crate::call::{Fingerprint, Lane};

/// All subjects of calls.
pub(super) const CALLS: &str = "of.q.>";
/// The stream of dead letters: no queue's name begins like it.
pub(super) const DEAD_STREAM: &str = "OF-DEAD";
/// All subjects of dead letters.
pub(super) const DEAD: &str = "of.dead.>";
const PREFIX: &str = "OF_";
/// Digits of a call id's hash: enough to find a call, whose whole id is then compared.
const CALL_ID_DIGITS: usize = 16;

pub(super) fn stream(queue: &str) -> String {
    format!("{PREFIX}{queue}")
}

pub(super) fn queue_of_stream(stream: &str) -> Option<&str> {
    stream.strip_prefix(PREFIX)
}

/// Everything a queue's stream takes.
pub(super) fn subjects(queue: &str) -> String {
    format!("of.q.{queue}.>")
}

/// What a lane's consumer takes.
pub(super) fn filter(lane: &Lane) -> String {
    format!("of.q.{}.{}.>", lane.queue, token(&lane.function))
}

pub(super) fn call(lane: &Lane, call_id: &str, fingerprint: &Fingerprint) -> String {
    format!("of.q.{}.{}.{}.{}", lane.queue, token(&lane.function), call_token(call_id), fingerprint.hex())
}

/// All calls of an id within a queue.
pub(super) fn calls_of_id(queue: &str, call_id: &str) -> String {
    format!("of.q.{queue}.*.{}.*", call_token(call_id))
}

/// The dead letter of a call with this subject, and the other way round.
pub(super) fn dead(call: &str) -> String {
    call.replacen("of.q.", "of.dead.", 1)
}

pub(super) fn alive(dead: &str) -> String {
    dead.replacen("of.dead.", "of.q.", 1)
}

pub(super) fn dead_of(function: &str) -> String {
    format!("of.dead.*.{}.>", token(function))
}

/// A subject's lane, of a call or of a dead letter.
pub(super) fn lane(subject: &str) -> Option<Lane> {
    let mut tokens = subject.split('.').skip(2);
    Some(Lane::new(tokens.next()?, untoken(tokens.next()?)?))
}

/// A subject's fingerprint, as hexadecimal digits.
pub(super) fn fingerprint(subject: &str) -> Option<&str> {
    subject.rsplit('.').next()
}

/// A function's name as one part of a subject, and as the name of its consumer.
pub(super) fn token(function: &str) -> String {
    let mut token = String::with_capacity(function.len());
    for byte in function.bytes() {
        match byte {
            b'.' => token.push('~'),
            _ if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' => token.push(char::from(byte)),
            _ => {
                token.push('=');
                token.push_str(&hex::encode([byte]));
            }
        }
    }
    token
}

pub(super) fn untoken(token: &str) -> Option<String> {
    let mut function = Vec::with_capacity(token.len());
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'~' => function.push(b'.'),
            b'=' => {
                let digits = [bytes.next()?, bytes.next()?];
                function.extend(hex::decode(digits).ok()?);
            }
            _ => function.push(byte),
        }
    }
    String::from_utf8(function).ok()
}

fn call_token(call_id: &str) -> String {
    let mut token = hex::encode(Sha256::digest(call_id.as_bytes()));
    token.truncate(CALL_ID_DIGITS);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_function_name_is_one_part_of_a_subject_and_is_read_back() {
        for name in ["hello.openfaas-fn", "a~b=c", "ä b*c>d/e", "", "A_b-9"] {
            let token = token(name);
            assert!(!token.contains(['.', '*', '>', ' ', '/']), "{token}");
            assert_eq!(untoken(&token).as_deref(), Some(name));
        }
        assert_eq!(token("hello.openfaas-fn"), "hello~openfaas-fn");
        assert_eq!(untoken("=zz"), None);
    }

    #[test]
    fn a_subject_tells_its_lane_and_its_fingerprint() {
        let of = Lane::new("slow", "hello.dev");
        let subject = call(&of, "id", &Fingerprint([1; 16]));
        assert_eq!(lane(&subject), Some(of.clone()));
        assert_eq!(lane(&dead(&subject)), Some(of));
        assert_eq!(alive(&dead(&subject)), subject);
        assert_eq!(fingerprint(&subject), Some("01".repeat(16).as_str()));
    }
}
