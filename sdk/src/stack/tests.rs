use super::*;

const HEAD: &str = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n";

fn stack(functions: &str) -> Stack {
    parse(&format!("{HEAD}{functions}")).unwrap()
}

fn refusal(functions: &str) -> String {
    parse(&format!("{HEAD}{functions}")).unwrap_err().to_string()
}

const FULL: &str = r#"  hello:
    lang: python3
    handler: ./hello
    image: ${PREFIX:-me}/hello:${TAG:-latest}
    fprocess: python3 index.py
    environment:
      ratio: 1.50
      mode: 0644
      answer: yes
      flag: true
      nothing:
      quoted: "a: b"
    environment_file: [env.yml, more.yml]
    secrets: [db-password]
    labels: {com.openfaas.scale.zero: false}
    annotations: {topic: cron}
    limits: {memory: 128Mi, cpu: 500m}
    requests: {cpu: 0.5}
    readonly_root_filesystem: true
    build_args: {GO111MODULE: off}
    build_options: [dev]
"#;

#[test]
fn values_keep_their_text() {
    let stack = stack(FULL);
    let hello = &stack.functions[0];
    let value = |name: &str| hello.environment[name].as_str();
    assert_eq!(
        [value("ratio"), value("mode"), value("answer"), value("flag"), value("nothing"), value("quoted")],
        ["1.50", "0644", "yes", "true", "", "a: b"]
    );
    assert_eq!(hello.image.as_deref(), Some("me/hello:latest"));
    assert_eq!(hello.position, Position { line: 5, column: 3 });
    assert_eq!(hello.limits, Some(Resources { memory: "128Mi".to_owned(), cpu: "500m".to_owned() }));
    assert_eq!(hello.requests.as_ref().unwrap().cpu, "0.5");
    assert_eq!(hello.build_args["GO111MODULE"], "off");
    assert_eq!((hello.read_only_root_filesystem, hello.skip_build), (Some(true), false));
    assert_eq!(hello.environment_files, ["env.yml", "more.yml"]);
    assert!(stack.warnings.is_empty(), "{:?}", stack.warnings);
}

#[test]
fn functions_keep_their_order() {
    let names: Vec<String> = stack("  z: {lang: a, handler: b}\n  a: {lang: a, handler: b}\n")
        .functions
        .iter()
        .map(|f| f.name.to_string())
        .collect();
    assert_eq!(names, ["z", "a"]);
}

#[test]
fn anchors_and_merges_work() {
    let text = "x-common: &common\n  lang: go\n  environment: &env {a: 1}\nprovider: {name: openfaas}\nfunctions:\n  one:\n    <<: *common\n    handler: ./one\n  two:\n    lang: go\n    handler: two\n    environment:\n      <<: *env\n      b: 2\n";
    let stack = parse(text).unwrap();
    assert_eq!(stack.functions[0].environment["a"], "1");
    assert_eq!(stack.functions[1].environment.len(), 2);
    assert!(stack.warnings.is_empty());
}

#[test]
fn unknown_keys_are_warned_about() {
    let stack = stack("  f:\n    lang: go\n    handler: f\n    colour: red\n    platforms: linux/arm64\n");
    assert_eq!(stack.warnings.len(), 2);
    assert_eq!(stack.warnings[0], "line 8, column 5: function 'f': the key 'colour' is not used here");
}

#[test]
fn invalid_yaml_says_line_and_column() {
    let error = refusal("  f:\n    lang: go\n   handler: f\n");
    assert!(error.starts_with("line 7, column "), "{error}");
    assert!(!error[8..].contains("line 7"), "{error}");
    let error = refusal("  f:\n    lang: [go\n    handler: f\n");
    assert!(error.starts_with("line "), "{error}");
    let error = refusal("  f:\n    environment: 3\n");
    assert!(error.starts_with("line 6, column 18: "), "{error}");
}

#[test]
fn sentences_are_for_whoever_wrote_the_file() {
    for (functions, says) in [
        ("  f: x\n", "line 5, column 6: a mapping ('key: value') is needed here"),
        ("  f:\n    environment: [a]\n", "line 6, column 18: a mapping ('key: value') is needed here"),
        ("  f:\n    secrets: a\n", "line 6, column 14: a list is needed here"),
        ("  f:\n    lang: [a]\n", "line 6, column 11: a single value is needed here"),
        ("  f: {lang: a}\n  f: {lang: b}\n", "line 6, column 3: the key 'f' is there twice"),
        ("  f: {lang: *x}\n", "line 5, column 13: alias references unknown anchor"),
        ("  f: {lang: 'abc}\n", "line 5, column 13: unclosed quote"),
        ("\tf: x\n", "line 5, column 2: tabs disallowed within this context (block indentation)"),
        ("  f: {skip_build: maybe}\n", "line 5, column 19: true or false is needed here"),
    ] {
        assert_eq!(refusal(functions), says);
    }
    let two = parse("provider: {name: openfaas}\n---\na: b\n").unwrap_err().to_string();
    assert_eq!(two, "line 3, column 1: there may be only one document ('---') in the file");
}

#[test]
fn places_are_those_of_the_file_as_written() {
    let text = format!("{HEAD}  f: {{lang: \"${{LONG_VARIABLE_NAME:-go}}\", handler: f, environment: 3}}\n");
    let column = text.lines().nth(4).unwrap().find(": 3").unwrap() + 3;
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.starts_with(&format!("line 5, column {column}: ")), "{error}");
}

