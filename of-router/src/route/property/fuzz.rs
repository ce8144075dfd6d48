//! The fuzz target's property on a stable compiler: lines of the corpus and hostile pieces, cut up and put together.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sdk::Env;

use super::holds;

/// Without `fuzz_seconds`: long enough to notice a blunder, short enough for every day.
const USUAL_SECONDS: u64 = 2;
const CORPUS: &str = include_str!("../../../tests/corpus/hostile.txt");
const PIECES: [&str; 47] = [
    "/",
    "//",
    "..",
    ".",
    ";",
    "%",
    "%2f",
    "%2F",
    "%5c",
    "%2e",
    "%2e%2e",
    "%00",
    "%25",
    "%252e",
    "%3b",
    "\\",
    "@",
    ":",
    "\n",
    "?",
    "#",
    " ",
    "\t",
    "é",
    "%c0%ae",
    "q",
    "internal",
    "greet",
    "alice",
    "bob",
    "system",
    "auth.system",
    "git",
    "example.com",
    "www.alice.com",
    ".ofc",
    "login",
    "github-event",
    "github-push",
    "healthz",
    "v1",
    "cert.pem",
    "verify",
    "dashboard/api/pub-cert.pem",
    "badge",
    "0123456789abcdef0123456789abcdef",
    ".svg",
];

/// Numbers by chance (xorshift), from a seed that a failure names.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap_or_default()
    }

    /// A new input from an old one.
    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.roll(input.len() + 1);
        match self.roll(5) {
            0 => drop(input.splice(at..at, PIECES[self.roll(PIECES.len())].bytes())),
            1 => drop(input.drain(at..input.len().min(at + 1 + self.roll(6)))),
            2 if at < input.len() => input[at] = u8::try_from(self.roll(256)).unwrap_or_default(),
            3 if at < input.len() => input[at] ^= 0x20,
            _ => {
                let from = self.roll(input.len() + 1);
                let piece = input[from..input.len().min(from + 1 + self.roll(20))].to_vec();
                drop(input.splice(at..at, piece));
            }
        }
        input.truncate(512);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let lines = CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let plain = lines.map(|line| line.replace("localhost", "example.com").replacen('\t', "\n", 1).into_bytes());
    let good = ["alice.example.com\n/greet/a", "system.example.com\n/dashboard", "auth.system.example.com\n/static/x"];
    let more = ["git.example.com\n/alice/x.git/info/refs", "www.alice.com\n/a", "alice.example.com\n/.ofc/login"];
    let secrets = ["cert.pem", "report", "verify", "rotate"].map(|name| format!("system.example.com\n/v1/{name}"));
    let badge = "system.example.com\n/badge/alice/greet/0123456789abcdef0123456789abcdef.svg".to_owned();
    let plain = plain.chain(secrets.into_iter().chain([badge]).map(String::into_bytes));
    plain.chain(good.into_iter().chain(more).map(|text| text.as_bytes().to_vec())).collect()
}

#[test]
fn the_decision_holds_for_whatever_comes() {
    let seconds = Env::from_process().var("fuzz_seconds").and_then(|text| text.parse().ok()).unwrap_or(USUAL_SECONDS);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() | 1;
    println!("the seed is {seed}");
    let (mut dice, seeds, mut runs) = (Dice(seed), seeds(), 0_u64);
    seeds.iter().for_each(|seed| holds(seed));
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        for _ in 0..200 {
            let mut input = seeds[dice.roll(seeds.len())].clone();
            for _ in 0..=dice.roll(6) {
                dice.mutate(&mut input);
            }
            holds(&input);
            runs += 1;
        }
    }
    println!("{runs} requests");
    assert!(runs >= 1000, "only {runs} requests were tried");
}

#[test]
#[should_panic(expected = "is Function")]
fn a_decision_that_another_server_would_not_follow_is_noticed() {
    super::is_within("/function/alice-greet/../bob-secret", "alice-greet", "is Function");
}
