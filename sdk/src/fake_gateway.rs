//! A gateway for tests: it keeps functions and messages in memory and has the routes that this project calls.
//!
//! It refuses what is not signed for the function that is called, and operator calls without its credentials.
//! What a function would do with a message it does not decide: messages are kept, to be looked at.

mod forged;
mod functions;
mod messages;
mod secrets;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

pub use forged::forgeries;

use crate::gateway::{FunctionStatus, Load};

/// The `payload-secret` of tests.
pub const PAYLOAD_SECRET: &str = "payload-secret-of-tests";
const USER: &str = "operator";
const PASSWORD: &str = "password-of-tests";
/// How long a test waits for something that should happen at once.
const DEADLINE: Duration = Duration::from_secs(20);

/// A message that a function was sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// The function.
    pub function: String,
    /// `X-Call-Id`.
    pub call: String,
    /// True if it went into the queue.
    pub queued: bool,
    /// As it came.
    pub body: Vec<u8>,
}

impl Message {
    /// The message, read.
    ///
    /// # Panics
    /// When it is not a `T`.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn read<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).expect("the message is of another type")
    }
}

/// A secret as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeSecret {
    /// Its value.
    pub value: Vec<u8>,
    /// The name of the file that functions are to see; empty where nothing was said.
    pub file_name: String,
}

/// What becomes of a call.
enum Fate {
    /// It is worked on.
    Worked,
    /// It is answered so instead.
    Refused(StatusCode, String),
    /// It is never answered.
    Stalled,
}

#[derive(Default)]
struct Kept {
    functions: BTreeMap<String, FunctionStatus>,
    messages: Vec<Message>,
    secrets: BTreeMap<String, FakeSecret>,
    /// How often secrets were written.
    secret_writes: usize,
    /// By route (`PUT /system/functions`, `POST /function/NAME`): what becomes of the next calls.
    fates: BTreeMap<String, VecDeque<Fate>>,
    /// How many times a function that was just deployed is shown as not ready.
    polls_until_ready: u32,
    unready: BTreeMap<String, u32>,
    /// How much waits; a gateway that knows nothing of it where unset.
    load: Option<Load>,
    /// By function: what stands in for it.
    answers: BTreeMap<String, Answer>,
}

/// Gives a function's answer to a message's body.
type Answer = Arc<dyn Fn(&[u8]) -> Response + Send + Sync>;

/// A running gateway. Cloning shares it; it stops with the test's runtime.
#[derive(Clone)]
pub struct FakeGateway {
    kept: Arc<Mutex<Kept>>,
    arrived: Arc<Notify>,
    url: String,
    secret: SecretString,
}

