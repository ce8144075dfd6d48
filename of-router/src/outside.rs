//! Headers on the border: what a client says about itself is not believed.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sdk::call::CALL_ID_HEADER;
use tokio_util::sync::CancellationToken;

use crate::auth::credential;
use crate::auth::open::{Ending, Watch};

/// Families of headers by which parts of the platform talk to each other.
const OURS: [&str; 4] = ["x-forwarded-", "x-cloud-", "x-auth-", "x-openfaas-"];
/// Single ones.
const OURS_TOO: [&str; 6] =
    ["forwarded", "x-real-ip", "x-original-url", "x-rewrite-url", "x-callback-url", CALL_ID_HEADER];

/// The call's identity, everywhere.
pub(crate) const CALL_ID: HeaderName = HeaderName::from_static(CALL_ID_HEADER);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the router itself knows about a request.
#[derive(Debug, Clone)]
pub(crate) struct Arrival<'a> {
    /// The client's, as text.
    pub(crate) address: &'a HeaderValue,
    pub(crate) host: &'a HeaderValue,
    pub(crate) scheme: &'a HeaderValue,
    pub(crate) call_id: &'a HeaderValue,
    pub(crate) border: &'a Border,
}

/// Who is behind the border, and so what may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A function: it sees nothing by which people sign in, and sets nothing of that.
    Function,
    /// of-auth: it sees that and no cookie besides.
    Auth,
    /// The git host, whose cookies are its own.
    Git,
}

/// What passes the border with one request and with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Border {
    pub(crate) side: Side,
    /// Headers that say who calls.
    pub(crate) caller: Option<Arc<HeaderMap>>,
    /// A newer cookie for the caller.
    pub(crate) renewed: Option<HeaderValue>,
    /// Who looks after what the caller opens.
    pub(crate) watch: Option<Watch>,
}

/// Replaces what the client said by what is so.
pub(crate) fn replace(headers: &mut HeaderMap, arrival: &Arrival<'_>, upstream: HeaderValue) {
    let forged: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    keep_to_the_side(headers, arrival.border.side);
    // The server answers "100 Continue" itself when the body is asked for.
    headers.remove(header::EXPECT);
    headers.insert(header::HOST, upstream);
    say_where_from(headers, arrival);
    headers.insert(CALL_ID, arrival.call_id.clone());
    if let Some(caller) = &arrival.border.caller {
        headers.extend(caller.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// Whether a request's header goes on to a function as it is: [`replace`] would leave it, and so would all that comes before
/// and after on a request's way. It is about the host and the connection that more is known elsewhere.
pub(crate) fn passes_in(name: &str) -> bool {
    let is = |other: &HeaderName| name.eq_ignore_ascii_case(other.as_str());
    let looked_at = match name.len() {
        2 => is(&header::TE),
        6 => is(&header::COOKIE) || is(&header::EXPECT),
        7 => is(&header::UPGRADE) || is(&header::TRAILER),
        10 => is(&header::CONNECTION) || name.eq_ignore_ascii_case("keep-alive"),
        13 => is(&header::AUTHORIZATION),
        16 => name.eq_ignore_ascii_case("proxy-connection"),
        17 => is(&header::TRANSFER_ENCODING),
        18 => is(&header::PROXY_AUTHENTICATE),
        19 => is(&header::PROXY_AUTHORIZATION),
        _ => false,
    };
    // No other family begins so.
    let may_be_ours = name.starts_with(['x', 'X', 'f', 'F']);
    !(looked_at || may_be_ours && is_ours(&name.to_ascii_lowercase()))
}

/// Whether a function's header goes back as it is: [`Border::let_out`] would leave it, and nothing is put in its place.
pub(crate) fn passes_out(name: &str) -> bool {
    let is = |other: &HeaderName| name.eq_ignore_ascii_case(other.as_str());
    match name.len() {
        9 => !is(&CALL_ID),
        10 => !is(&header::SET_COOKIE),
        15 => !name.eq_ignore_ascii_case("clear-site-data"),
        25 => !is(&header::STRICT_TRANSPORT_SECURITY),
        _ => true,
    }
}

fn keep_to_the_side(headers: &mut HeaderMap, side: Side) {
    match side {
        Side::Git => {}
        Side::Auth => keep_our_cookies(headers),
        Side::Function => {
            session::cookie::strip(headers);
            let ours = |value: &HeaderValue| credential::holds_ours(value.as_bytes());
            if headers.get_all(header::AUTHORIZATION).iter().any(ours) {
                headers.remove(header::AUTHORIZATION);
            }
        }
    }
}

fn keep_our_cookies(headers: &mut HeaderMap) {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).map(str::trim);
    let ours = pairs.filter(|pair| session::cookie::is_ours(pair.split('=').next().unwrap_or_default()));
    let kept = ours.collect::<Vec<_>>().join("; ");
    headers.remove(header::COOKIE);
    if let Ok(kept) = HeaderValue::try_from(kept)
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, kept);
    }
}

