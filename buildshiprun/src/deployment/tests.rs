use proptest::prelude::*;
use sdk::Env;
use sdk::deploy::{OrderImage, Settings};
use sdk::event::PushEvent;
use sdk::gateway::Resources;

use super::*;

fn order(settings: Settings) -> DeployOrder {
    DeployOrder {
        event: PushEvent {
            scm: sdk::event::Scm::Github,
            host: "git.localhost".to_owned(),
            owner: "alice".parse().unwrap(),
            owner_id: 7,
            repo: "Hello".parse().unwrap(),
            repo_id: 9,
            path: None,
            private: true,
            branch: "feature/x".to_owned(),
            default_branch: "main".to_owned(),
            sha: "6113728f27ae82c7b1a177c8d03f9e96e0adf246".parse().unwrap(),
            html_url: "http://git.localhost/alice/Hello".to_owned(),
            installation: 0,
            pusher: "alice".to_owned(),
            pinned: false,
            asked_at: None,
            rebuild: false,
            restart: Vec::new(),
        },
        function: "greet".parse().unwrap(),
        image: OrderImage::Build("alice/hello-greet:0".to_owned()),
        build_digest: "b".repeat(40),
        deploy_digest: "d".repeat(40),
        settings,
    }
}

fn rules_with(vars: &[(&str, &str)], tenants: &str) -> Result<Rules, sdk::ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers");
    std::fs::write(&path, tenants).unwrap();
    let vars = vars.iter().copied().chain([("customers_path", path.to_str().unwrap())]);
    let env = Env::from_map(vars, [("", ""); 0]);
    let reader = env.reader();
    let rules = Rules::read(&reader);
    reader.finish()?;
    Ok(rules?)
}

