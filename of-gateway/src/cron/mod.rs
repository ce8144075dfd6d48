//! Functions that are called at certain times: those with the annotations `topic: cron-function` and `schedule`.
//!
//! A run is an asynchronous call like any other: durable, tried again, listed when it was given up. Its call id is
//! made of the function's name and the time it is for, so the queue takes one run for one even if it is queued twice.
//! That a run was queued is written down afterwards. Killed between the two, the gateway queues it once more; only if
//! it had also ended by then, within these few milliseconds, does it run twice.
//!
//! Missed runs: when the gateway was not running (or the machine asleep), the latest run that was missed is made up,
//! once, if it is not older than `cron_missed_window`. Older ones, and all but the latest, are skipped.

mod book;
mod run;
mod schedule;
mod ticks;

pub(crate) use self::run::run;
pub(crate) use self::schedule::Schedule;
