use bollard::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog};

use super::*;

/// A point in time, whose type the client library does not name for us.
fn at<T>(seconds: i64, make: impl Fn(i64) -> T) -> Option<T> {
    Some(make(seconds))
}

macro_rules! time {
    ($seconds:expr) => {
        at($seconds, |seconds| {
            let mut time = Vertex::default().started.unwrap_or_default();
            time.seconds = seconds;
            time
        })
    };
}

fn started(name: &str) -> Vertex {
    Vertex { digest: name.to_owned(), name: name.to_owned(), started: time!(1), ..Vertex::default() }
}

fn completed(name: &str, after: i64) -> Vertex {
    Vertex { completed: time!(1 + after), ..started(name) }
}

fn steps(vertexes: impl Into<Vec<Vertex>>) -> StatusResponse {
    StatusResponse { vertexes: vertexes.into(), ..StatusResponse::default() }
}

fn output(name: &str, text: &str) -> StatusResponse {
    let log = VertexLog { vertex: name.to_owned(), msg: text.as_bytes().to_vec(), ..VertexLog::default() };
    StatusResponse { logs: vec![log], ..StatusResponse::default() }
}

fn log(events: impl IntoIterator<Item = StatusResponse>) -> (String, Transcript) {
    let mut transcript = Transcript::new(Arc::default());
    let mut lines: Vec<String> = events.into_iter().flat_map(|event| transcript.absorb(event)).collect();
    lines.extend(transcript.finish());
    (lines.join("\n"), transcript)
}

#[test]
fn a_build_reads_from_top_to_bottom() {
    let (text, transcript) = log([
        steps([completed("[internal] load build definition from Dockerfile", 0)]),
        steps([Vertex { cached: true, ..completed("[1/3] FROM debian", 0) }]),
        steps([started("[2/3] RUN make")]),
        output("[2/3] RUN make", "\u{1b}[32mcompiling\u{1b}[0m\nlin"),
        output("[2/3] RUN make", "king\n"),
        steps([completed("[2/3] RUN make", 3)]),
        steps([completed("[3/3] COPY . .", 0)]),
    ]);
    insta::assert_snapshot!(text, @r"
    [1/3] FROM debian (cached)
    [2/3] RUN make
      compiling
      linking
      (3.0 s)
    [3/3] COPY . . (0.00 s)
    ");
    assert!(transcript.failed().is_none());
}

#[test]
fn steps_that_run_together_stay_apart() {
    let (text, _) = log([
        steps([started("[a 1/2] RUN one"), started("[b 1/2] RUN two")]),
        output("[a 1/2] RUN one", "1\n"),
        output("[b 1/2] RUN two", "2\n"),
        output("[a 1/2] RUN one", "3"),
        steps([completed("[a 1/2] RUN one", 0)]),
    ]);
    insta::assert_snapshot!(text, @r"
    [a 1/2] RUN one
    [b 1/2] RUN two
    [a 1/2] RUN one (continued)
      1
    [b 1/2] RUN two (continued)
      2
    [a 1/2] RUN one (continued)
      3
      (0.00 s)
    ");
}

#[test]
fn the_failing_step_is_named_with_its_exit_code() {
    let error = "executor failed running [/bin/sh -c exit 7]: exit code: 7";
    let (text, transcript) = log([
        steps([started("[2/2] RUN exit 7"), started("[other 1/1] RUN wait")]),
        output("[2/2] RUN exit 7", "no luck"),
        steps([Vertex { error: "context canceled".to_owned(), ..completed("[other 1/1] RUN wait", 4) }]),
        steps([Vertex { error: error.to_owned(), ..completed("[2/2] RUN exit 7", 2) }]),
    ]);
    insta::assert_snapshot!(text, @r"
    [2/2] RUN exit 7
    [other 1/1] RUN wait
      (cancelled after 4.0 s)
    [2/2] RUN exit 7 (continued)
      no luck
      error: executor failed running [/bin/sh -c exit 7]: exit code: 7
      (failed after 2.0 s)
    ");
    insta::assert_snapshot!(transcript.failed().unwrap().sentence(), @"[2/2] RUN exit 7 failed with exit code 7");
}

#[test]
fn a_failure_without_an_exit_code_gives_its_message_also_for_internal_steps() {
    let error = "failed to compute cache key: \"/nothing\" not found: not found";
    let name = "[internal] load build context";
    let (text, transcript) = log([steps([Vertex { error: error.to_owned(), ..completed(name, 0) }])]);
    assert!(text.starts_with("[internal] load build context\n  error: failed to compute cache key"));
    assert!(transcript.failed().unwrap().sentence().ends_with("not found: not found"));
}

#[test]
fn every_step_has_its_time_whatever_its_clock_says() {
    let mut backwards = completed("[b] RUN b", 0);
    backwards.completed = time!(0);
    let mut short = completed("[c] RUN c", 0);
    short.completed.as_mut().unwrap().nanos = 123_456_789;
    let said = |vertex: &Vertex| steps([Vertex { completed: None, ..vertex.clone() }]);
    let mut at_once = output("[d] RUN d", "all in one\n");
    at_once.vertexes = vec![completed("[d] RUN d", 61)];
    let events = [said(&backwards), steps([backwards]), said(&short), steps([short.clone()]), steps([short]), at_once];
    let (text, _) = log(events);
    insta::assert_snapshot!(text, @r"
    [b] RUN b
      (0.00 s)
    [c] RUN c
      (0.12 s)
    [d] RUN d (61.0 s)
      all in one
    ");
}

#[test]
fn a_line_of_errors_does_not_run_into_a_line_of_output() {
    let mut errors = output("[1/1] RUN x", "mount: ");
    errors.logs[0].stream = STDERR;
    let mut more = output("[1/1] RUN x", "denied\n");
    more.logs[0].stream = STDERR;
    let (text, _) = log([steps([started("[1/1] RUN x")]), errors, output("[1/1] RUN x", "confined\n"), more]);
    insta::assert_snapshot!(text, @r"
    [1/1] RUN x
      confined
      mount: denied
    ");
}
