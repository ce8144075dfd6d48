//! Requests that go on nearly as they came, which are most: calls of a public function that was called within the last second,
//! by plain methods and without a header that has to be looked at. Their heads are written from what was read, with the same
//! lines left out and added as on the long way; a test sends all kinds of requests both ways. Whatever is not clear at once
//! goes the long way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, Uri, Version};
use upstream::ForwardError;
use upstream::express::{Detour, Express, Plain, write_line};

use crate::metrics::AuthDecision;
use crate::outside::{self, Arrival, Border, Side};
use crate::recall::Found;
use crate::reply::{self, Body, Held, Received};
use crate::serving::connection::Slot;
use crate::serving::lane::{Form, Lane};
use crate::serving::owners::Ticket;
use crate::serving::record::{Asked, Record};

/// Room for a request's head, in bytes; most are shorter.
const HEAD: usize = 1024;

/// What services are told about where a connection's requests come from. It is the same for all that name the same host.
#[derive(Debug)]
pub(crate) struct Told {
    lane: Arc<Lane>,
    host: Box<[u8]>,
    lines: Vec<u8>,
}

impl Told {
    fn about(lane: &Arc<Lane>, slot: &Slot, host: &[u8]) -> Option<Self> {
        let value = HeaderValue::from_bytes(host).ok()?;
        let encrypted = HeaderValue::from_static("https");
        let arrival = Arrival {
            address: &slot.address,
            host: &value,
            scheme: if slot.door.is_encrypted() { &encrypted } else { lane.router.scheme() },
            // Each request has its own, and nobody is behind this border.
            call_id: &value,
            border: &Border::of(Side::Function),
        };
        let lines = lines_about(&arrival, lane.router.functions(lane.index).host);
        Some(Self { lane: lane.clone(), host: host.into(), lines })
    }

    fn is_about(&self, lane: &Arc<Lane>, host: &[u8]) -> bool {
        Arc::ptr_eq(&self.lane, lane) && *self.host == *host
    }
}

fn lines_about(arrival: &Arrival<'_>, gateway: &HeaderValue) -> Vec<u8> {
    let (mut headers, mut lines) = (HeaderMap::new(), Vec::with_capacity(256));
    headers.insert(header::HOST, gateway.clone());
    outside::say_where_from(&mut headers, arrival);
    headers.iter().for_each(|(name, value)| write_line(&mut lines, name.as_str(), value.as_bytes()));
    lines
}

/// Sends a request on its way, if it may go this one. `told` is remembered for the connection's next request.
pub(crate) fn begin(
    lane: &Arc<Lane>,
    slot: &Slot,
    told: &mut Option<Told>,
    plain: &Plain<'_>,
) -> Option<Express<Trip>> {
    if slot.door.sends_away() || plain.lines.len() > lane.limits().max_headers || !lane.goes_on(slot.served() + 1) {
        return None;
    }
    let behind = lane.router.functions(lane.index);
    let (host, says_length) = unremarkable(plain).filter(|_| plain.body.len() as u64 <= behind.max_body)?;
    let (path, query) = split(plain.target)?;
    let began = Instant::now();
    let mut request = Vec::with_capacity(HEAD + plain.body.len());
    let target = |found: Found<'_>| {
        for part in [plain.method, " ", found.prefix, found.rest, query, " HTTP/1.1\r\n"] {
            request.extend_from_slice(part.as_bytes());
        }
        found.callee.clone()
    };
    let callee = lane.recall.lookup(host, path, slot.door.named(), began, target)?;
    if !told.as_ref().is_some_and(|told| told.is_about(lane, host)) {
        *told = Told::about(lane, slot, host);
    }
    let lines = &told.as_ref()?.lines;
    let ready = behind.pool.ready(began)?;
    let Ok(ticket) = lane.common.owners.admit(&callee, lane.limits(), began) else {
        ready.leave();
        return None;
    };
    let before = slot.request_begins();
    let mut record = Record::new(lane.clone(), slot.clone(), began, || asked(plain, host));
    record.callee = Some(callee);
    record.received.store(plain.body.len() as u64, Ordering::Relaxed);
    lane.shard().auth(AuthDecision::Public);
    write_head(&mut request, plain, lines, record.call_id.as_bytes(), says_length);
    request.extend_from_slice(plain.body);
    let accept = plain.lines.iter().filter(|line| line.name.eq_ignore_ascii_case("accept")).map(|line| line.value);
    let host = std::str::from_utf8(host).unwrap_or_default();
    let form = Form {
        asked: reply::Asked::of(plain.method, accept),
        strict: slot.door.strict_at(host),
        version: Version::HTTP_11,
        before,
    };
    Some(Express { request, ready, limits: behind.limits, began, trip: Trip { record, ticket, form } })
}