impl FakeGateway {
    /// Starts an empty gateway.
    ///
    /// # Panics
    /// When no local port can be had.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("no local port");
        let url = format!("http://{}/", listener.local_addr().expect("a bound socket has an address"));
        let fake = Self { kept: Arc::default(), arrived: Arc::default(), url, secret: PAYLOAD_SECRET.into() };
        let system = get(functions::list).put(functions::update).post(functions::create).delete(functions::delete);
        let secrets = get(secrets::list).put(secrets::update).post(secrets::create).delete(secrets::delete);
        let routes = Router::new()
            .route("/system/functions", system)
            .route("/system/secrets", secrets)
            .route("/system/function/{name}", get(functions::one))
            .route("/system/scale-function/{name}", post(functions::scale))
            .route("/system/info", get(functions::info))
            .route("/system/load", get(functions::load))
            .route("/function/{*name}", post(messages::invoke).get(messages::look))
            .route("/async-function/{name}", post(messages::enqueue))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        fake
    }

    /// The variables by which a function finds this gateway, and `more`.
    pub fn vars(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        more.chain([("gateway_url".to_owned(), self.url.clone())]).collect()
    }

    /// The secrets that this gateway's callers need, and `more`.
    pub fn secrets(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [("payload-secret", PAYLOAD_SECRET), ("basic-auth-user", USER), ("basic-auth-password", PASSWORD)];
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// An environment of [`FakeGateway::vars`] and [`FakeGateway::secrets`].
    pub fn env(&self, vars: &[(&str, &str)], secrets: &[(&str, &str)]) -> crate::Env {
        crate::Env::from_map(self.vars(vars), self.secrets(secrets))
    }

    /// A signed request to a function's router.
    ///
    /// # Panics
    /// When the message cannot be encoded.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn signed(
        &self,
        function: &str,
        message: &impl serde::Serialize,
        call: &str,
    ) -> http::Request<axum::body::Body> {
        let body = serde_json::to_vec(message).expect("a message is JSON");
        let key = crate::signing::Key::derive(&self.secret, function);
        let mut request = http::Request::post("/").header(crate::call::CALL_ID_HEADER, call);
        for (name, value) in key.sign(&http::Method::POST, &body, Duration::from_secs(60)) {
            request = request.header(name, value);
        }
        request.body(body.into()).expect("a valid request")
    }

    /// Answers the next call of `route`, for example `PUT /system/functions` or `POST /function/git-tar`, so.
    pub fn refuse_next(&self, route: &str, status: StatusCode, text: &str) {
        self.refuse_after(0, route, status, text);
    }

    /// Works on so many more calls of `route`, and answers the one after them so.
    pub fn refuse_after(&self, good: usize, route: &str, status: StatusCode, text: &str) {
        self.plan(good, route, Fate::Refused(status, text.to_owned()));
    }

    /// Works on so many more calls of `route`, which is one of secrets, and never answers the one after them.
    pub fn stall_after(&self, good: usize, route: &str) {
        self.plan(good, route, Fate::Stalled);
    }

    fn plan(&self, good: usize, route: &str, fate: Fate) {
        let mut kept = self.kept();
        let fates = kept.fates.entry(route.to_owned()).or_default();
        fates.extend((0..good).map(|_| Fate::Worked));
        fates.push_back(fate);
    }

    /// Answers every message to `function` that is not queued with what `answer` makes of its body, once it is kept.
    pub fn answer_with(&self, function: &str, answer: impl Fn(&[u8]) -> (StatusCode, String) + Send + Sync + 'static) {
        self.respond_with(function, move |body| answer(body).into_response());
    }

    /// As [`FakeGateway::answer_with`], where the answer has headers, or a body that goes on. `function` may be a path below
    /// one. A `GET` there is answered, too, where the router's words about a person come with it: they are the body.
    pub fn respond_with(&self, function: &str, answer: impl Fn(&[u8]) -> Response + Send + Sync + 'static) {
        self.kept().answers.insert(function.to_owned(), Arc::new(answer));
    }

    /// Shows each function deployed from now on as not ready so many times.
    pub fn become_ready_after(&self, polls: u32) {
        self.kept().polls_until_ready = polls;
    }

    /// Says from now on that so much waits.
    pub fn set_load(&self, load: Load) {
        self.kept().load = Some(load);
    }

    /// Puts a function there as if it had been deployed.
    pub fn put_function(&self, function: FunctionStatus) {
        self.kept().functions.insert(function.name.clone(), function);
    }

    /// A function, if it is there.
    pub fn function(&self, name: &str) -> Option<FunctionStatus> {
        self.kept().functions.get(name).cloned()
    }

    /// The names of all functions.
    pub fn function_names(&self) -> Vec<String> {
        self.kept().functions.keys().cloned().collect()
    }

    /// The messages that a function was sent so far.
    pub fn messages(&self, function: &str) -> Vec<Message> {
        self.kept().messages.iter().filter(|message| message.function == function).cloned().collect()
    }

    /// Waits until a function was sent messages that `enough` accepts, and returns them.
    ///
    /// # Panics
    /// When that takes longer than a test should wait.
    pub async fn messages_when(&self, function: &str, enough: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        loop {
            let next = self.arrived.notified();
            tokio::pin!(next);
            next.as_mut().enable();
            let messages = self.messages(function);
            if enough(&messages) {
                return messages;
            }
            let waited = tokio::time::timeout(DEADLINE, next).await;
            assert!(waited.is_ok(), "{function} was sent only {messages:?}");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, route: &str) -> Fate {
        let mut kept = self.kept();
        kept.fates.get_mut(route).and_then(VecDeque::pop_front).unwrap_or(Fate::Worked)
    }

    fn refusal(&self, route: &str) -> Option<(StatusCode, String)> {
        match self.fate(route) {
            Fate::Refused(status, text) => Some((status, text)),
            Fate::Worked | Fate::Stalled => None,
        }
    }
}
