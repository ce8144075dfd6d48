use std::fs;

use super::*;

fn nothing() -> Sources {
    Sources { prompt: vec![], stdin: None, from_file: vec![], from_env_file: vec![], literal: vec![] }
}

fn shown(sources: &Sources, mut stdin: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = |value: SecretSlice<u8>| String::from_utf8_lossy(value.expose_secret()).into_owned();
    let read = sources.read(&mut stdin).map_err(|error| crate::report::render(&error))?;
    Ok(read.into_iter().map(|(key, value)| (key, text(value))).collect())
}

fn pairs(expected: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    Ok(expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn values_come_from_everywhere_and_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, env) = (folder.path().join("tls.crt"), folder.path().join("a=b.env"));
    fs::write(&cert, "line\n").unwrap();
    fs::write(&env, "\u{feff}# mine\n\nUSER=alice\r\nURL=a=b \nEMPTY=\n").unwrap();
    let path = cert.display().to_string();
    let sources = Sources {
        stdin: Some("token".into()),
        from_file: vec![path.clone(), format!("other={path}")],
        from_env_file: vec![env],
        literal: vec!["literal=a=b".into()],
        ..nothing()
    };
    let expected = [
        ("EMPTY", ""),
        ("URL", "a=b "),
        ("USER", "alice"),
        ("literal", "a=b"),
        ("other", "line\n"),
        ("tls.crt", "line\n"),
        ("token", "t\n"),
    ];
    assert_eq!(shown(&sources, b"t\n\r\n"), pairs(&expected));
}

#[test]
fn a_path_with_an_equals_sign_is_still_a_path() {
    assert_eq!(key_and_path("./a=b").unwrap(), ("a=b".to_owned(), "./a=b".into()));
    assert_eq!(key_and_path("k=a=b").unwrap(), ("k".to_owned(), "a=b".into()));
    assert!(key_and_path("/").is_err() && key_and_path("..").is_err());
}

#[test]
fn what_is_wrong_is_said_and_no_value_is() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    fs::write(&env, "A=1\nhunter2\n").unwrap();
    let refused = |sources: Sources| shown(&sources, b"").unwrap_err();
    insta::assert_snapshot!(refused(nothing()), @r"
    there is nothing to seal
      hint: give a value: --prompt KEY asks for it, --from-file FILE and --stdin KEY read it
    ");
    insta::assert_snapshot!(refused(Sources { literal: vec!["hunter2".into()], ..nothing() }), @r"
    a --literal has no '='
      hint: write it as --literal KEY=VALUE, or better: --prompt KEY
    ");
    insta::assert_snapshot!(refused(Sources { literal: vec!["../a=hunter2".into()], ..nothing() }), @r"
    the key '../a' is no file name
      hint: functions read a value from a file of its key's name: use letters, digits, '-', '_' and '.'
    ");
    let twice = Sources { literal: vec!["a=1".into()], stdin: Some("a".into()), ..nothing() };
    assert_eq!(refused(twice), "the key 'a' is given twice");
    let lines = refused(Sources { from_env_file: vec![env.clone()], ..nothing() });
    assert!(lines.starts_with("line 2 of ") && !lines.contains("hunter2"), "{lines}");
    let missing = refused(Sources { from_file: vec!["k=/nowhere".into()], ..nothing() });
    assert!(missing.starts_with("/nowhere cannot be read"), "{missing}");
    let prompted = Sources { literal: vec!["a=1".into()], prompt: vec!["a".into()], ..nothing() };
    assert_eq!(refused(prompted), "the key 'a' is given twice");
}

#[test]
fn a_value_has_at_most_one_mebibyte() {
    let sources = || Sources { stdin: Some("k".into()), ..nothing() };
    let longest = [vec![b'x'; MAX_VALUE_BYTES], b"\r\n".to_vec()].concat();
    assert_eq!(shown(&sources(), &longest).unwrap()[0].1.len(), MAX_VALUE_BYTES);
    let longer = vec![b'x'; MAX_VALUE_BYTES + 1];
    assert!(shown(&sources(), &longer).unwrap_err().contains("longer than 1 MiB"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("k"), &longer).unwrap();
    let file = Sources { from_file: vec![folder.path().join("k").display().to_string()], ..nothing() };
    assert!(shown(&file, b"").unwrap_err().contains("longer than 1 MiB"));
}

#[test]
fn nothing_shows_a_literal() {
    let sources = Sources { literal: vec!["password=hunter2".into()], ..nothing() };
    assert!(!format!("{sources:?} {:?}", sources.read(&mut &b""[..]).unwrap()).contains("hunter2"));
}
