//! Who takes part: the router, nginx as the gateway with one function, nginx as a proxy, and a server that takes uploads.
//!
//! Each is a process of its own, as they are where they are used: an nginx that is proxy and function at once would be spared
//! all changes between processes, and would be measured beside a router that is not.

use std::fs::{File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::child::{Process, free_port, terminate};
use crate::nginx::{Nginx, whole};

/// Where the function is.
pub(super) const HOST: &str = "alice.localhost";
/// How much goes down and up.
pub(super) const LARGE: u64 = 1 << 30;
const START_LIMIT: Duration = Duration::from_secs(10);

/// Everything that runs; ended when dropped.
pub(super) struct Place {
    child: Child,
    port: u16,
    /// nginx without a check, in front of the same function.
    pub(super) plain: String,
    /// nginx that asks somebody about every request who says yes at once: nginx again,
    pub(super) checked: String,
    /// and a service as of-auth is one, on hyper.
    pub(super) checked_by_service: String,
    _nginx: [Nginx; 5],
    _servers: [Process; 2],
    _folders: [tempfile::TempDir; 2],
}

impl Place {
    pub(super) fn open() -> Result<Self> {
        let (sink, service) = (Process::start_function("sink")?, Process::start_function("hyper")?);
        let address = |process: &Process| process.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let secrets = tempfile::tempdir()?;
        // A file of zeros that takes no room, where also a server that gave up its rights may read it.
        let files = tempfile::tempdir()?;
        std::fs::set_permissions(files.path(), Permissions::from_mode(0o755))?;
        File::create(files.path().join("large"))?.set_len(LARGE)?;
        let large = files.path().join("large").display().to_string();
        let start = |servers: &dyn Fn(u16) -> String| {
            let port = free_port()?;
            let nginx = Nginx::serving(port, |directory| whole(directory, &servers(port)))?;
            anyhow::Ok((nginx, port))
        };
        let (function, gateway) = start(&|port| the_gateway(port, &address(&sink), &large))?;
        let (judge, asked) =
            start(&|port| format!("server {{ listen 127.0.0.1:{port}; location / {{ return 200 ''; }} }}\n"))?;
        let (plain, unchecked) = start(&|port| proxy(port, gateway, None))?;
        let (checked, by_nginx) = start(&|port| proxy(port, gateway, Some(&format!("127.0.0.1:{asked}"))))?;
        let (checked_too, by_service) = start(&|port| proxy(port, gateway, Some(&address(&service))))?;
        std::fs::write(secrets.path().join("basic-auth-user"), "admin")?;
        std::fs::write(secrets.path().join("basic-auth-password"), "admin")?;
        let url = |port: u16| format!("http://127.0.0.1:{port}/function/alice-hello");
        let (port, program) = (free_port()?, std::env::current_exe()?.with_file_name("of-router"));
        let mut command = Command::new(&program);
        command.env("domain", "localhost").env("gateway_url", format!("http://127.0.0.1:{gateway}"));
        command.env("listen_address", format!("127.0.0.1:{port}")).env("secret_mount_path", secrets.path());
        // As nginx: no log, and all clients are on this machine.
        command.env("access_log", "off").env("metrics_address", "off").env("max_client_connections", "0");
        command.env("max_connections", "20000").env("max_body_bytes", LARGE.to_string()).env("RUST_LOG", "warn");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {}", program.display()))?;
        let place = Self {
            child,
            port,
            plain: url(unchecked),
            checked: url(by_nginx),
            checked_by_service: url(by_service),
            _nginx: [function, judge, plain, checked, checked_too],
            _servers: [sink, service],
            _folders: [secrets, files],
        };
        let began = Instant::now();
        while place.connect().is_err() {
            ensure!(began.elapsed() < START_LIMIT, "the router did not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(place)
    }

    /// An address of the router.
    pub(super) fn router(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A connection to the router.
    pub(super) fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port))
    }

    /// The router's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        terminate(&self.child);
        let _ = self.child.wait();
    }
}

const KEPT: &str = "proxy_http_version 1.1; proxy_set_header Connection \"\";";

/// The gateway with its one function, a large file and a place for uploads.
fn the_gateway(port: u16, taker: &str, large: &str) -> String {
    let word = r#"{"name":"$1","image":"x","replicas":1,"availableReplicas":1,"labels":{"com.openfaas.cloud.git-owner":"alice"}}"#;
    format!(
        "server {{\n  listen 127.0.0.1:{port};\n  client_max_body_size {LARGE};\n  default_type text/plain;\n  \
         location ~ ^/system/function/(.*)$ {{ default_type application/json; return 200 '{word}'; }}\n  \
         location /function/alice-large {{ alias {large}; }}\n  \
         location /function/alice-sink {{ proxy_pass http://{taker}; proxy_request_buffering off; {KEPT} }}\n  \
         location / {{ return 200 'hello'; }}\n}}\n"
    )
}

/// A proxy in front of the gateway, which may ask somebody about every request.
fn proxy(port: u16, gateway: u16, judge: Option<&str>) -> String {
    let function = upstream("function", &format!("127.0.0.1:{gateway}"));
    let Some(judge) = judge else {
        return format!(
            "{function}server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://function; {KEPT} }} }}\n"
        );
    };
    let judge = upstream("judge", judge);
    format!(
        "{function}{judge}server {{\n  listen 127.0.0.1:{port};\n  \
         location / {{ auth_request /judge; proxy_pass http://function; {KEPT} }}\n  \
         location = /judge {{ internal; proxy_pass http://judge; {KEPT} proxy_pass_request_body off; \
         proxy_set_header Content-Length \"\"; }}\n}}\n"
    )
}

fn upstream(name: &str, server: &str) -> String {
    format!("upstream {name} {{ server {server}; keepalive 64; keepalive_requests 100000000; }}\n")
}
