//! The S3 server of `moto`, a Python package that has nothing in common with the other one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const HINT: &str = "moto's S3 server does not start: run scripts/setup, which installs the Python package moto[server]";

/// A process, which ends with this value. It takes any keys.
pub struct Moto {
    process: Child,
    url: String,
}

impl Moto {
    /// Starts it on a port of its own.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Self {
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

    /// Where it is: the variable `s3_url`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
