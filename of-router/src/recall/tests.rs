use std::time::Duration;

use super::*;
use crate::passage::Again;

fn request(host: &str, target: &str) -> Request<()> {
    Request::builder().uri(target).header("host", host).body(()).unwrap()
}

fn remembered(request: &Request<()>, until: Instant) -> Recall {
    let callee = Callee::new("alice".parse().unwrap(), "alice-greet".parse().unwrap());
    let passage = Passage {
        to: To::Gateway,
        target: "/function/alice-greet".parse().unwrap(),
        host: HeaderValue::from_static("alice.example.com"),
        border: Border::of(Side::Function),
        callee: Some(callee),
        again: Some(Again { until, host: "alice.example.com".into() }),
    };
    let recall = Recall::default();
    recall.keep(request, &passage);
    recall
}

#[test]
fn what_was_decided_is_repeated_for_the_same_host_and_first_part() {
    let now = Instant::now();
    let until = now + Duration::from_secs(1);
    let recall = remembered(&request("Alice.example.com:80", "/greet"), until);
    let find = |host, target, named| recall.find(&request(host, target), named, now).map(|p| p.target.to_string());
    let found = |rest: &str| Some(format!("/function/alice-greet{rest}"));
    assert_eq!(find("Alice.example.com:80", "/greet", None), found(""));
    assert_eq!(find("Alice.example.com:80", "/greet/a%20b?x=/y", None), found("/a%20b?x=/y"));
    assert_eq!(find("Alice.example.com:80", "/greet?", None), found("?"));
    assert_eq!(find("Alice.example.com:80", "/greet", Some("alice.example.com")), found(""));
    assert_eq!(find("Alice.example.com:80", "/greet", Some("bob.example.com")), None, "another connection");
    assert_eq!(find("alice.example.com:80", "/greet", None), None, "another spelling is decided anew");
    assert_eq!(find("bob.example.com", "/greet", None), None);
    for path in ["/greets", "/", "/greet/../x", "/greet//x", "/greet/%2e%2e/x", "//greet", "/gree%74"] {
        assert_eq!(find("Alice.example.com:80", path, None), None, "{path}");
    }
    assert!(recall.find(&request("Alice.example.com:80", "/greet"), None, until).is_none(), "it is over");
}

#[test]
fn who_names_two_hosts_is_not_recognised() {
    let now = Instant::now();
    let recall = remembered(&request("alice.example.com", "/greet"), now + Duration::from_secs(1));
    let two = Request::builder().uri("/greet").header("host", "alice.example.com").header("host", "alice.example.com");
    assert!(recall.find(&two.body(()).unwrap(), None, now).is_none());
    let absolute = request("alice.example.com", "http://bob.example.com/greet");
    assert!(recall.find(&absolute, None, now).is_none());
    assert!(recall.find(&Request::builder().uri("/greet").body(()).unwrap(), None, now).is_none());
}

#[test]
fn invented_hosts_and_names_do_not_pile_up() {
    let until = Instant::now() + Duration::from_secs(1);
    let recall = remembered(&request("alice.example.com", "/greet"), until);
    let passage = recall.find(&request("alice.example.com", "/greet"), None, Instant::now()).unwrap();
    let passage = Passage { again: Some(Again { until, host: "alice.example.com".into() }), ..passage };
    // Each spelling with many functions: it is the product that has to stay small.
    for (port, number) in (0..200).flat_map(|port| (0..100).map(move |number| (port, number))) {
        recall.keep(&request(&format!("alice.example.com:{port}"), &format!("/f{number}")), &passage);
        recall.keep(&request("alice.example.com", "/greet"), &passage);
        let decisions = recall.0.lock().unwrap();
        assert!(decisions.count <= MOST, "{}", decisions.count);
    }
    let decisions = recall.0.lock().unwrap();
    assert_eq!(decisions.by_host.values().map(HashMap::len).sum::<usize>(), decisions.count);
}