#[test]
fn duplicates_are_refused() {
    for functions in
        ["  f: {lang: a, handler: b}\n  f: {lang: a, handler: b}\n", "  f:\n    lang: a\n    handler: b\n    lang: c\n"]
    {
        let error = refusal(functions);
        assert!(error.contains("is there twice"), "{error}");
    }
}

#[test]
fn s18_names_are_checked() {
    for name in ["../../victim", "Hello", "a_b", "-a", "'a b'", "\"a\\u001bb\"", &"x".repeat(64)] {
        let error = refusal(&format!("  {name}: {{lang: go, handler: f}}\n"));
        assert!(error.starts_with("line 5, column 3: function '") && error.contains("RFC 1123"), "{error}");
        assert!(!error.contains('\u{1b}'));
    }
}

#[test]
fn paths_and_languages_are_checked() {
    for (body, says) in [
        ("lang: go, handler: ../x", "leaves the repository"),
        ("lang: go, handler: /etc", "absolute path"),
        ("lang: ../x, handler: f", "is not a template's name"),
        ("lang: go", "'handler' is missing"),
        ("handler: f", "'lang' is missing"),
        ("lang: go, handler: f, environment_file: [../secrets]", "environment_file"),
        ("lang: go, handler: f, environment_file: [.]", "is not a file"),
        ("lang: go, handler: f, secrets: [../x]", "not a secret's name"),
        ("lang: go, handler: f, environment: {'A=B': 1}", "name of a variable"),
        ("lang: go, handler: f, namespace: kube-system", "'namespace' cannot be chosen"),
        ("skip_build: true, image: x, build_secrets: {a: b}", "'build_secrets' has no use with 'skip_build'"),
        ("skip_build: true", "'skip_build' needs an 'image'"),
    ] {
        let error = refusal(&format!("  f: {{{body}}}\n"));
        assert!(error.starts_with("line 5, column 3: function 'f': ") && error.contains(says), "{body}: {error}");
    }
}

#[test]
fn a_prebuilt_image_needs_no_language() {
    assert!(stack("  f: {skip_build: true, image: 'me/x:1'}\n").functions[0].skip_build);
}

#[test]
fn provider_and_version_are_checked() {
    assert_eq!(parse("provider: {name: faas}\n").unwrap_err().to_string(), "provider.name is 'faas': write 'openfaas'");
    assert_eq!(parse("functions: {}\n").unwrap_err().to_string(), "provider.name is '': write 'openfaas'");
    assert!(parse("provider: {name: openfaas}\nversion: 2\n").unwrap_err().to_string().contains("write '1.0'"));
    assert!(parse("provider: {name: openfaas}\nfunctions:\n").unwrap().functions.is_empty());
}

#[test]
fn things_that_are_no_stack_file_are_refused() {
    for text in ["", "[]", "3", "\0", "- a\n- b\n", "a: b\n---\nc: d\n", "provider: {name: openfaas}\nfunctions: [a]\n"]
    {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn ten_thousand_functions_are_refused() {
    let many: String = (0..10_000).map(|n| format!("  f{n}: {{lang: go, handler: f}}\n")).collect();
    assert_eq!(refusal(&many), "the stack has 10000 functions and may have 200: split it over several repositories");
}

#[test]
fn a_large_file_is_refused() {
    let error = refusal(&"#".repeat(600 * 1024));
    assert!(error.contains("may have 524288"), "{error}");
}

#[test]
fn the_billion_laughs_are_refused_quickly() {
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![previous; 9].join(", ")));
    }
    let started = std::time::Instant::now();
    assert!(parse(&bomb).is_err());
    assert!(parse(&format!("{bomb}{HEAD}  f: {{lang: go, handler: f, secrets: *a11}}\n")).is_err());
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn deep_nesting_is_refused() {
    assert!(parse(&format!("a: {}", "[".repeat(100_000))).is_err());
    assert!(parse(&(0..2_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>()[..500 * 1024]).is_err());
}

#[test]
fn configuration_is_checked() {
    let stack = parse(&format!(
        "{HEAD}configuration:\n  copy: [./sdk]\n  templates:\n  - name: go\n    source: https://github.com/x/y#v1\n"
    ))
    .unwrap();
    assert_eq!(stack.copy, ["./sdk"]);
    assert_eq!(stack.templates[0].source, "https://github.com/x/y#v1");
    for copy in ["..", ".", "/etc", ".git"] {
        assert!(parse(&format!("{HEAD}configuration: {{copy: [{copy}]}}\n")).is_err(), "{copy}");
    }
}

#[test]
fn s28_nothing_of_our_environment_gets_in() {
    let stack = stack("  f: {lang: go, handler: f, environment: {p: \"${PATH}${HOME}\", q: '$PATH'}}\n");
    assert_eq!(
        (stack.functions[0].environment["p"].as_str(), stack.functions[0].environment["q"].as_str()),
        ("", "$PATH")
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-c:{}\\[\\]&*<$\n \"'#|>-]{0,80}") {
        let _ = parse(&text);
        let _ = parse(&format!("{HEAD}  f: {text}"));
    }
}
