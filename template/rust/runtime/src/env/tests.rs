use secrecy::ExposeSecret;

use super::*;

fn env(vars: &[(&str, &str)], secrets: &[(&str, &str)]) -> Env {
    Env::from_map(vars.iter().copied(), secrets.iter().copied())
}

#[test]
fn every_problem_is_reported_with_its_name() {
    let env = env(&[("port", "http"), ("timeout", "soon"), ("debug", "maybe")], &[]);
    let reader = env.reader();
    let port = reader.or::<u16>("port", 8080);
    let _ = reader.duration_or("timeout", Duration::ZERO);
    let _ = reader.flag("debug", false);
    let _ = reader.required::<String>("gateway_url");
    let _ = reader.secret("payload-secret");
    assert!(port.is_err());
    let error = reader.finish().unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    assert_eq!(names, ["port", "timeout", "debug", "gateway_url", "payload-secret"]);
    assert!(error.to_string().contains("\n  gateway_url is not set"), "{error}");
}

#[test]
fn values_are_typed_and_default() {
    let env = env(
        &[("n", "7"), ("empty", ""), ("list", " a, b ,,c"), ("on", "TRUE")],
        &[("key", " s3cret\n")],
    );
    let reader = env.reader();
    assert_eq!(reader.or("n", 1).unwrap(), 7);
    assert_eq!(reader.or("empty", 3).unwrap(), 3);
    assert_eq!(reader.optional::<u8>("absent").unwrap(), None);
    assert_eq!(reader.list("list"), ["a", "b", "c"]);
    assert!(reader.flag("on", false).unwrap());
    assert_eq!(reader.secret("key").unwrap().expose_secret(), "s3cret");
    reader.finish().unwrap();
}

#[test]
fn durations_are_gos_or_seconds() {
    let cases = [
        ("10", 10.0),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("1m30s", 90.0),
        ("2h", 7200.0),
        ("1.5s", 1.5),
    ];
    for (text, seconds) in cases {
        assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
    }
    for text in ["", "s", "5 s", "5x", "-1", "-1s", "1e400", "NaN", "1..2s"] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
}

#[test]
fn a_secret_name_cannot_leave_the_folder() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("secrets");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(outer.path().join("outside"), "no").unwrap();
    std::fs::write(folder.join("inside"), "yes\n").unwrap();
    assert_eq!(read_secret(&folder, "inside").unwrap().expose_secret(), "yes");
    for name in ["../outside", "", ".", "..", "a/b"] {
        assert!(read_secret(&folder, name).is_none(), "{name}");
    }
}

#[test]
fn debug_shows_no_value() {
    let env = env(&[("token", "abc123")], &[("key", "xyz789")]);
    let shown = format!("{env:?}");
    assert!(
        shown.contains("token") && !shown.contains("abc123") && !shown.contains("xyz789"),
        "{shown}"
    );
}
