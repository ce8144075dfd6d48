//! The counters as Prometheus reads them.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::{AUTH, BOUNDS, LIMITS, Metrics};
use crate::serving::Common;
use crate::tls::{Counters, Edge};

/// Everything there is, in the text format 0.0.4.
pub(super) fn render(common: &Common) -> String {
    let (metrics, mut out) = (&common.metrics, String::with_capacity(4096));
    head(&mut out, "router_requests_total", "counter", "Requests by the first digit of the answer's status.");
    for class in 1..6 {
        let value = metrics.sum(|shard| &shard.answers[class]);
        line(&mut out, "router_requests_total", &format!("{{class=\"{class}xx\"}}"), value);
    }
    head(&mut out, "router_owner_requests_total", "counter", "The same of requests that went to an owner's functions.");
    for (owner, answers) in common.owners.shown() {
        for (class, value) in answers.iter().enumerate().filter(|(_, value)| **value != 0) {
            line(&mut out, "router_owner_requests_total", &format!("{{owner=\"{owner}\",class=\"{class}xx\"}}"), value);
        }
    }
    durations(&mut out, metrics);
    let single = [
        ("router_received_bytes_total", "Bytes of requests' bodies.", metrics.sum(|shard| &shard.received)),
        ("router_sent_bytes_total", "Bytes of answers' bodies.", metrics.sum(|shard| &shard.sent)),
        ("router_connections_total", "Connections accepted.", metrics.sum(|shard| &shard.accepted)),
        ("router_tunnels_total", "Connections that became WebSockets.", metrics.sum(|shard| &shard.tunnels)),
        ("router_upstream_errors_total", "No answer from behind.", metrics.sum(|shard| &shard.upstream_errors)),
        ("router_access_log_dropped_total", "Lines left out of the access log.", common.log.dropped()),
    ];
    for (name, help, value) in single {
        head(&mut out, name, "counter", help);
        line(&mut out, name, "", value);
    }
    head(&mut out, "router_connections_open", "gauge", "Connections of clients, without tunnels.");
    line(&mut out, "router_connections_open", "", metrics.open());
    head(&mut out, "router_limits_total", "counter", "Limits that somebody met.");
    for (index, name) in LIMITS.iter().enumerate() {
        let value = metrics.sum(|shard| &shard.limits[index]);
        line(&mut out, "router_limits_total", &format!("{{limit=\"{name}\"}}"), value);
    }
    head(&mut out, "router_auth_decisions_total", "counter", "Decisions on whether a caller may call.");
    for (index, name) in AUTH.iter().enumerate() {
        let value = metrics.sum(|shard| &shard.auth[index]);
        line(&mut out, "router_auth_decisions_total", &format!("{{decision=\"{name}\"}}"), value);
    }
    if let Some(edge) = &common.edge {
        encryption(&mut out, edge);
    }
    out
}

fn encryption(out: &mut String, edge: &Edge) {
    let counters = edge.counters();
    let handshakes = [
        ("good", &counters.handshakes),
        ("unknown_host", &counters.unknown_hosts),
        ("no_certificate", &counters.no_certificate),
        ("timeout", &counters.timeouts),
        ("failed", &counters.failures),
    ];
    head(out, "router_handshakes_total", "counter", "TLS handshakes by how they ended.");
    for (end, counter) in handshakes {
        line(out, "router_handshakes_total", &format!("{{end=\"{end}\"}}"), Counters::get(counter));
    }
    let orders = [
        ("router_acme_challenges_total", "Checks by a certificate authority that were answered.", &counters.challenges),
        ("router_acme_orders_total", "Orders of certificates that were begun.", &counters.orders),
        ("router_acme_failed_orders_total", "Orders that brought no certificate.", &counters.failed_orders),
    ];
    for (name, help, counter) in orders {
        head(out, name, "counter", help);
        line(out, name, "", Counters::get(counter));
    }
    head(out, "router_certificate_days_left", "gauge", "Days until a certificate ends.");
    let now = SystemTime::now();
    for expiry in edge.expiries() {
        let labels = format!("{{name=\"{}\"}}", expiry.name);
        line(out, "router_certificate_days_left", &labels, expiry.days_left(now));
    }
}

fn durations(out: &mut String, metrics: &Metrics) {
    let name = "router_request_duration_seconds";
    head(out, name, "histogram", "From a request's head to its answer's end.");
    let mut count = 0;
    for (index, bound) in BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]).enumerate() {
        count += metrics.sum(|shard| &shard.buckets[index]);
        line(out, &format!("{name}_bucket"), &format!("{{le=\"{bound}\"}}"), count);
    }
    let seconds = metrics.sum(|shard| &shard.microseconds) as f64 / 1e6;
    line(out, &format!("{name}_sum"), "", seconds);
    line(out, &format!("{name}_count"), "", count);
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{name}{labels} {value}");
}