fn apply(settings: Settings) -> Result<FunctionDeployment, String> {
    let rules = rules_with(&[], "alice\nalice-x\n").unwrap();
    let name = "alice-greet".parse().unwrap();
    rules.apply(&order(settings), &name).map_err(|failure| failure.public().to_owned())
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn wished(memory: &str, cpu: &str) -> Option<Resources> {
    Some(Resources { memory: memory.to_owned(), cpu: cpu.to_owned() })
}

#[test]
fn a_function_without_wishes_gets_the_operators_defaults_and_the_platforms_labels() {
    let deployment = apply(Settings::default()).unwrap();
    let mut labels = deployment.labels.clone();
    let time: u64 = labels.remove(GIT_DEPLOY_TIME).unwrap().parse().unwrap();
    assert!(time > 1_700_000_000);
    let branch = labels.remove(sdk::labels::GIT_BRANCH).unwrap();
    assert!(branch.starts_with("feature-x-") && sdk::labels::value(&branch) == branch, "{branch}");
    let expected = map(&[
        ("app", "alice-greet"),
        ("faas_function", "alice-greet"),
        ("com.openfaas.cloud.build-digest", &"b".repeat(40)),
        ("com.openfaas.cloud.deploy-digest", &"d".repeat(40)),
        ("com.openfaas.cloud.git-cloud", "1"),
        ("com.openfaas.cloud.git-owner", "alice"),
        ("com.openfaas.cloud.git-owner-id", "7"),
        ("com.openfaas.cloud.git-private", "1"),
        ("com.openfaas.cloud.git-repo", "Hello"),
        ("com.openfaas.cloud.git-repo-id", "9"),
        ("com.openfaas.cloud.git-scm", "git.localhost"),
        ("com.openfaas.cloud.git-sha", "6113728f27ae82c7b1a177c8d03f9e96e0adf246"),
        ("com.openfaas.scale.factor", "20"),
        ("com.openfaas.scale.max", "4"),
        ("com.openfaas.scale.min", "1"),
        ("com.openfaas.scale.zero", "true"),
    ]);
    assert_eq!(labels, expected);
    assert_eq!(deployment.limits, wished("128Mi", "500m"));
    assert_eq!(deployment.requests, wished("", "100m"));
    assert_eq!(deployment.read_only_root_filesystem, Some(true));
    assert_eq!(deployment.annotations, map(&[("com.openfaas.cloud.git-repo-url", "http://git.localhost/alice/Hello")]));
}

#[test]
fn an_author_cannot_set_the_platforms_labels_and_annotations() {
    let settings = Settings {
        labels: map(&[(sdk::labels::GIT_OWNER_ID, "1"), (sdk::labels::ROLE, "openfaas-system"), ("mine", "x")]),
        annotations: map(&[("topic", "orders"), ("com.openfaas.cloud.git-repo-url", "http://evil"), ("x", "y")]),
        ..Settings::default()
    };
    let deployment = apply(settings).unwrap();
    assert_eq!(deployment.labels[sdk::labels::GIT_OWNER_ID], "7");
    assert!(!deployment.labels.contains_key("mine") && !deployment.labels.contains_key(sdk::labels::ROLE));
    let expected = map(&[("topic", "orders"), ("com.openfaas.cloud.git-repo-url", "http://git.localhost/alice/Hello")]);
    assert_eq!(deployment.annotations, expected);
}

#[test]
fn an_author_says_who_may_call_a_function_and_where_it_is() {
    use sdk::labels::{ACCESS, DOMAINS};
    let wish = |name: &str, value: &str| {
        apply(Settings { annotations: map(&[(name, value)]), ..Settings::default() })
            .map(|d| d.annotations[name].clone())
    };
    for access in ["public", "members", "owner"] {
        assert_eq!(wish(ACCESS, access).unwrap(), access);
    }
    for wrong in ["", "Members", "member", "all", "owner ", "public,owner"] {
        let text = wish(ACCESS, wrong).unwrap_err().to_string();
        let clear = format!("{ACCESS} has to be public, members or owner, and is '{wrong}'");
        assert!(text.contains(&clear), "{text}");
    }
    for domains in ["www.example.com", "a.example.org, xn--bcher-kva.example"] {
        assert_eq!(wish(DOMAINS, domains).unwrap(), domains);
    }
    let many = vec!["a.example.com"; 21].join(",");
    for wrong in [
        "",
        "localhost",
        "*.example.com",
        "a.com,",
        "https://a.com",
        "127.0.0.1",
        "a_b.com",
        "a.com:80",
        "ä.com",
        &many,
    ] {
        let text = wish(DOMAINS, wrong).unwrap_err().to_string();
        assert!(text.contains(DOMAINS), "{text}");
    }
}

#[test]
fn wishes_within_the_bounds_are_granted() {
    let settings = Settings {
        limits: wished("512Mi", "1"),
        requests: wished("64m", "0.2"),
        labels: map(&[
            ("com.openfaas.scale.min", "2"),
            ("com.openfaas.scale.max", "3"),
            ("com.openfaas.scale.zero", "false"),
            ("com.openfaas.scale.zero-duration", "1h30m"),
            ("com.openfaas.scale.type", "rps"),
            ("com.openfaas.scale.target", "50"),
            ("com.openfaas.scale.target-proportion", "0.7"),
        ]),
        read_only_root_filesystem: Some(false),
        secrets: vec!["db".to_owned()],
        environment: map(&[("write_debug", "true")]),
        env_process: Some("python3 index.py".to_owned()),
        ..Settings::default()
    };
    let deployment = apply(settings).unwrap();
    assert_eq!((deployment.limits, deployment.requests), (wished("512Mi", "1000m"), wished("64Mi", "200m")));
    assert_eq!(deployment.read_only_root_filesystem, Some(false));
    assert_eq!(deployment.secrets, ["alice-db"]);
    assert_eq!(deployment.env_process, "python3 index.py");
    for (label, value) in
        [("min", "2"), ("max", "3"), ("zero", "false"), ("zero-duration", "1h30m"), ("target-proportion", "0.7")]
    {
        assert_eq!(deployment.labels[&format!("com.openfaas.scale.{label}")], value);
    }
}

#[test]
fn wishes_beyond_the_bounds_are_refused_with_the_bound() {
    let limits = |limits| Settings { limits, ..Settings::default() };
    let requests = |requests| Settings { requests, ..Settings::default() };
    for (settings, sentence) in [
        (limits(wished("1Gi", "")), "limits.memory: 1024Mi is more than the 512Mi that a function may have here"),
        (limits(wished("", "8")), "limits.cpu: 8000m is more than the 1000m that a function may have here"),
        (
            limits(wished("much", "")),
            "limits.memory: \"much\" is not an amount of memory such as 128Mi, of at least 6Mi",
        ),
        (
            limits(wished("", "1m")),
            "limits.cpu: \"1m\" is not a number of processors such as 500m or 0.5, of at least 10m",
        ),
        (requests(wished("256Mi", "")), "requests.memory: 256Mi is more than the 128Mi that a function may have here"),
        (requests(wished("", "600m")), "requests.cpu: 600m is more than the 500m that a function may have here"),
    ] {
        assert_eq!(apply(settings).unwrap_err(), sentence);
    }
}

#[test]
fn scaling_wishes_that_make_no_sense_are_refused_by_their_label() {
    for (label, value) in [
        ("max", "5"),
        ("max", "0"),
        ("min", "-1"),
        ("min", "many"),
        ("factor", "101"),
        ("target", "0"),
        ("target-proportion", "1.5"),
        ("target-proportion", "NaN"),
        ("type", "magic"),
        ("zero", "maybe"),
        ("zero-duration", "1s"),
        ("zero-duration", "25h"),
        ("zero-duration", "1d"),
    ] {
        let label = format!("com.openfaas.scale.{label}");
        let settings = Settings { labels: map(&[(&label, value)]), ..Settings::default() };
        let sentence = apply(settings).unwrap_err();
        assert!(sentence.starts_with(&format!("the label {label}: \"{value}\" is not ")), "{sentence}");
    }
}

#[test]
fn secrets_of_others_cannot_be_mounted() {
    let secrets = |name: &str| Settings { secrets: vec![name.to_owned()], ..Settings::default() };
    assert_eq!(apply(secrets("db")).unwrap().secrets, ["alice-db"]);
    for name in ["../db", "DB", "", "a b", "x-db"] {
        assert!(apply(secrets(name)).is_err(), "{name}");
    }
    assert!(apply(secrets("x-db")).unwrap_err().contains("alice-x-db, which belongs to someone else"));
    let rules = rules_with(&[], "payload\n").unwrap();
    let mut payload = order(secrets("secret"));
    payload.event.owner = "payload".parse().unwrap();
    let refused = rules.apply(&payload, &"payload-greet".parse().unwrap()).unwrap_err();
    assert!(refused.public().contains("payload-secret, which belongs to someone else"));
}

fn mounted(names: &[(&str, &[&str])]) -> BTreeMap<sdk::secrets::SecretName, sdk::secrets::Mounted> {
    let one = |(name, names): &(&str, &[&str])| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        (name.parse().unwrap(), sdk::secrets::Mounted { version: "v1".to_owned(), names })
    };
    names.iter().map(one).collect()
}

