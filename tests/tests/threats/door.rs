//! What can be reached from outside, and by whom.

use end_to_end::{Platform, Repository, login, options, platform, raw};

/// Every function of the platform.
const FUNCTIONS: [&str; 10] = [
    "github-event",
    "github-push",
    "github-status",
    "git-tar",
    "buildshiprun",
    "garbage-collect",
    "pipeline-log",
    "list-functions",
    "audit-event",
    "echo",
];

/// Sends a request line as it is.
fn ask(platform: &Platform, host: &str, target: &str) -> (u16, String) {
    raw(platform.router(), &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

#[test]
fn s1_no_spelling_of_a_path_gets_past_the_router() {
    let platform = platform!();
    let spellings = [
        "/list-functions%20",
        "/list-functions?r=%20",
        "/%6cist-functions",
        "//list-functions",
        "/./list-functions",
        "/github-event/../list-functions",
        "/github-event/..%2flist-functions",
        "/github-event%2f..%2flist-functions",
        "/github-event/%2e%2e/list-functions",
        "/function/list-functions",
        "/system/functions",
        "/%20/list-functions",
        "/list-functions\t",
        "/github-event;/list-functions",
        "http://127.0.0.1/function/list-functions",
        "*",
    ];
    for host in ["system.localhost", "localhost", "127.0.0.1", "alice.localhost", "git.localhost"] {
        for spelling in spellings {
            let (status, answer) = ask(&platform, host, spelling);
            assert!((400..500).contains(&status), "{host} {spelling}: {answer}");
        }
    }
    let smuggled = "GET / HTTP/1.1\r\nHost: alice.localhost\r\nHost: system.localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(platform.router(), smuggled).0, 400);
}

#[test]
fn s2_a_tenant_list_that_cannot_be_read_stops_the_start() {
    let mut platform = platform!();
    platform.stop();
    let list = platform.data().join("customers");
    std::fs::write(&list, "alice\nnot a login!\n").unwrap();
    let said = platform.refuses_to_restart();
    assert!(said.contains("line 2 of the tenant list"), "{said}");
}

#[test]
fn s3_no_function_of_the_platform_is_public_but_the_webhooks() {
    let platform = Platform::start(options!().variable("enable_oauth", "false").variable("validate_hmac", "false"));
    for function in FUNCTIONS {
        let public = function == "github-event";
        let (status, _) = ask(&platform, "system.localhost", &format!("/{function}"));
        assert_eq!(status == 404, !public, "{function}: {status}");
        let (owner, rest) = function.split_once('-').unwrap_or((function, ""));
        for host in [owner, "localhost", "echo"] {
            let (status, answer) = ask(&platform, &format!("{host}.localhost"), &format!("/{rest}"));
            assert!((400..500).contains(&status), "{host} {function}: {answer}");
        }
    }
}

#[test]
fn s7_functions_that_tell_about_tenants_answer_nobody_unsigned() {
    let platform = platform!();
    for function in FUNCTIONS.iter().filter(|function| **function != "echo") {
        for path in ["", "/read", "/?user=alice"] {
            let url = format!("http://{}/function/{function}{path}", platform.gateway());
            for request in [reqwest::Client::new().get(&url), reqwest::Client::new().post(&url).body("{}")] {
                let answer = platform.send(request);
                assert!(
                    [401, 404, 405].contains(&answer.status),
                    "{function}{path}: {} {}",
                    answer.status,
                    answer.text
                );
            }
        }
    }
    for path in ["functions", "secrets", "info", "namespaces", "logs?name=x", "async/dead", "function/x", "nothing"] {
        let url = format!("http://{}/system/{path}", platform.gateway());
        assert_eq!(platform.send(reqwest::Client::new().get(&url)).status, 401, "{path}");
        let wrong = reqwest::Client::new().get(&url).basic_auth("admin", Some("admin"));
        assert_eq!(platform.send(wrong).status, 401, "{path}");
    }
}

#[test]
fn s11_what_a_client_says_about_itself_does_not_reach_a_function() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let host = format!("{}.localhost", repository.owner());
    let request = platform.to_router(reqwest::Method::GET, &host, "/a/headers");
    let request = request.header("x-forwarded-for", "6.6.6.6").header("x-forwarded-host", "evil.example");
    let request = request.header("x-real-ip", "6.6.6.6").header("x-cloud-signature", "v1=00").header("x-mine", "kept");
    let headers = platform.send(request).text.to_lowercase();
    assert!(!headers.contains("6.6.6.6") && !headers.contains("evil.example"), "{headers}");
    assert!(!headers.contains("x-cloud-signature") && headers.contains("x-mine: kept"), "{headers}");
    assert!(headers.contains(&format!("x-forwarded-host: {host}")), "{headers}");
}

#[test]
fn s12_an_owner_whose_name_begins_like_the_platforms_is_served() {
    let platform = platform!();
    let repository = Repository::with(&login("echoes"), "app", &[("system-metrics", "mine"), ("echo", "echo")]);
    repository.deploy(&platform);
    assert_eq!(platform.get(repository.owner(), "/system-metrics").text, "mine");
    assert_eq!(platform.get(repository.owner(), "/echo").text, "echo");
}
