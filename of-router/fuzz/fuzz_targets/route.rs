//! Runs the property of the route decision.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| of_router::the_route_decision_holds(data));
