//! The stores against their contract: one suite for both, and what is each one's own.
#![expect(clippy::unwrap_used, reason = "a test program")]

#[path = "stores/bodies.rs"]
mod bodies;
#[path = "stores/calls.rs"]
mod calls;
#[path = "stores/embedded.rs"]
mod embedded;
#[path = "stores/jetstream.rs"]
mod jetstream;
#[path = "stores/killed.rs"]
mod killed;
#[path = "stores/leases.rs"]
mod leases;
#[path = "stores/letters.rs"]
mod letters;
mod support;

/// Runs each test of a module on both stores.
macro_rules! on_both_stores {
    ($($module:ident: $($test:ident),+ $(,)?;)+) => {
        mod in_a_file {
            $($(
                #[tokio::test]
                async fn $test() {
                    crate::$module::$test(&crate::support::Home::embedded()).await;
                }
            )+)+
        }
        mod in_nats {
            $($(
                #[tokio::test]
                async fn $test() {
                    crate::$module::$test(&crate::support::Home::jetstream()).await;
                }
            )+)+
        }
    };
}

on_both_stores! {
    calls:
        a_call_comes_back_as_it_went_in_and_is_forgotten_when_done,
        the_same_call_is_stored_once_and_another_of_the_same_id_is_not_lost,
        lanes_do_not_see_each_other,
        a_retry_waits_for_its_time,
        a_retry_comes_back_with_its_attempts_counted,
        a_released_attempt_does_not_count,
        calls_wait_through_a_restart_and_are_named,
        a_full_queue_refuses_and_takes_again_later,
        a_cancelled_call_is_gone_or_named_as_running,
        the_figures_follow_what_happens,
        many_at_once_are_each_stored_and_claimed_once,
        a_call_is_stored_even_if_its_sender_leaves,
        a_queue_of_no_possible_name_is_refused,
        a_second_process_is_refused;
    leases:
        a_lost_lease_gives_the_call_back_and_fences_the_late_verdict_off,
        an_extended_lease_is_kept;
    letters:
        dead_letters_are_kept_listed_and_bounded,
        a_letter_is_shown_by_its_id,
        letters_are_redriven_one_or_all_of_a_function,
        a_redriven_call_that_waits_already_is_not_doubled,
        letters_are_discarded_one_or_all_of_a_function,
        the_letters_that_stay_are_those_that_died_last;
    bodies:
        a_large_body_is_a_file_until_its_call_has_ended,
        the_body_of_a_dead_letter_stays_until_it_is_deleted,
        the_oldest_letter_goes_with_its_body,
        a_cancelled_call_goes_with_its_body,
        bodies_have_no_more_than_their_room,
        a_call_sent_twice_or_broken_off_leaves_no_file,
        files_that_belong_to_nothing_are_removed_at_the_start,
        a_call_whose_body_is_gone_is_a_dead_letter_and_does_not_stop_the_others,
        a_call_whose_body_cannot_be_looked_for_is_not_given_up;
}
