use http::HeaderValue;

use super::*;

fn addresses(domain: &str, public: &str) -> Result<Addresses, BadAddress> {
    Addresses::new(&domain.parse().unwrap(), &public.parse().unwrap())
}

fn example() -> Addresses {
    addresses("example.com", "https://auth.system.example.com").unwrap()
}

#[test]
fn a_site_s_address_has_scheme_and_port_of_the_public_one() {
    let local = addresses("localhost", "http://auth.system.localhost:8000").unwrap();
    let alice = Site::Owner("alice".parse().unwrap());
    assert_eq!(local.at(&alice, &"/fn?a=b".parse().unwrap()), "http://alice.localhost:8000/fn?a=b");
    assert_eq!(local.host(&Site::System), "system.localhost");
    assert_eq!(local.issuer(), "http://auth.system.localhost:8000");
    assert!(!local.secure() && example().secure());
    assert_eq!(example().origin(&alice), "https://alice.example.com");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let wrong = |public: &str| addresses("example.com", public).unwrap_err();
    assert_eq!(wrong("ftp://auth.system.example.com"), BadAddress::Scheme);
    assert_eq!(wrong("https://auth.example.com"), BadAddress::Host("example.com".into()));
    for more in ["/auth", "/?a", "/#a"] {
        assert_eq!(wrong(&format!("https://auth.system.example.com{more}")), BadAddress::More, "{more}");
    }
    assert_eq!(wrong("https://me@auth.system.example.com"), BadAddress::More);
    for domain in ["", ".", "a..b", "-a.com", "a b", "a.com.", "a_b"] {
        assert_eq!(domain.parse::<Domain>(), Err(BadDomain), "{domain}");
    }
}

#[test]
fn s8_only_hosts_of_the_domain_are_sites() {
    let example = example();
    assert_eq!(example.site("alice.example.com"), Some(Site::Owner("alice".parse().unwrap())));
    assert_eq!(example.site("system.example.com"), Some(Site::System));
    assert_eq!(example.site("auth.system.example.com"), Some(Site::Auth));
    for hostile in [
        "",
        "example.com",
        ".example.com",
        "evil.org",
        "evil.org/.example.com",
        "evil.org?.example.com",
        "evil.org#.example.com",
        "evil.org\\.example.com",
        "evil@x.example.com",
        "a.b.example.com",
        "alice.example.com.evil.org",
        "aliceexample.com",
        "ALICE.example.com",
        "alice.example.com.",
        "alice.example.com:80",
        "git.example.com",
        "www.example.com",
        "auth.example.com",
        "-.example.com",
        "alice%2eexample.com",
        "alice.example.com\r\n",
    ] {
        assert_eq!(example.site(hostile), None, "{hostile}");
    }
}

#[test]
fn the_router_says_which_host_was_asked_for() {
    let asked = |values: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(*name, HeaderValue::from_static(value));
        }
        example().asked(&headers)
    };
    assert_eq!(asked(&[("x-forwarded-host", "AUTH.System.example.com:8443"), ("host", "x")]), Some(Site::Auth));
    assert_eq!(asked(&[("host", "system.example.com")]), Some(Site::System));
    assert_eq!(asked(&[]), None);
    assert_eq!(asked(&[("x-forwarded-host", "evil.org"), ("host", "system.example.com")]), None);
    let two = [("x-forwarded-host", "system.example.com"), ("x-forwarded-host", "alice.example.com")];
    assert_eq!(asked(&two), None, "two hosts are none");
    for port in [":", ":8o", ":123456", ":80:80"] {
        let host: &'static str = Box::leak(format!("system.example.com{port}").into_boxed_str());
        assert_eq!(asked(&[("x-forwarded-host", host)]), None, "{host}");
    }
}

#[test]
fn s8_only_local_paths_are_returned_to() {
    for fine in ["/", "/fn", "/fn/?a=b&c=%0d%0a", "/a//b", "/@evil.org", "/https://evil.org", "/.ofcx"] {
        assert_eq!(fine.parse::<LocalPath>().unwrap().as_str(), fine);
    }
    for hostile in [
        "",
        "fn",
        "//evil.org",
        "///evil.org",
        "/\\evil.org",
        "\\\\evil.org",
        "/a\\b",
        "/\t/evil.org",
        "/\r\nSet-Cookie: a=b",
        "/\0",
        " /",
        "/ a",
        "/a#b",
        "https://evil.org",
        "https:/evil.org",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\u{e4}",
        "/\u{ff0f}evil.org",
        "@evil.org",
        ".evil.org",
        "/.ofc/logout",
        "/.ofc/login?to=/",
        &format!("/{}", "a".repeat(MAX_PATH)),
    ] {
        assert_eq!(hostile.parse::<LocalPath>(), Err(NotLocal), "{hostile}");
    }
}
