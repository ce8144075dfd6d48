//! A real registry of images, Debian's `docker-registry`, without passwords.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::web::{client, try_send};

/// The registry. It ends with this value.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Registry {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = serde_json::json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": folder.path().join("data") } },
            "http": { "addr": "127.0.0.1:0" },
        });
        // JSON is YAML too.
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry does not start ({error}): run scripts/setup test"));
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()));
        let address = listening.expect("it says where it listens").split('"').next().unwrap().to_owned();
        // It must be read on, or it blocks.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address, _folder: folder }
    }

    /// What the names of its images begin with, in this folder of it.
    pub fn prefix(&self, folder: &str) -> String {
        format!("{}/{folder}/", self.address)
    }

    /// The tags of a repository, sorted; none where it is not there.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let request = client().get(format!("http://{}/v2/{repository}/tags/list", self.address));
        let answer = try_send(request).expect("the registry answers");
        if answer.status == 404 {
            return Vec::new();
        }
        let tags = answer.json()["tags"].as_array().cloned().unwrap_or_default();
        let mut tags: Vec<String> = tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
        tags.sort();
        tags
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
