//! Requests that go on nearly as they came, which are most. What is sent on is written straight from what was read, and so
//! is the answer, where neither has anything in it that somebody has to look at: no map of headers is made of either.
//!
//! Who passes requests on decides for each whether it goes this way. What it does not understand at once goes the long way,
//! which knows everything; so does an answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body::Body;

use crate::answer::Answer;
use crate::forward::{ForwardError, Limits};
use crate::pool::Upstream;
use crate::wire::{Wire, WireBody};

/// A line of a head.
pub type Line<'a> = httparse::Header<'a>;

/// A request as it lies in what was read: of HTTP/1.1, with all of its body, and with nothing about the connection itself.
#[derive(Debug)]
pub struct Plain<'a> {
    /// Its method, as it was sent.
    pub method: &'a str,
    /// Path and query, as they were sent; the first character is a slash.
    pub target: &'a str,
    /// Its headers, with the spaces around their values taken off.
    pub lines: &'a [Line<'a>],
    /// Its body.
    pub body: &'a [u8],
}

/// Appends a header; its name in small letters, as names are written on the long way.
pub fn write_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(name.as_bytes());
    out[begin..].make_ascii_lowercase();
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A connection that a request can be written to at once.
#[derive(Debug)]
pub struct Ready<O> {
    pub(crate) wire: Wire,
    pub(crate) upstream: Arc<Upstream<O>>,
}

impl<O> Ready<O> {
    /// Puts it back.
    pub fn leave(self) {
        self.upstream.give_wire_back(self.wire);
    }
}

/// A request on this way.
#[derive(Debug)]
pub struct Express<T: Trip> {
    /// All of it, as it is sent.
    pub request: Vec<u8>,
    /// By which connection.
    pub ready: Ready<T::Outbound>,
    /// How long the server may take.
    pub limits: Limits,
    /// When it began.
    pub began: Instant,
    /// What goes along.
    pub trip: T,
}

/// What goes along with a request on this way, and sees to its answer.
pub trait Trip {
    /// The bodies of requests that go to the same server by the long way.
    type Outbound;
    /// The bodies of answers that come the long way.
    type Body: Body<Data = Bytes>;

    /// Whether an answer's header of this name, in any spelling, goes back as it is. With one that does not, the answer
    /// goes the long way.
    fn passes(name: &str) -> bool;

    /// The answer is there: adds headers of one's own. False if the connection is to end with it.
    fn arrive(&mut self, status: u16, length: u64, out: &mut Vec<u8>) -> bool;

    /// The answer goes the long way, or there is none.
    fn detour(self, answer: Result<Detour<Self::Outbound>, ForwardError>) -> Response<Self::Body>;
}

/// An answer that goes the long way.
#[derive(Debug)]
pub struct Detour<O> {
    pub(crate) response: Response<WireBody<O>>,
    pub(crate) limits: Limits,
}

impl<O> Detour<O> {
    /// The answer, as [`forward`](crate::forward) gives one. The guard is dropped with it.
    pub fn guarded<G>(self, guard: G) -> Response<Answer<O, G>> {
        let Self { response, limits } = self;
        response.map(|body| Answer::wire(body, guard, limits.pause))
    }
}

/// For who passes nothing on this way.
#[derive(Debug)]
pub(crate) enum Nobody<B> {
    #[expect(dead_code, reason = "there is none")]
    Never(std::convert::Infallible, std::marker::PhantomData<B>),
}

impl<B: Body<Data = Bytes>> Trip for Nobody<B> {
    type Outbound = B;
    type Body = B;

    fn passes(_: &str) -> bool {
        false
    }

    fn arrive(&mut self, _: u16, _: u64, _: &mut Vec<u8>) -> bool {
        match self {
            Self::Never(never, _) => match *never {},
        }
    }

    fn detour(self, _: Result<Detour<B>, ForwardError>) -> Response<B> {
        match self {
            Self::Never(never, _) => match never {},
        }
    }
}
