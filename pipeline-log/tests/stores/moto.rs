//! The S3 server of `moto`, a Python package that has nothing in common with the other one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const HINT: &str = "moto's S3 server does not start: run scripts/setup, which installs the Python package moto[server]";

pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut process = Command::new("python3")
            .args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(HINT);
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect(HINT).unwrap();
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
        };
        // It logs each request and would block if nobody read that.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { process, url }
    }

    pub(crate) fn vars(&self) -> [(&str, &str); 3] {
        [("log_store", "s3"), ("s3_url", &self.url), ("s3_bucket", "build-logs")]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
