use http::HeaderValue;
use sdk::identity::Organisation;

use super::*;

const HOST: &str = "acme.example.com";

fn caller(scopes: Option<&[Scope]>, by_cookie: bool) -> Caller {
    let organisation = |id, role| Organisation { id, login: "acme".parse().unwrap(), role };
    let who = Identity {
        host: "github.com".into(),
        id: 42,
        login: "alice".parse().unwrap(),
        organisations: vec![organisation(7, Role::Member), organisation(8, Role::Viewer), organisation(9, Role::Owner)],
        operator: true,
    };
    let (sub, aud, sid) = (who.subject(), HOST.into(), "s".into());
    let claims = Claims { iss: "i".into(), aud, sub, sid, iat: 1, exp: 2, who, last: None };
    let scopes = scopes.map(|scopes| Arc::new(scopes.iter().copied().collect()));
    Caller { claims: Arc::new(claims), scopes, by_cookie }
}

fn at(host: &str, id: u64) -> OwnerId {
    OwnerId { host: host.into(), id }
}

fn ask(need: Need<'_>, caller: Option<&Caller>, method: &Method, headers: &[(&'static str, &'static str)]) -> Decision {
    let headers = headers
        .iter()
        .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    decide(need, caller, method, &headers, HOST)
}

#[test]
fn a_role_is_needed_at_this_very_owner() {
    let alice = caller(None, true);
    let role = |role, owner: Option<&OwnerId>| ask(Need::Role(role, owner), Some(&alice), &Method::GET, &[]);
    for (id, as_member, as_owner) in [
        (42, Decision::Go, Decision::Go),
        (9, Decision::Go, Decision::Go),
        (7, Decision::Go, Decision::Forbidden),
        (8, Decision::Forbidden, Decision::Forbidden),
        (1, Decision::Forbidden, Decision::Forbidden),
        (0, Decision::Forbidden, Decision::Forbidden),
    ] {
        assert_eq!(role(Role::Member, Some(&at("github.com", id))), as_member, "{id}");
        assert_eq!(role(Role::Owner, Some(&at("github.com", id))), as_owner, "{id}");
        assert_eq!(role(Role::Member, Some(&at("gitlab.com", id))), Decision::Forbidden, "{id} elsewhere");
    }
    assert_eq!(role(Role::Viewer, None), Decision::Forbidden, "an owner that nobody knows");
    assert_eq!(ask(Need::Role(Role::Member, Some(&at("github.com", 7))), None, &Method::GET, &[]), Decision::SignIn);
    assert_eq!(ask(Need::Person, None, &Method::GET, &[]), Decision::SignIn);
    assert_eq!(ask(Need::Person, Some(&alice), &Method::POST, &[]), Decision::Go);
}

#[test]
fn an_identity_without_number_or_host_is_nobody() {
    for break_it in [|who: &mut Identity| who.id = 0, |who: &mut Identity| who.host.clear()] {
        let mut broken = caller(None, true);
        break_it(&mut Arc::make_mut(&mut broken.claims).who);
        assert_eq!(ask(Need::Person, Some(&broken), &Method::GET, &[]), Decision::SignIn);
        let owner = at(&broken.claims.who.host, broken.claims.who.id);
        let need = Need::Role(Role::Viewer, Some(&owner));
        assert_eq!(ask(need, Some(&broken), &Method::GET, &[]), Decision::SignIn);
    }
}

#[test]
fn a_token_serves_what_it_is_for() {
    let owner = at("github.com", 42);
    let function = Need::Role(Role::Member, Some(&owner));
    let cases = [
        (function, Method::GET, Scope::Invoke),
        (function, Method::POST, Scope::Invoke),
        (Need::Person, Method::GET, Scope::Read),
        (Need::Person, Method::HEAD, Scope::Read),
        (Need::Person, Method::POST, Scope::Write),
        (Need::Person, Method::DELETE, Scope::Write),
    ];
    for (need, method, wanted) in cases {
        for has in [Scope::Invoke, Scope::Read, Scope::Write] {
            let expected = if has == wanted { Decision::Go } else { Decision::Scope(wanted) };
            assert_eq!(ask(need, Some(&caller(Some(&[has]), false)), &method, &[]), expected, "{method} {has:?}");
        }
        assert_eq!(ask(need, Some(&caller(Some(&[]), false)), &method, &[]), Decision::Scope(wanted));
    }
}

#[test]
fn another_owner_s_page_cannot_use_a_visitor_s_session() {
    let owner = at("github.com", 42);
    let need = Need::Role(Role::Member, Some(&owner));
    let (cookie, token) = (caller(None, true), caller(None, false));
    let foreign: [&[(&'static str, &'static str)]; 6] = [
        &[("origin", "https://mallory.example.com")],
        &[("origin", "https://acme.example.com.evil.org")],
        &[("origin", "https://mallory@acme.example.com")],
        &[("origin", "null")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
    ];
    for headers in foreign {
        assert_eq!(ask(need, Some(&cookie), &Method::POST, headers), Decision::ForeignPage, "{headers:?}");
        assert_eq!(ask(need, Some(&token), &Method::POST, headers), Decision::Go, "{headers:?}");
        assert_eq!(ask(need, Some(&cookie), &Method::GET, headers), Decision::Go, "a page may be visited");
        let tunnel = [headers[0], ("connection", "upgrade"), ("upgrade", "websocket")];
        assert_eq!(ask(need, Some(&cookie), &Method::GET, &tunnel), Decision::ForeignPage, "{headers:?}");
    }
    let own: [&[(&'static str, &'static str)]; 5] = [
        &[],
        &[("origin", "https://acme.example.com")],
        &[("origin", "http://Acme.example.com:8000")],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ];
    for headers in own {
        assert_eq!(ask(need, Some(&cookie), &Method::POST, headers), Decision::Go, "{headers:?}");
    }
}
