//! nginx as a proxy, with a process on each core and connections that are kept.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::child::{free_port, resident_mib, terminate};

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running nginx; ended when dropped.
pub(crate) struct Nginx {
    child: Child,
    /// Where it answers.
    pub(crate) url: String,
    _directory: tempfile::TempDir,
}

impl Nginx {
    /// Starts it in front of one server.
    pub(crate) fn in_front_of(server: &str) -> Result<Self> {
        let port = free_port()?;
        Self::serving(port, |directory| configuration(server, port, directory))
    }

    /// Starts it with a configuration of the caller's, made for a directory of its own, and waits for one of its ports.
    pub(crate) fn serving(port: u16, configuration: impl FnOnce(&str) -> String) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().display().to_string();
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, configuration(&path))?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).args(["-p", &path, "-e", "stderr"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.context("cannot start nginx; scripts/setup bench installs it")?;
        let nginx = Self { child, url: format!("http://127.0.0.1:{port}/"), _directory: directory };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(began.elapsed() < START_LIMIT, "nginx did not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }
}

impl Nginx {
    /// Memory that its processes use now, in MiB. What they share counts for each.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let main = self.child.id();
        let workers = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children"))?;
        let workers = workers.split_whitespace().map(|pid| resident_mib(pid.parse()?));
        Ok(resident_mib(main)? + workers.sum::<Result<f64>>()?)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not killed: its workers end only if it tells them to.
        terminate(&self.child);
        let _ = self.child.wait();
    }
}

fn configuration(server: &str, port: u16, directory: &str) -> String {
    let servers = format!(
        "upstream function {{ server {server}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{\n  listen 127.0.0.1:{port};\n  location / {{\n    proxy_pass http://function;\n    \
         proxy_http_version 1.1;\n    proxy_set_header Connection \"\";\n  }}\n}}\n"
    );
    whole(directory, &servers)
}

/// A configuration around these servers: a process on each core, no log, connections that are kept.
pub(crate) fn whole(directory: &str, servers: &str) -> String {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = kinds.iter().map(|kind| format!("  {kind}_temp_path {directory}/{kind};\n")).collect();
    format!(
        "daemon off;\nworker_processes auto;\npid {directory}/nginx.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 100000000;\n{paths}{servers}}}\n"
    )
}