#[test]
fn secrets_are_mounted_by_the_names_that_import_secrets_knows() {
    let settings = |names: &[(&str, &[&str])]| Settings {
        secrets: vec!["api".to_owned(), "db".to_owned()],
        mounted: mounted(names),
        ..Settings::default()
    };
    let both: [(&str, &[&str]); 2] = [("api", &["alice-api"]), ("db", &["alice-db.user", "alice-db.Pass_word-1.txt"])];
    let expected = ["alice-api", "alice-db.Pass_word-1.txt", "alice-db.user"];
    assert_eq!(apply(settings(&both)).unwrap().secrets, expected);
    assert_eq!(apply(settings(&both[..1])).unwrap().secrets, ["alice-api", "alice-db"], "one that is not known");
}

#[test]
fn s32_names_that_are_not_the_secrets_own_cannot_be_mounted() {
    let try_to_mount = |secret: &str, names: &[&str]| {
        let (secrets, mounted) = (vec![secret.to_owned()], mounted(&[(secret, names)]));
        apply(Settings { secrets, mounted, ..Settings::default() }).map(|deployment| deployment.secrets)
    };
    let long = format!("alice-db.{}", "k".repeat(250));
    for stolen in [
        "payload-secret",
        "bob-db",
        "alice-x-db",
        "alice-dbx",
        "alice-db-x",
        "alice-api",
        "alice-db.",
        "alice-db/../x",
        "alice-db.a/b",
        "alice-db. a",
        "alice-db.\u{e4}",
        "Alice-db",
        " alice-db",
        "",
        &long,
    ] {
        let refused = try_to_mount("db", &[stolen]).unwrap_err();
        assert!(refused.contains("is no name of the secret db, which is alice-db"), "{stolen}: {refused}");
        assert!(try_to_mount("db", &["alice-db", stolen]).is_err(), "{stolen}");
    }
    assert!(try_to_mount("db", &[]).unwrap_err().contains("has no name at the gateway"));
    // The names would be the other tenant's.
    assert!(try_to_mount("x-db", &["alice-x-db"]).unwrap_err().contains("belongs to someone else"));
    assert!(try_to_mount("x-db", &["alice-x-db.key"]).unwrap_err().contains("belongs to someone else"));
    // One that stack.yml does not have.
    let unasked = Settings { mounted: mounted(&[("db", &["alice-db"])]), ..Settings::default() };
    assert!(apply(unasked).unwrap_err().contains("none of the function's secrets"));
    let keys: Vec<String> = (0..257).map(|key| format!("alice-db.{key}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert!(try_to_mount("db", &keys).unwrap_err().contains("256 keys together, not 257"));
}

#[test]
fn environments_that_no_process_can_have_are_refused() {
    let environment = |environment| Settings { environment, ..Settings::default() };
    for (name, value) in [("", "x"), ("a=b", "x"), ("1a", "x"), ("ok", "a\0b")] {
        assert!(apply(environment(map(&[(name, value)]))).is_err(), "{name:?}");
    }
    assert!(apply(environment(map(&[("big", &"x".repeat(MAX_ENVIRONMENT_BYTES))]))).is_err());
}

#[test]
fn bounds_that_contradict_each_other_stop_the_start() {
    for (name, value, named) in [
        ("function_memory_limit_mb_max", "64", "function_memory_limit_mb_max"),
        ("function_cpu_limit_milli", "1", "function_cpu_limit_milli"),
        ("scaling_min_limit", "9", "scaling_min_limit"),
        ("scaling_factor", "200", "scaling_factor"),
        ("readonly_root_filesystem", "perhaps", "readonly_root_filesystem"),
    ] {
        let error = rules_with(&[(name, value)], "alice\n").err().unwrap();
        assert_eq!(error.problems()[0].name, named);
    }
    assert!(rules_with(&[("function_memory_limit_mb", "2048")], "alice\n").is_ok());
}

#[test]
fn the_same_order_again_keeps_the_time_and_another_does_not() {
    let mut wanted = apply(Settings::default()).unwrap();
    wanted.image = "a@sha256:0".to_owned();
    let mut labels = wanted.labels.clone();
    labels.insert(GIT_DEPLOY_TIME.to_owned(), "12345".to_owned());
    let deployed = FunctionStatus { image: wanted.image.clone(), labels, ..FunctionStatus::default() };
    let mut other = FunctionDeployment { image: "a@sha256:1".to_owned(), ..wanted.clone() };
    keep_time_if_same(&mut other, &deployed, false);
    assert_ne!(other.labels[GIT_DEPLOY_TIME], "12345");
    let mut restarted = other.clone();
    keep_time_if_same(&mut restarted, &deployed, true);
    assert_eq!(restarted.labels[GIT_DEPLOY_TIME], "12345", "a restart is no deployment of a commit");
    keep_time_if_same(&mut wanted, &deployed, false);
    assert_eq!(wanted.labels[GIT_DEPLOY_TIME], "12345");
}

proptest! {
    // Each case reads the tenant list anew.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_wish_makes_it_panic_or_leaves_the_bounds(text in "\\PC{0,12}", number in "[0-9.]{0,12}[a-zA-Z]{0,2}") {
        for text in [&text, &number] {
            let settings = Settings { limits: wished(text, ""), ..Settings::default() };
            if let Ok(deployment) = apply(settings) {
                let granted = crate::quantity::memory(&deployment.limits.unwrap().memory).unwrap();
                prop_assert!(granted <= 512 * 1024 * 1024);
            }
            for label in ["min", "max", "factor", "target", "target-proportion", "type", "zero", "zero-duration"] {
                let label = format!("com.openfaas.scale.{label}");
                let _ = apply(Settings { labels: map(&[(&label, text)]), ..Settings::default() });
            }
        }
    }
}
