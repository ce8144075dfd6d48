//! What the serving side is told at its start.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sdk::{Invalid, Reader};

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To the program's other log, an event each; for where the router is one part of a process.
    Events,
    /// To the standard output, a line of JSON each.
    Stdout,
    /// To this file, likewise; it is opened anew on a reload.
    File(PathBuf),
}

impl FromStr for AccessLog {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "off" => Self::Off,
            "events" => Self::Events,
            "stdout" => Self::Stdout,
            path => Self::File(path.into()),
        })
    }
}

/// Limits and sinks of the serving side. A limit of 0 is none.
#[derive(Debug, Clone)]
pub struct Serving {
    /// `workers`: threads that serve requests. Read at the start only.
    pub workers: usize,
    /// `access_log`: `off`, `events`, `stdout` or a file. Read at the start only.
    pub access_log: AccessLog,
    /// `metrics_address`: where Prometheus asks; `off` for nowhere. Read at the start only.
    pub metrics_address: Option<SocketAddr>,
    /// `client_idle_timeout`: how long a connection without an open request is kept.
    pub client_idle: Duration,
    /// `drain_idle_timeout`: the same while the router stops.
    pub drain_idle: Duration,
    /// `max_connection_requests`: a connection is closed after this many requests.
    pub max_connection_requests: u64,
    /// `max_client_connections`: connections from one address (IPv6: from one /64); further ones are closed at once.
    pub max_client_connections: u32,
    /// `max_head_bytes`: the longest head of a request; at least 8192.
    pub max_head_bytes: u32,
    /// `max_headers`: the most headers of a request.
    pub max_headers: usize,
    /// `max_streams`: the most requests that are open at once on a connection of HTTP/2.
    pub max_streams: u32,
    /// `owner_requests_per_second`: to all functions of one owner, in the long run.
    pub owner_requests_per_second: u32,
    /// `owner_burst`: how many more than that may come at once.
    pub owner_burst: u32,
    /// `owner_max_concurrent`: requests to one owner's functions that are open at once.
    pub owner_max_concurrent: u32,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2)),
            access_log: AccessLog::Events,
            metrics_address: None,
            client_idle: Duration::from_secs(75),
            drain_idle: Duration::ZERO,
            max_connection_requests: 100_000,
            max_client_connections: 0,
            max_head_bytes: 64 * 1024,
            max_headers: 100,
            max_streams: 128,
            owner_requests_per_second: 0,
            owner_burst: 0,
            owner_max_concurrent: 0,
        }
    }
}

impl Serving {
    /// Reads the settings of the program, whose defaults are those of a door to the internet.
    /// Problems are the reader's to report.
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let usual = Self::default();
        let rate = reader.or("owner_requests_per_second", 0_u32)?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let this = Self {
            workers: reader.or("workers", cores)?,
            access_log: reader.or("access_log", AccessLog::Stdout)?,
            metrics_address: metrics_address(reader)?,
            client_idle: reader.duration_or("client_idle_timeout", usual.client_idle)?,
            drain_idle: reader.duration_or("drain_idle_timeout", Duration::from_secs(3))?,
            max_connection_requests: reader.or("max_connection_requests", usual.max_connection_requests)?,
            max_client_connections: reader.or("max_client_connections", 1000)?,
            max_head_bytes: reader.or("max_head_bytes", usual.max_head_bytes)?,
            max_headers: reader.or("max_headers", usual.max_headers)?,
            max_streams: reader.or("max_streams", usual.max_streams)?,
            owner_requests_per_second: rate,
            owner_burst: reader.or("owner_burst", rate)?,
            owner_max_concurrent: reader.or("owner_max_concurrent", 0)?,
        };
        this.check(reader)?;
        Ok(this)
    }

    fn check(&self, reader: &Reader<'_>) -> Result<(), Invalid> {
        if !(1..=256).contains(&self.workers) {
            return Err(reader.invalid("workers", "has to be 1 to 256"));
        }
        if !(8192..=1 << 20).contains(&self.max_head_bytes) {
            return Err(reader.invalid("max_head_bytes", "has to be 8192 to 1048576"));
        }
        if !(16..=1000).contains(&self.max_headers) {
            return Err(reader.invalid("max_headers", "has to be 16 to 1000"));
        }
        Ok(())
    }
}

fn metrics_address(reader: &Reader<'_>) -> Result<Option<SocketAddr>, Invalid> {
    let text = reader.or("metrics_address", "127.0.0.1:8083".to_owned())?;
    if text == "off" {
        return Ok(None);
    }
    let address = text.parse().map_err(|_| reader.invalid("metrics_address", "has to be address:port or 'off'"))?;
    Ok(Some(address))
}
