use super::*;

/// The steps of a log, each as one line.
fn of(log: &str, is_live: bool) -> Vec<String> {
    let mut steps = Steps::default();
    read(&mut steps, log);
    let shown = steps.shown(is_live);
    shown
        .into_iter()
        .map(|step| format!("{} {} {} {}", step.at, step.name, step.word, step.took).trim_end().to_owned())
        .collect()
}

fn read(steps: &mut Steps, log: &str) {
    let mut at = 0;
    for line in log.split_inclusive('\n') {
        steps.take(at, line.as_bytes());
        at += line.len() as u64;
    }
}

/// As of-builder wrote it of a build with a real engine.
const REAL: &str = "\
[1/4] FROM docker.io/library/debian:bookworm-slim (cached)
[2/4] COPY hello.txt / (0.03 s)
[3/4] RUN echo first; sleep 1; echo second
  first
  second
  (1.2 s)
[4/4] RUN make
  cc -o a a.c
  (14.5 s)
exporting to image
  exporting layers
  (0.07 s)
built in 17.3 s
";

#[test]
fn every_step_of_a_real_log_has_its_state_and_time() {
    let shown = of(REAL, false);
    let expected = [
        "0 [1/4] FROM docker.io/library/debian:bookworm-slim Cached",
        "59 [2/4] COPY hello.txt / Done 30 ms",
        "91 [3/4] RUN echo first; sleep 1; echo second Done 1.2 s",
        "161 [4/4] RUN make Done 14.5 s",
        "201 exporting to image Done 70 ms",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn steps_that_run_together_each_have_their_own_end() {
    let log = "\
[a 1/2] RUN one
[b 1/2] RUN two
[a 1/2] RUN one (continued)
  1
[b 1/2] RUN two (continued)
  error: no luck
  (failed after 61.0 s)
[a 1/2] RUN one (continued)
  (cancelled after 3.25 s)
";
    assert_eq!(of(log, false), ["0 [a 1/2] RUN one Cancelled 3.2 s", "16 [b 1/2] RUN two Failed 1 min 1 s"]);
    let (running, _) = log.split_once("  error").unwrap();
    assert_eq!(of(running, true), ["0 [a 1/2] RUN one Running", "16 [b 1/2] RUN two Running"]);
    assert_eq!(of(running, false)[0], "0 [a 1/2] RUN one End not told");
}

#[test]
fn a_log_that_begins_in_the_middle_has_the_steps_that_go_on_in_it() {
    let log = "  of whom?\n  (9.0 s)\n[b 1/2] RUN two (continued)\n  2\n  (1.0 s)\n";
    assert_eq!(of(log, false), ["21 [b 1/2] RUN two Done 1.0 s"]);
}

#[test]
fn what_is_around_the_build_is_no_step() {
    for log in [
        "",
        "\n\n\n",
        "pushing registry:5000/alice-cart:1\nbuilt in 3.2 s\n",
        "nothing to build: the image is here already, made from the same files\nthe image of an earlier build is used\n",
        "… 9960 lines of log left out …\n",
        "  (1.0 s)\n  (cached)\n",
        "the build failed: [2/2] RUN exit 7 failed with exit code 7\n",
        "the builder does not answer",
    ] {
        assert_eq!(of(log, false), <[&str; 0]>::default(), "{log}");
    }
    assert_eq!(
        of("importing cache\n  error: no\n  (failed after 0.10 s)\n", false),
        ["0 importing cache Failed 100 ms"]
    );
}

#[test]
fn a_step_that_writes_what_looks_like_an_end_has_its_own_all_the_same() {
    let log = "[1/1] RUN x\n  (1.0 s)\n  (failed after 2.0 s)\nmore\n";
    assert_eq!(of(log, true), ["0 [1/1] RUN x Failed 2.0 s"]);
    assert_eq!(of("[1/1] RUN x\n  (1.0 s)\n  more\n", true), ["0 [1/1] RUN x Running"]);
    assert_eq!(of("[1/1] RUN x\n  (1.0 s)\n  more\n  (0.25 s)\n", true), ["0 [1/1] RUN x Done 250 ms"]);
    // A name that ends like a cached one's.
    let log = "[1/1] RUN echo (cached)\n[1/1] RUN echo (cached) (continued)\n  x\n  (4.0 s)\n";
    assert_eq!(of(log, true), ["0 [1/1] RUN echo Done 4.0 s"]);
    let log = "[1/1] RUN echo (1.0 s)\n[x] RUN y\n[1/1] RUN echo (1.0 s) (continued)\n  (4.0 s)\n";
    assert_eq!(of(log, true), ["0 [1/1] RUN echo Done 4.0 s", "23 [x] RUN y Running"]);
    // What a step says comes after the time that was told with its name.
    assert_eq!(of("[1/1] RUN x (0.50 s)\n  said\n", true), ["0 [1/1] RUN x Done 500 ms"]);
}

#[test]
fn nonsense_is_no_time() {
    for time in
        ["-1.0", "1", "1.", ".5", "1.0e9", "NaN", "inf", "1.2345", "12345678.0", "1 000.0", "١.0", "", "1.0.0", "+1.0"]
    {
        assert_eq!(of(&format!("[1/1] RUN x\n  ({time} s)\n"), false), ["0 [1/1] RUN x End not told"], "{time}");
    }
    assert_eq!(of("[1/1] RUN x\n  (9999999.999 s)\n", false), ["0 [1/1] RUN x Done 2777 h 46 min"]);
}

#[test]
fn a_hostile_log_costs_little_and_shows_plain_text() {
    let mut steps = Steps::default();
    for at in 0..100_000 {
        steps.take(at, format!("[{at}] RUN \u{1b}[31m<script>\u{202e}\u{7}{at}").as_bytes());
    }
    assert_eq!((steps.all.len(), steps.known.len(), steps.left_out), (MOST, MOST, 100_000 - MOST));
    assert_eq!(steps.shown(true)[7].name, "[7] RUN <script>7");
    let mut steps = Steps::default();
    let mut long = b"[1/1] RUN ".to_vec();
    long.resize(8 << 20, 0xff);
    steps.take(0, &long);
    assert!(steps.all[0].name.chars().count() <= MAX_NAME && steps.known.keys().all(|name| name.len() < 4 * MAX_LINE));
    // Whatever bytes come, nothing panics and nothing grows.
    let mut seed = 7_u64;
    let pieces: [&[u8]; 8] = [b"  (", b" s)", b"[", b" (continued)", b" (cached)", b"1.0", b"\xff\r", "é ".as_bytes()];
    for at in 0..20_000 {
        let mut line = Vec::new();
        for _ in 0..6 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            line.extend_from_slice(pieces[(seed >> 60) as usize % pieces.len()]);
        }
        steps.take(at, &line);
    }
    assert!(steps.all.len() <= MOST && steps.known.len() <= 2 * MOST);
}
