use super::*;

const VALUE: fn(&'static str) -> HeaderValue = HeaderValue::from_static;

fn through(given: &[(&'static str, &'static str)], client: &'static str, border: &Border) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(HeaderName::from_static(name), VALUE(value));
    }
    let (host, scheme, call_id) = (VALUE("alice.localhost:8000"), VALUE("http"), VALUE("id"));
    let address = VALUE(client);
    let arrival = Arrival { address: &address, host: &host, scheme: &scheme, call_id: &call_id, border };
    replace(&mut headers, &arrival, VALUE("127.0.0.1:8080"));
    headers
}

#[test]
fn what_a_client_says_about_itself_is_replaced() {
    let forged = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-user",
        "x-forwarded-port",
        "x_forwarded_for",
        "x-cloud-signature",
        "x-auth-user",
        "x-auth-signature",
        "x_auth_identity",
        "x-call-id",
        "x-real-ip",
        "x-callback-url",
        "expect",
        "x-original-url",
    ];
    let mut given: Vec<_> = forged.map(|name| (name, "forged")).to_vec();
    given.push(("x-hub-signature-256", "kept"));
    let headers = through(&given, "10.1.2.3", &Border::of(Side::Function));
    assert!(!headers.values().any(|value| value == "forged"), "{headers:?}");
    assert_eq!(headers["x-forwarded-for"], "10.1.2.3");
    assert_eq!(headers["x-forwarded-host"], "alice.localhost:8000");
    assert_eq!(headers["x-forwarded-port"], "8000");
    assert_eq!(headers["forwarded"], "for=10.1.2.3;host=\"alice.localhost:8000\";proto=http");
    assert_eq!(headers["host"], "127.0.0.1:8080");
    assert_eq!(headers["x-call-id"], "id");
    assert_eq!(headers["x-hub-signature-256"], "kept");
    let six = through(&[], "2001:db8::1", &Border::of(Side::Function));
    assert_eq!(six["forwarded"], "for=\"[2001:db8::1]\";host=\"alice.localhost:8000\";proto=http");
    assert_eq!(six["x-forwarded-for"], "2001:db8::1");
}

#[test]
fn each_side_gets_the_cookies_and_tokens_that_are_for_it() {
    let given = [
        ("cookie", "a=1; ofc_session=t; __Host-ofc_login=n"),
        ("cookie", "__host-OFC_state=s; b=2"),
        ("authorization", "Bearer ofct_abc"),
    ];
    let cookies = |headers: &HeaderMap| -> Vec<String> {
        headers.get_all("cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let function = through(&given, "10.1.2.3", &Border::of(Side::Function));
    assert_eq!(cookies(&function), ["a=1", "b=2"]);
    assert!(!function.contains_key("authorization"));
    let auth = through(&given, "10.1.2.3", &Border::of(Side::Auth));
    assert_eq!(cookies(&auth), ["ofc_session=t; __Host-ofc_login=n; __host-OFC_state=s"]);
    assert!(auth.contains_key("authorization"));
    let git = through(&given, "10.1.2.3", &Border::of(Side::Git));
    assert_eq!(cookies(&git).len(), 2);
    assert_eq!(cookies(&through(&[("cookie", "a=1")], "10.1.2.3", &Border::of(Side::Auth))), [""; 0]);
    for foreign in ["Bearer other", "Basic YTpi"] {
        let kept = through(&[("authorization", foreign)], "10.1.2.3", &Border::of(Side::Function));
        assert_eq!(kept["authorization"], foreign);
    }
    for ours in ["bearer  ofct_x", "Bearer\tofct_x", "ofct_x", "Basic ofct_x"] {
        let headers =
            through(&[("authorization", "Basic a"), ("authorization", ours)], "10.1.2.3", &Border::of(Side::Function));
        assert!(!headers.contains_key("authorization"), "{ours}");
    }
}

#[test]
fn who_calls_is_said_by_the_router_alone() {
    let caller: HeaderMap = [(HeaderName::from_static("x-auth-user"), VALUE("alice"))].into_iter().collect();
    let border = Border { caller: Some(Arc::new(caller)), ..Border::of(Side::Function) };
    let headers = through(&[("x-auth-user", "forged"), ("x-auth-orgs", "forged")], "10.1.2.3", &border);
    let users: Vec<_> = headers.get_all("x-auth-user").iter().collect();
    assert_eq!(users, ["alice"]);
    assert!(!headers.contains_key("x-auth-orgs"));
}

#[test]
fn a_function_cannot_set_or_clear_the_platform_s_cookies() {
    let set = [
        "a=1; Path=/",
        "ofc_session=forged",
        "__Host-ofc_session=forged; Secure",
        " OFC_Session = forged",
        "__secure-ofc_x=forged",
        "ofc_session",
        "=ofc_session=forged",
        "b=ofc_session",
    ];
    let answer = || {
        let mut headers: HeaderMap = set.map(|value| (header::SET_COOKIE, VALUE(value))).into_iter().collect();
        headers.append("clear-site-data", VALUE("\"cookies\""));
        headers
    };
    let left = |border: &Border| -> (Vec<String>, bool) {
        let mut headers = answer();
        border.let_out(&mut headers);
        let set = headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
        (set.collect(), headers.contains_key("clear-site-data"))
    };
    assert_eq!(left(&Border::of(Side::Function)), (vec!["a=1; Path=/".into(), "b=ofc_session".into()], false));
    assert_eq!(left(&Border::of(Side::Auth)).0.len(), set.len());
    let renewed = Border { renewed: Some(VALUE("ofc_session=new")), ..Border::of(Side::Function) };
    assert_eq!(left(&renewed).0.last().unwrap(), "ofc_session=new");
}
