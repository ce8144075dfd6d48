//! What went wrong with replicas lately, for whoever asks for a function's status.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sdk::gateway::{Condition, ConditionKind};

use crate::functions::Containers;

/// What is longer ago is forgotten.
const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// So many ends within that time are a loop.
const LOOP: usize = 3;
/// Ends that are counted.
const MOST: usize = 1000;
/// The engine says that a container is out of memory a moment before it says that it ended.
const OUT_OF_MEMORY: Duration = Duration::from_secs(10);
/// Lines of its log that are kept, and characters of each.
pub(super) const LINES: usize = 10;
const LINE: usize = 500;
/// As in log lines.
const INSTANCE: usize = 12;

/// All replicas that something went wrong with, by their containers' ids.
#[derive(Default)]
pub(crate) struct Troubles {
    by_container: Mutex<HashMap<String, History>>,
}

#[derive(Default)]
struct History {
    ends: VecDeque<DateTime<Utc>>,
    exit_code: Option<i64>,
    out_of_memory: bool,
    lines: Vec<String>,
    /// When the engine said that it was out of memory.
    memory_gone: Option<Instant>,
    /// Why it was started anew, until its end is seen, and then why it ended.
    hung: Option<String>,
    hung_before: Option<String>,
    unready: Option<String>,
    stuck: Option<String>,
}

impl Troubles {
    /// It ended, and not because the gateway was told to end it.
    pub(super) fn ended(&self, container: &str, exit_code: i64) {
        let mut all = self.all();
        let history = all.entry(container.to_owned()).or_default();
        history.ends.push_back(Utc::now());
        while history.ends.len() > MOST {
            history.ends.pop_front();
        }
        history.exit_code = Some(exit_code);
        history.out_of_memory = history.memory_gone.take().is_some_and(|at| at.elapsed() < OUT_OF_MEMORY);
        history.hung_before = history.hung.take();
        history.unready = None;
        history.lines.clear();
    }

    /// What it wrote before it ended.
    pub(super) fn wrote(&self, container: &str, lines: Vec<String>) {
        if let Some(history) = self.all().get_mut(container) {
            history.lines = lines.into_iter().map(|line| line.chars().take(LINE).collect()).collect();
        }
    }

    pub(super) fn out_of_memory(&self, container: &str) {
        self.all().entry(container.to_owned()).or_default().memory_gone = Some(Instant::now());
    }

    /// It does not answer and is ended for that.
    pub(super) fn hung(&self, container: &str, reason: String) {
        self.all().entry(container.to_owned()).or_default().hung = Some(reason);
    }

    pub(super) fn unready(&self, container: &str, reason: String) {
        self.all().entry(container.to_owned()).or_default().unready = Some(reason);
    }

    pub(super) fn cannot_start(&self, container: &str, reason: String) {
        self.all().entry(container.to_owned()).or_default().stuck = Some(reason);
    }

    /// It is back; how often it ended is not forgotten for that.
    pub(super) fn answers(&self, container: &str) {
        if let Some(history) = self.all().get_mut(container) {
            (history.unready, history.stuck) = (None, None);
        }
    }

    pub(super) fn removed(&self, container: &str) {
        self.all().remove(container);
    }

    /// Forgets all containers but these.
    pub(super) fn keep(&self, there: &HashSet<&str>) {
        self.all().retain(|id, _| there.contains(id.as_str()));
    }

    /// What there is to say about a function, replica by replica.
    pub(crate) fn of(&self, containers: &Containers) -> Vec<Condition> {
        let all = self.all();
        let now = Utc::now();
        let each = containers.everyone().filter_map(|replica| Some(all.get(&replica.id)?.conditions(&replica.id, now)));
        each.flatten().collect()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, History>> {
        self.by_container.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    fn conditions(&self, container: &str, now: DateTime<Utc>) -> Vec<Condition> {
        let plain = |kind, message: &String| Condition {
            kind,
            instance: container.chars().take(INSTANCE).collect(),
            message: message.clone(),
            restarts: 0,
            last_exit: None,
            exit_code: None,
            out_of_memory: false,
            log: Vec::new(),
        };
        let recent = self.ends.iter().filter(|end| now.signed_duration_since(**end) < WINDOW).count();
        let kind = if recent >= LOOP { ConditionKind::CrashLoop } else { ConditionKind::Restarted };
        let ended = (recent > 0).then(|| Condition {
            restarts: recent as u64,
            last_exit: self.ends.back().copied(),
            exit_code: self.exit_code,
            out_of_memory: self.out_of_memory,
            log: self.lines.clone(),
            ..plain(kind, &self.why_ended())
        });
        let stuck = self.stuck.as_ref().map(|reason| plain(ConditionKind::CannotStart, reason));
        let unready = self.unready.as_ref().map(|reason| plain(ConditionKind::NotReady, reason));
        stuck.into_iter().chain(ended).chain(unready).collect()
    }

    fn why_ended(&self) -> String {
        match (&self.hung_before, self.out_of_memory, self.exit_code) {
            (Some(reason), ..) => format!("it did not answer ({reason}) and was started anew"),
            (None, true, _) => "it ran out of memory; its limit is limits.memory of the deployment".to_owned(),
            (None, false, code) => format!("it ended with exit code {}", code.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(troubles: &Troubles, now: DateTime<Utc>) -> Vec<Condition> {
        troubles.all().get("0123456789abcdef").map(|history| history.conditions("0123456789abcdef", now)).unwrap()
    }

    #[test]
    fn ends_are_counted_explained_and_forgotten() {
        let (troubles, id) = (Troubles::default(), "0123456789abcdef");
        troubles.ended(id, 3);
        troubles.wrote(id, vec!["x".repeat(2 * LINE)]);
        let [one] = &conditions(&troubles, Utc::now())[..] else { panic!("one condition") };
        assert_eq!((one.kind, one.restarts, one.exit_code), (ConditionKind::Restarted, 1, Some(3)));
        assert_eq!((one.instance.as_str(), one.log[0].len()), ("0123456789ab", LINE));
        troubles.out_of_memory(id);
        troubles.ended(id, 137);
        troubles.ended(id, 1);
        let [looping] = &conditions(&troubles, Utc::now())[..] else { panic!("one condition") };
        assert_eq!((looping.kind, looping.restarts, looping.out_of_memory), (ConditionKind::CrashLoop, 3, false));
        assert!(looping.log.is_empty(), "the lines are those of the last end");
        troubles.out_of_memory(id);
        troubles.ended(id, 137);
        assert!(conditions(&troubles, Utc::now())[0].out_of_memory);
        assert!(conditions(&troubles, Utc::now() + WINDOW).is_empty());
    }

    #[test]
    fn what_is_over_is_not_said_any_more() {
        let (troubles, id) = (Troubles::default(), "0123456789abcdef");
        troubles.unready(id, "/_/ready answers 503".to_owned());
        troubles.cannot_start(id, "no such file".to_owned());
        let kinds: Vec<_> = conditions(&troubles, Utc::now()).iter().map(|condition| condition.kind).collect();
        assert_eq!(kinds, [ConditionKind::CannotStart, ConditionKind::NotReady]);
        troubles.answers(id);
        assert!(conditions(&troubles, Utc::now()).is_empty());
        troubles.hung(id, "no answer within 2s".to_owned());
        troubles.ended(id, 137);
        assert!(conditions(&troubles, Utc::now())[0].message.contains("no answer within 2s"));
        troubles.keep(&HashSet::from(["other"]));
        assert!(troubles.all().is_empty());
    }
}
