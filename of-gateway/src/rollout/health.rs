//! Watching over replicas that requests are sent to: one that is not ready any more is passed over until it is, one
//! that does not answer any more is started anew.
//!
//! Only what runs is asked, so a function at zero costs nothing.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::probe::{Probes, Unanswered, ask};
use super::ready::{HEALTH_PATH, READY_PATH, annotated, ask_path};
use super::watch;
use crate::app::App;
use crate::functions::{Containers, FunctionId, Replica};

const LOOK: Duration = Duration::from_millis(500);
/// Questions asked at once. What is due beyond that is asked at the next look.
const MOST: usize = 64;

/// What is known of one replica.
struct Watched {
    ready: Turn,
    health: Turn,
    /// Since when it has not been well.
    failing: Option<Instant>,
}

/// One of its questions.
struct Turn {
    next: Instant,
    failures: u32,
    asking: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// The annotated path for readiness, or nothing where there is none.
    Ready,
    /// The annotated path for health, or OpenFaaS' own paths, which tell both.
    Health,
}

/// How a replica is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Well,
    /// It is well, and wants no requests.
    NotReady(String),
    /// It gave no answer. It may have its hands full.
    Silent(String),
    Sick(String),
}

struct Answer {
    question: Question,
    function: FunctionId,
    replica: Arc<Replica>,
    probes: Probes,
    verdict: Verdict,
}

/// Asks until the shutdown.
pub(crate) async fn run(app: Arc<App>) {
    let (mut known, mut asked) = (HashMap::new(), JoinSet::new());
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = look.tick() => ask_all(&app, &mut known, &mut asked),
            Some(answer) = asked.join_next(), if !asked.is_empty() => {
                if let Ok(answer) = answer {
                    judge(&app, &mut known, answer);
                }
            }
        }
    }
}

fn ask_all(app: &App, known: &mut HashMap<String, Watched>, asked: &mut JoinSet<Answer>) {
    let mut there = HashSet::new();
    let all = app.functions.all();
    for (function, containers) in all.iter().filter_map(|function| Some((function, function.containers()?))) {
        for replica in &containers.replicas {
            let Some(upstream) = replica.upstream() else { continue };
            let Ok(address) = upstream.authority().parse() else { continue };
            there.insert(replica.id.clone());
            let probes = &containers.settings.probes;
            let watched = known.entry(replica.id.clone()).or_insert_with(|| Watched::new(probes, &replica.id));
            for question in watched.due(probes) {
                if asked.len() < MOST {
                    watched.turn(question).asking = true;
                    asked.spawn(put(question, function.id.clone(), Arc::clone(replica), address, probes.clone()));
                }
            }
        }
    }
    // What is out of the choice is watched elsewhere, and new when it comes back.
    known.retain(|id, _| there.contains(id));
}

impl Watched {
    /// It has just been found ready, so there is time for the first question. Replicas that were started together are
    /// not asked together for ever.
    fn new(probes: &Probes, id: &str) -> Self {
        let turn = |delay: Duration, period: Duration| Turn {
            next: Instant::now() + delay.max(period.mul_f64(0.5 + spread(id))),
            failures: 0,
            asking: false,
        };
        let (ready, health) = (&probes.ready, &probes.health);
        Self { ready: turn(ready.delay, ready.period), health: turn(health.delay, health.period), failing: None }
    }

    fn due(&self, probes: &Probes) -> Vec<Question> {
        let now = Instant::now();
        let due = |turn: &Turn| !turn.asking && turn.next <= now;
        let ready = (probes.ready.path.is_some() && due(&self.ready)).then_some(Question::Ready);
        let health = due(&self.health).then_some(Question::Health);
        ready.into_iter().chain(health).collect()
    }

    fn turn(&mut self, question: Question) -> &mut Turn {
        match question {
            Question::Ready => &mut self.ready,
            Question::Health => &mut self.health,
        }
    }
}

/// From 0 to 0.5, the same for one container always.
fn spread(id: &str) -> f64 {
    let digits = id.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or(0);
    f64::from(digits) / f64::from(u16::MAX) / 2.0
}

async fn put(
    question: Question,
    function: FunctionId,
    replica: Arc<Replica>,
    address: SocketAddr,
    probes: Probes,
) -> Answer {
    let verdict = match question {
        Question::Ready => ready(address, &probes).await,
        Question::Health => health(address, &probes).await,
    };
    Answer { question, function, replica, probes, verdict }
}

