//! Who takes part: the router, nginx as the gateway with one function, nginx as a proxy, and a server that takes uploads.

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
    /// nginx that asks a trivial server about every request.
    pub(super) checked: String,
    _nginx: Nginx,
    _sink: Process,
    _folders: [tempfile::TempDir; 2],
}

impl Place {
    pub(super) fn open() -> Result<Self> {
        let sink = Process::start_function("sink")?;
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?];
        let taker = sink.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let secrets = tempfile::tempdir()?;
        // A file of zeros that takes no room, where also a server that gave up its rights may read it.
        let files = tempfile::tempdir()?;
        std::fs::set_permissions(files.path(), Permissions::from_mode(0o755))?;
        File::create(files.path().join("large"))?.set_len(LARGE)?;
        let large = files.path().join("large").display().to_string();
        let nginx = Nginx::serving(ports[0], |directory| whole(directory, &servers(ports, &taker, &large)))?;
        std::fs::write(secrets.path().join("basic-auth-user"), "admin")?;
        std::fs::write(secrets.path().join("basic-auth-password"), "admin")?;
        let url = |port: u16| format!("http://127.0.0.1:{port}/function/alice-hello");
        let (port, program) = (free_port()?, std::env::current_exe()?.with_file_name("of-router"));
        let mut command = Command::new(&program);
        command.env("domain", "localhost").env("gateway_url", format!("http://127.0.0.1:{}", ports[0]));
        command.env("listen_address", format!("127.0.0.1:{port}")).env("secret_mount_path", secrets.path());
        // As nginx: no log, and all clients are on this machine.
        command.env("access_log", "off").env("metrics_address", "off").env("max_client_connections", "0");
        command.env("max_connections", "20000").env("max_body_bytes", LARGE.to_string()).env("RUST_LOG", "warn");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {}", program.display()))?;
        let (plain, checked) = (url(ports[1]), url(ports[2]));
        let place = Self { child, port, plain, checked, _nginx: nginx, _sink: sink, _folders: [secrets, files] };
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

/// The gateway, the proxy without a check, the one with a check, and who is asked by it.
fn servers([gateway, plain, checked, judge]: [u16; 4], taker: &str, large: &str) -> String {
    let word = r#"{"name":"$1","image":"x","replicas":1,"availableReplicas":1,"labels":{"com.openfaas.cloud.git-owner":"alice"}}"#;
    let most = LARGE;
    let kept = "proxy_http_version 1.1; proxy_set_header Connection \"\";";
    format!(
        "upstream function {{ server 127.0.0.1:{gateway}; keepalive 64; keepalive_requests 100000000; }}\n\
         upstream judge {{ server 127.0.0.1:{judge}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{\n  listen 127.0.0.1:{gateway};\n  client_max_body_size {most};\n  default_type text/plain;\n  \
         location ~ ^/system/function/(.*)$ {{ default_type application/json; return 200 '{word}'; }}\n  \
         location /function/alice-large {{ alias {large}; }}\n  \
         location /function/alice-sink {{ proxy_pass http://{taker}; proxy_request_buffering off; {kept} }}\n  \
         location / {{ return 200 'hello'; }}\n}}\n\
         server {{ listen 127.0.0.1:{judge}; location / {{ return 200 ''; }} }}\n\
         server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass http://function; {kept} }} }}\n\
         server {{\n  listen 127.0.0.1:{checked};\n  location / {{ auth_request /judge; proxy_pass http://function; {kept} }}\n  \
         location = /judge {{ internal; proxy_pass http://judge; {kept} proxy_pass_request_body off; \
         proxy_set_header Content-Length \"\"; }}\n}}\n"
    )
}
