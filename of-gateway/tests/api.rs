//! The gateway's HTTP interface over functions in the process; no engine is needed.
#![expect(clippy::unwrap_used, reason = "a test program")]

#[path = "api/access.rs"]
mod access;
#[path = "api/asynchronous.rs"]
mod asynchronous;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/callbacks.rs"]
mod callbacks;
#[path = "api/cron.rs"]
mod cron;
#[path = "api/description.rs"]
mod description;
#[path = "api/history.rs"]
mod history;
#[path = "api/letters.rs"]
mod letters;
#[path = "api/load.rs"]
mod load;
#[path = "api/management.rs"]
mod management;
#[path = "api/metrics.rs"]
mod metrics;
#[path = "api/nats.rs"]
mod nats;
#[path = "api/place.rs"]
mod place;
#[path = "api/retries.rs"]
mod retries;
#[path = "api/shutdown.rs"]
mod shutdown;
mod support;
#[path = "api/synchronous.rs"]
mod synchronous;

use axum::Router;
use of_gateway::{Config, PlatformFunction};
use support::config;

/// A gateway's configuration with these functions, and no engine to be found.
fn without_engine(dir: &std::path::Path, functions: impl IntoIterator<Item = (&'static str, Router)>) -> Config {
    let platform = functions.into_iter().map(|(name, router)| PlatformFunction::new(name, router)).collect();
    Config { engine: format!("unix://{}/no-engine.sock", dir.display()), platform, ..config(dir) }
}

place::wherever_calls_wait! {
    asynchronous:
        a_call_is_accepted_and_made_as_it_was_sent,
        refusals_have_their_codes_and_sentences,
        failures_that_may_pass_are_tried_again_and_others_are_final,
        a_slow_function_does_not_block_the_others_and_keeps_its_limit,
        a_repeated_call_runs_once_and_calls_survive_a_restart;
    callbacks:
        the_answer_goes_to_the_callback_with_all_its_headers,
        an_answer_may_go_on_for_longer_than_a_function_may_pause,
        a_function_that_nobody_reaches_is_called_back_for_with_503_and_no_body,
        large_bodies_pass_both_ways_and_leave_nothing_behind;
    letters:
        letters_are_shown_put_back_and_deleted,
        a_call_is_taken_back_while_it_waits_and_while_it_runs;
    retries:
        a_function_says_when_to_come_again_and_how_often_it_was_asked,
        an_answer_that_is_not_the_functions_own_is_always_tried_again,
        a_queue_with_a_limit_of_its_own_keeps_it;
}