async fn ready(address: SocketAddr, probes: &Probes) -> Verdict {
    let Some((probe, path)) = annotated(&probes.ready) else { return Verdict::Well };
    ask_path(address, probe, path).await.map_or_else(|not_yet| Verdict::NotReady(not_yet.reason), |()| Verdict::Well)
}

/// Whether a replica is well; where the deployment names no path, also whether it is ready.
pub(super) async fn is_well(address: SocketAddr, probes: &Probes) -> Result<(), String> {
    match health(address, probes).await {
        Verdict::Well | Verdict::NotReady(_) => Ok(()),
        Verdict::Silent(reason) | Verdict::Sick(reason) => Err(reason),
    }
}

async fn health(address: SocketAddr, probes: &Probes) -> Verdict {
    if let Some((probe, path)) = annotated(&probes.health) {
        let asked = ask_path(address, probe, path).await;
        return asked.map_or_else(|not_yet| Verdict::Sick(not_yet.reason), |()| Verdict::Well);
    }
    let limit = probes.health.timeout;
    match ask(address, READY_PATH, limit).await {
        // Somebody else's path is asked for that.
        Ok(StatusCode::SERVICE_UNAVAILABLE) if probes.ready.path.is_none() => {
            return Verdict::NotReady(format!("{READY_PATH} answers 503"));
        }
        // At its limit of requests it is busy, not broken.
        Ok(status) if status.is_success() || status == StatusCode::TOO_MANY_REQUESTS => return Verdict::Well,
        Ok(_) => {}
        Err(error) => return unanswered(error),
    }
    match ask(address, HEALTH_PATH, limit).await {
        Ok(StatusCode::SERVICE_UNAVAILABLE) => Verdict::Sick(format!("{HEALTH_PATH} answers 503")),
        Ok(_) => Verdict::Well,
        Err(error) => unanswered(error),
    }
}

fn unanswered(error: Unanswered) -> Verdict {
    match error {
        Unanswered::NotHttp => Verdict::Well,
        Unanswered::Silent(_) => Verdict::Silent(error.to_string()),
        Unanswered::Refused(..) => Verdict::Sick(error.to_string()),
    }
}

fn judge(app: &Arc<App>, known: &mut HashMap<String, Watched>, answer: Answer) {
    let Answer { question, function, replica, probes, verdict } = answer;
    // Retired, or out of the choice, while it was asked.
    let Some(watched) = known.get_mut(&replica.id) else { return };
    let probe = if question == Question::Ready { &probes.ready } else { &probes.health };
    let turn = watched.turn(question);
    (turn.asking, turn.next) = (false, Instant::now() + probe.period);
    let (reason, most) = match &verdict {
        Verdict::Well => {
            turn.failures = 0;
            watched.failing = None;
            return;
        }
        Verdict::NotReady(reason) => (reason, probes.ready.failures),
        Verdict::Silent(reason) | Verdict::Sick(reason) => (reason, probes.health.failures),
    };
    turn.failures += 1;
    let enough = turn.failures >= most;
    let since = watched.failing.get_or_insert_with(Instant::now).elapsed();
    tracing::debug!(%function, container = replica.id, reason, "A replica does not answer as it should.");
    if !enough || (matches!(verdict, Verdict::Silent(_)) && may_be_busy(app, &function, &replica, since)) {
        return;
    }
    known.remove(&replica.id);
    match verdict {
        Verdict::NotReady(reason) => watch::pass_over(app, function, replica, reason),
        Verdict::Well => {}
        Verdict::Silent(reason) | Verdict::Sick(reason) => watch::start_anew(app, function, replica, reason),
    }
}

/// A server that does one thing at a time leaves a question unanswered while a request takes its time; it has as long
/// as requests may take.
fn may_be_busy(app: &App, function: &FunctionId, replica: &Replica, since: Duration) -> bool {
    let own = app.functions.get(function).as_deref().and_then(|f| f.containers().map(timeout_of)).flatten();
    replica.in_flight() > 0 && since < own.unwrap_or(app.config.upstream_timeout)
}

fn timeout_of(containers: &Containers) -> Option<Duration> {
    containers.settings.timeout
}
