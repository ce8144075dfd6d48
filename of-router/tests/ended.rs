//! What somebody has opened ends with the session or the API token that opened it.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use of_router::{Change, Config};
use session::protocol::Scope;
use support::auth::{Auth, person};
use support::{DEADLINE, Gateway, Router, config, read_until, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const ALICE: &str = "alice.localhost";

struct Place {
    gateway: Gateway,
    auth: Auth,
    router: Router,
    tell: mpsc::Sender<Change>,
    config: Config,
}

async fn place(change: impl FnOnce(&mut Config)) -> Place {
    let (gateway, auth) = (Gateway::start().await, Auth::start().await);
    gateway.deploy_with("alice-ours", "alice", 42, &[("com.openfaas.cloud.access", "members")]);
    let mut config = auth.behind(config(gateway.address));
    change(&mut config);
    let (router, tell) = Router::start_changing(config.clone()).await;
    for name in ["ofct_one", "ofct_two"] {
        auth.api_token(name, &person("alice", 42), &[Scope::Invoke]);
    }
    // Who is told nothing yet could not be told of an end.
    until("the router listens", async || auth.listeners() > 0).await;
    Place { gateway, auth, router, tell, config }
}

impl Place {
    /// A tunnel that stands.
    async fn tunnel(&self, credential: &str) -> TcpStream {
        let mut stream = self.router.connect().await;
        let ask = format!(
            "GET /ours/live HTTP/1.1\r\nhost: {ALICE}\r\norigin: http://{ALICE}\r\n{credential}\r\n\
             connection: Upgrade\r\nupgrade: websocket\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await.unwrap();
        assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 101"));
        carries(&mut stream).await;
        stream
    }

    /// An answer of which a part is there.
    async fn answer(&self, token: &str) -> reqwest::Response {
        let mut answer = self.router.get(ALICE, "/ours/drip").bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
        answer
    }
}

async fn carries(stream: &mut TcpStream) {
    stream.write_all(b"to and fro").await.unwrap();
    read_until(stream, "to and fro").await;
}

async fn ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(ended.is_err() || rest.is_empty());
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

fn cookie(token: &str) -> String {
    format!("cookie: ofc_session={token}")
}

#[tokio::test]
async fn a_tunnel_ends_with_the_token_that_opened_it_and_no_other_does() {
    let place = place(|_| ()).await;
    let (one, mut two) = (place.tunnel(&bearer("ofct_one")).await, place.tunnel(&bearer("ofct_two")).await);
    let again = place.tunnel(&bearer("ofct_one")).await;
    place.auth.revoke("sid-of-ofct_one");
    ends(one).await;
    ends(again).await;
    carries(&mut two).await;
    place.router.stop().await;
}

#[tokio::test]
async fn a_tunnel_ends_with_the_session_that_opened_it() {
    let place = place(|_| ()).await;
    let token = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    let stream = place.tunnel(&cookie(&token)).await;
    place.auth.revoke("s1");
    ends(stream).await;
}

#[tokio::test]
async fn a_tunnel_ends_when_the_session_s_time_is_over() {
    let place = place(|_| ()).await;
    let token = place.auth.last_token(&person("alice", 42), "s1", ALICE, 2);
    ends(place.tunnel(&cookie(&token)).await).await;
}

#[tokio::test]
async fn an_answer_breaks_off_with_the_token_that_asked_for_it() {
    let place = place(|_| ()).await;
    let (mut one, mut two) = (place.answer("ofct_one").await, place.answer("ofct_two").await);
    place.auth.revoke("sid-of-ofct_one");
    let broken = tokio::time::timeout(DEADLINE, one.chunk()).await.unwrap();
    assert!(broken.is_err(), "it does not look as if it were whole");
    let more = tokio::time::timeout(Duration::from_millis(50), two.chunk()).await;
    assert!(more.is_err(), "the other goes on");
}

#[tokio::test]
async fn who_waits_for_an_answer_is_refused_when_the_session_or_token_ends() {
    let place = place(|_| ()).await;
    let session = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    let by_token = place.router.get(ALICE, "/ours/slow").bearer_auth("ofct_one");
    let by_cookie = place.router.get(ALICE, "/ours/slow").header("cookie", format!("ofc_session={session}"));
    let asked = [by_token, by_cookie].map(|request| tokio::spawn(request.header("accept", "text/html").send()));
    let other = tokio::spawn(place.router.get(ALICE, "/ours/slow").bearer_auth("ofct_two").send());
    until("all are with the function", async || place.gateway.reached().len() == 3).await;
    place.auth.revoke("sid-of-ofct_one");
    place.auth.revoke("s1");
    for asked in asked {
        let answer = tokio::time::timeout(DEADLINE, asked).await.unwrap().unwrap().unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()), (401, "no-store"));
        assert!(answer.text().await.unwrap().contains(r#"href="">Sign in</a>"#));
    }
    assert!(!other.is_finished(), "the other goes on");
    let again = place.router.get(ALICE, "/ours/x").bearer_auth("ofct_two").send().await.unwrap();
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn who_waits_is_refused_when_the_session_s_time_is_over() {
    let place = place(|_| ()).await;
    let token = place.auth.last_token(&person("alice", 42), "s1", ALICE, 2);
    let answer = place.router.get(ALICE, "/ours/slow").header("cookie", format!("ofc_session={token}")).send();
    assert_eq!(answer.await.unwrap().status(), 401);
}

#[tokio::test]
async fn nobody_waits_while_nobody_can_tell_what_has_ended() {
    let place = place(|config| config.auth_silence = Duration::from_millis(200)).await;
    let waiting = tokio::spawn(place.router.get(ALICE, "/ours/slow").bearer_auth("ofct_one").send());
    until("it is with the function", async || place.gateway.reached().len() == 1).await;
    place.auth.fall_silent(true);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 503);
}

#[tokio::test]
async fn what_was_opened_under_an_old_configuration_ends_as_well() {
    let mut place = place(|_| ()).await;
    let (mut stream, mut answer) = (place.tunnel(&bearer("ofct_one")).await, place.answer("ofct_one").await);
    place.config.max_body_bytes = 1;
    place.tell.send(Change::Config(Box::new(place.config.clone()))).await.unwrap();
    let changed = async || {
        let asked = place.router.post(ALICE, "/ours/x").bearer_auth("ofct_two").body("long").send().await;
        asked.unwrap().status() == 413
    };
    until("the configuration is the new one", changed).await;
    carries(&mut stream).await;
    place.auth.revoke("sid-of-ofct_one");
    ends(stream).await;
    assert!(tokio::time::timeout(DEADLINE, answer.chunk()).await.unwrap().is_err());
}

#[tokio::test]
async fn nothing_stays_open_while_nobody_can_tell_what_has_ended() {
    let place = place(|config| config.auth_silence = Duration::from_millis(200)).await;
    let stream = place.tunnel(&bearer("ofct_one")).await;
    place.auth.fall_silent(true);
    ends(stream).await;
}