/// `X-Forwarded-*`, and the same in the words of RFC 7239.
pub(crate) fn say_where_from(headers: &mut HeaderMap, arrival: &Arrival<'_>) {
    let (host, scheme) = (arrival.host.to_str().unwrap_or_default(), arrival.scheme.to_str().unwrap_or_default());
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let usual = HeaderValue::from_static(if scheme == "https" { "443" } else { "80" });
    let port = port.map_or(Ok(usual), HeaderValue::try_from);
    let client = arrival.address.to_str().unwrap_or_default();
    let (open, close) = if client.contains(':') { ("\"[", "]\"") } else { ("", "") };
    let parts = ["for=", open, client, close, ";host=\"", host, "\";proto=", scheme];
    let forwarded = HeaderValue::from_maybe_shared(Bytes::from(parts.concat()));
    headers.insert(X_FORWARDED_FOR, arrival.address.clone());
    for (name, value) in [(X_FORWARDED_PORT, port.ok()), (header::FORWARDED, forwarded.ok())] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    headers.insert(X_FORWARDED_HOST, arrival.host.clone());
    headers.insert(X_FORWARDED_PROTO, arrival.scheme.clone());
}

impl Border {
    /// One behind which nobody is told who calls.
    pub(crate) fn of(side: Side) -> Self {
        Self { side, caller: None, renewed: None, watch: None }
    }

    /// The end of the tunnel that these headers ask for, where a caller opens it. It comes with `shutdown` too.
    pub(crate) fn tunnel(&self, headers: &HeaderMap, shutdown: &CancellationToken) -> Option<Arc<Ending>> {
        let watch = self.watch.as_ref().filter(|_| upstream::is_upgrade(headers))?;
        Some(watch.begin(Some(shutdown)))
    }

    /// The login of who calls, if somebody is told so.
    pub(crate) fn login(&self) -> Option<String> {
        let login = self.caller.as_ref()?.get(sdk::identity::USER_HEADER)?;
        login.to_str().ok().map(str::to_owned)
    }

    /// Takes out of an answer what its sender may not say, and adds what the caller has to get.
    pub(crate) fn let_out(&self, headers: &mut HeaderMap) {
        if self.side == Side::Function {
            // It would end the sessions of this host, and of all hosts below its domain.
            headers.remove("clear-site-data");
            if headers.contains_key(header::SET_COOKIE) {
                drop_our_cookies(headers);
            }
        }
        if let Some(cookie) = &self.renewed {
            headers.append(header::SET_COOKIE, cookie.clone());
        }
    }
}

fn drop_our_cookies(headers: &mut HeaderMap) {
    let set: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    let name = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes());
        // A cookie without a name is sent as its bare value, which may read as a name and a value.
        let pair = text.trim_start_matches(|c: char| c == '=' || c.is_whitespace()).to_owned();
        pair.split(['=', ';']).next().unwrap_or_default().to_owned()
    };
    for value in set.into_iter().filter(|value| !session::cookie::is_ours(&name(value))) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Takes out of trailers what counts in heads alone: where a reader adds one to the other, they would change what was
/// decided, or how the message was framed.
pub(crate) fn keep_inside(trailers: &mut HeaderMap) {
    let forbidden = |name: &HeaderName| {
        let signs_in = matches!(*name, header::COOKIE | header::SET_COOKIE | header::AUTHORIZATION);
        let frames = matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::TRAILER);
        let about = matches!(*name, header::HOST | header::CONNECTION | header::UPGRADE | header::TE);
        signs_in || frames || about || is_ours(name.as_str()) || name == "clear-site-data"
    };
    let found: Vec<HeaderName> = trailers.keys().filter(|name| forbidden(name)).cloned().collect();
    found.iter().for_each(|name| drop(trailers.remove(name)));
}

fn is_ours(name: &str) -> bool {
    // All of them begin so, and most others do not.
    if !name.starts_with(['x', 'f']) {
        return false;
    }
    // An underscore is a hyphen to servers that make variables of headers.
    let name = name.replace('_', "-");
    OURS.iter().any(|family| name.starts_with(family)) || OURS_TOO.contains(&name.as_str())
}

#[cfg(test)]
mod tests;