/// The host, and whether the length of the body is said, if no line of the head has to be looked at.
fn unremarkable<'a>(plain: &Plain<'a>) -> Option<(&'a [u8], bool)> {
    if !matches!(plain.method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") {
        return None;
    }
    let (mut host, mut says_length) = (None, false);
    for line in plain.lines {
        let is = |name: &str| line.name.eq_ignore_ascii_case(name);
        match line.name.len() {
            4 if is("host") && host.is_none() => host = Some(line.value),
            4 if is("host") => return None,
            // There is but one that gets here, and it says what the connection does anyhow.
            10 if is("connection") => {}
            _ if !outside::passes_in(line.name) => return None,
            14 => says_length |= is("content-length"),
            _ => {}
        }
    }
    Some((host?, says_length))
}

/// The path and the query, which keeps its question mark; both are such that they can be passed on as they are.
fn split(target: &str) -> Option<(&str, &str)> {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&()*+,;=:@/?%".contains(&byte);
    query.bytes().all(plain).then_some((path, query))
}

/// All of the head behind its first line.
fn write_head(out: &mut Vec<u8>, plain: &Plain<'_>, told: &[u8], call_id: &[u8], says_length: bool) {
    for line in plain.lines {
        let left_out = match line.name.len() {
            4 => line.name.eq_ignore_ascii_case("host"),
            10 => line.name.eq_ignore_ascii_case("connection"),
            _ => false,
        };
        if !left_out {
            write_line(out, line.name, line.value);
        }
    }
    out.extend_from_slice(told);
    write_line(out, sdk::call::CALL_ID_HEADER, call_id);
    // Of these a server expects a body, and is told that there is none.
    if !says_length && matches!(plain.method, "POST" | "PUT" | "PATCH") {
        out.extend_from_slice(b"content-length: 0\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn asked(plain: &Plain<'_>, host: &[u8]) -> Asked {
    Asked {
        method: Method::from_bytes(plain.method.as_bytes()).unwrap_or_default(),
        uri: plain.target.parse::<Uri>().unwrap_or_default(),
        version: Version::HTTP_11,
        host: HeaderValue::from_bytes(host).ok(),
    }
}

/// What goes along with a request on this way.
#[derive(Debug)]
pub(crate) struct Trip {
    record: Box<Record>,
    ticket: Ticket,
    form: Form,
}

impl upstream::express::Trip for Trip {
    type Outbound = Received;
    type Body = Body;

    fn passes(name: &str) -> bool {
        outside::passes_out(name)
    }

    fn arrive(&mut self, status: u16, length: u64, out: &mut Vec<u8>) -> bool {
        (self.record.status, self.record.sent) = (status, length);
        write_line(out, sdk::call::CALL_ID_HEADER, self.record.call_id.as_bytes());
        if let Some(strict) = &self.form.strict {
            write_line(out, header::STRICT_TRANSPORT_SECURITY.as_str(), strict.as_bytes());
        }
        self.record.lane().goes_on(self.form.before)
    }

    fn detour(self, answer: Result<Detour<Received>, ForwardError>) -> Response<Body> {
        let Self { record, ticket, form } = self;
        let lane = record.lane().clone();
        let mut response = match answer {
            Ok(detour) => {
                let held = Held { _slot: record.slot.clone(), _ticket: Some(ticket), _ending: None };
                detour.guarded(held).map(Body::passed)
            }
            Err(error) => lane.failed(&error, record.call_id.as_str(), lane.router.functions(lane.index).max_body),
        };
        Border::of(Side::Function).let_out(response.headers_mut());
        lane.finish(response, form, record)
    }
}

#[cfg(test)]
mod tests;
