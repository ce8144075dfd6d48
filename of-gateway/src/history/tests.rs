use axum::Router;

use super::*;
use crate::functions::PlatformFunction;

fn function(name: &str) -> Arc<Function> {
    Function::platform(PlatformFunction::new(name, Router::new()), "ns")
}

fn call(function: &Function, code: u16, millis: u64, times: usize) {
    for _ in 0..times {
        function.invocations.observe(code, Duration::from_millis(millis));
    }
}

fn span(step: u32, window: Window, points: usize) -> Span {
    Span { now: u64::from(step) * STEP.as_secs(), until: 1_000_000, window: window.seconds(), points }
}

#[test]
fn an_hour_is_told_from_its_steps_and_a_day_from_coarser_ones() {
    let (mut kept, f) = (Kept::default(), function("f"));
    // 10 calls in each step of the first hour, a failure in each of the second.
    for step in 1..=2 * HOUR {
        if step <= HOUR {
            call(&f, 200, 6, 10)
        } else {
            call(&f, 502, 600, 1)
        }
        kept.look(step, &[Arc::clone(&f)]);
    }
    call(&f, 404, 1, 1);
    let hour = kept.figures(&f, &span(2 * HOUR, Window::Hour, 4));
    assert_eq!(hour.codes, [(502, 240.0), (404, 1.0)].into());
    let counts: Vec<_> = hour.series.iter().map(|point| (point.at, point.success, point.failure)).collect();
    let begin = 1_000_000 - 3600;
    assert_eq!(
        counts,
        [(begin + 900, 0.0, 60.0), (begin + 1800, 0.0, 60.0), (begin + 2700, 0.0, 60.0), (1_000_000, 0.0, 61.0)]
    );
    assert!(hour.latency.unwrap().p50 > 0.5);
    let day = kept.figures(&f, &span(2 * HOUR, Window::Day, 24));
    assert_eq!(day.codes, [(200, 2400.0), (502, 240.0), (404, 1.0)].into());
    let [first, second] = day.series.as_slice() else { panic!("{:?}", day.series) };
    assert_eq!((first.success + second.success, first.failure + second.failure), (2400.0, 241.0));
    assert!(first.success >= 2300.0 && second.latency.is_some());
    assert_eq!((day.replicas, first.replicas, first.memory), (Some(1.0), Some(1.0), None));
}

#[test]
fn what_is_older_than_the_window_is_not_in_it() {
    let (mut kept, f) = (Kept::default(), function("f"));
    call(&f, 200, 1, 5);
    for step in 1..=DAY + COARSE {
        kept.look(step, &[Arc::clone(&f)]);
        if step == HOUR {
            let figures = kept.figures(&f, &span(step, Window::Hour, 0));
            assert_eq!((figures.success(), figures.series.len()), (5.0, 0));
        }
        if step == 2 * HOUR {
            assert_eq!(kept.figures(&f, &span(step, Window::Hour, 1)).success(), 0.0);
            assert_eq!(kept.figures(&f, &span(step, Window::Day, 1)).success(), 5.0);
        }
    }
    let after = kept.figures(&f, &span(DAY + COARSE, Window::Day, 240));
    assert_eq!((after.success(), after.latency, after.series.len()), (0.0, None, 240));
    assert_eq!(after.series[0].replicas, Some(1.0), "what did not change in the window is known all the same");
    let week = kept.figures(&f, &span(DAY + COARSE, Window::Week, 7));
    assert_eq!(week.series.len(), 1, "no more than a day is known");
}

#[test]
fn a_history_ends_with_its_function() {
    let (mut kept, first) = (Kept::default(), function("f"));
    call(&first, 200, 1, 3);
    kept.look(1, &[Arc::clone(&first)]);
    let second = function("f");
    call(&second, 500, 1, 1);
    let asked = span(1, Window::Hour, 0);
    assert_eq!(kept.figures(&second, &asked).codes, [(500, 1.0)].into());
    kept.look(2, &[Arc::clone(&second)]);
    assert_eq!(kept.figures(&second, &asked).codes, [(500, 1.0)].into());
    kept.look(3, &[]);
    assert!(kept.tracks.is_empty());
}

#[test]
fn a_function_with_all_codes_takes_no_more_room_and_loses_no_call() {
    let (mut kept, f) = (Kept::default(), function("f"));
    call(&f, 201, 1, 50);
    (200..600).for_each(|code| call(&f, code, 1, 1));
    kept.look(1, &[Arc::clone(&f)]);
    let figures = kept.figures(&f, &span(1, Window::Hour, 0));
    assert_eq!((figures.success(), figures.failure()), (250.0, 200.0));
    assert!(figures.codes.len() < 15 && figures.codes[&201] == 51.0, "{:?}", figures.codes);
}

/// The busiest that one expects: each step has five codes and times in six buckets, and other memory than the last.
#[test]
fn a_thousand_busy_functions_of_a_day_fit_into_sixteen_mebibytes() {
    const SAMPLE: usize = 20;
    let functions: Vec<_> = (0..SAMPLE).map(|index| function(&format!("function-{index}"))).collect();
    let mut tracks: Vec<_> = functions.iter().map(|f| Track::new(&f.invocations, 0)).collect();
    for step in 1..=DAY + HOUR {
        for (f, track) in functions.iter().zip(&mut tracks) {
            for (code, millis) in [(200, 2), (200, 8), (200, 20), (201, 40), (404, 2), (500, 300), (502, 700)] {
                call(f, code, millis, 2);
            }
            let gauges = record::Gauges { replicas: 3, memory: Some(u64::from(step % 999)), cpu: Some(250) };
            track.look(step, gauges, room(1000));
        }
    }
    let each = tracks.iter().map(Track::size).sum::<usize>() / SAMPLE;
    println!("{each} bytes for each function");
    assert!(each * 1000 <= 15 << 20, "{each} bytes for each function, without its name");
    let asked = span(DAY + HOUR, Window::Hour, 0);
    let known = tracks[0].figures(&asked, record::Gauges::default()).success() / f64::from(8 * HOUR);
    assert!(known > 0.9, "{known} of the hour is known");
}
