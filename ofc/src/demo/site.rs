//! The platform that a demo plays on: one that runs already, or one of its own.

use std::ffi::OsString;
use std::net::TcpListener;
use std::time::Duration;

use sdk::Env;
use sdk::gateway::Gateway;
use sdk::id::RepoPath;
use tempfile::TempDir;

use super::{proof, scratch};
use crate::commands::up::{GATEWAY_PORT, PORT};
use crate::data_dir::DataDir;
use crate::instance::{self, Record, State};
use crate::locate::{self, Which};
use crate::terminal::{FAINT, Step, print};
use crate::{commands, launch, removal};

/// A platform, and what must happen to it afterwards.
pub(super) struct Site {
    data: DataDir,
    record: Record,
    repository: RepoPath,
    start_time: Duration,
    /// Images that earlier demos left.
    images: Vec<String>,
    /// Started by this demo.
    own: bool,
    /// The data directory, where it was made for this demo alone.
    folder: Option<TempDir>,
}

impl Site {
    pub(super) async fn enter(which: &Which, repository: RepoPath) -> anyhow::Result<Self> {
        let images = removal::images_of(&repository.owner).await?;
        // The platform that was started last elsewhere is left alone: a demo has no business there.
        if let Some(data) = which.here()?
            && let State::Running(record) = instance::state(&data)?
        {
            print(&format!("{FAINT}The platform in {} runs: it is used.{FAINT:#}\n", data.root().display()))?;
            return Ok(Self {
                data,
                record: *record,
                repository,
                start_time: Duration::ZERO,
                images,
                own: false,
                folder: None,
            });
        }
        let (data, folder) = match &which.data {
            Some(path) => (DataDir::create(path)?, None),
            None => {
                let folder = tempfile::Builder::new().prefix("ofc-demo-").tempdir_in(scratch())?;
                (DataDir::create(folder.path())?, Some(folder))
            }
        };
        let step = Step::begin("Starting the platform");
        let record = launch::start(&data, &arguments()).await?;
        let start_time = step.done();
        Ok(Self { data, record, repository, start_time, images, own: true, folder })
    }

    pub(super) fn data(&self) -> &DataDir {
        &self.data
    }

    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    pub(super) fn repository(&self) -> &RepoPath {
        &self.repository
    }

    /// How many images this demo has built. Each is named by the digest of what went into it.
    pub(super) async fn images_built(&self) -> anyhow::Result<usize> {
        let now = removal::images_of(&self.repository.owner).await?;
        Ok(now.iter().filter(|image| !self.images.contains(image)).count())
    }

    /// How long the platform took to start; nothing where it ran already.
    pub(super) fn start_time(&self) -> Duration {
        self.start_time
    }

    pub(super) fn gateway(&self) -> anyhow::Result<Gateway> {
        commands::gateway(&self.data, &self.record)
    }

    /// Leaves everything as it is, and says what there is.
    pub(super) fn stay(self) -> anyhow::Result<()> {
        if self.own {
            locate::remember(&Env::from_process(), &self.data);
        }
        let data = self.folder.map_or_else(|| self.data.root().to_owned(), TempDir::keep);
        let data = data.display();
        let url = self.record.url("demo");
        Ok(print(&format!(
            "\nThe platform runs on: open {url}/page\n{FAINT}ofc ls --data {data}\nofc down --purge --data {data}{FAINT:#}\n"
        ))?)
    }

    /// Puts the log of a demo that failed where it stays.
    pub(super) fn keep_log(&self) {
        if self.folder.is_none() {
            return;
        }
        let kept = scratch().join("ofc-demo.log");
        if std::fs::copy(self.data.log(), &kept).is_ok() {
            anstream::eprintln!("The platform's log is kept in {}", kept.display());
        }
    }

    /// Takes back what the demo made.
    pub(super) async fn leave(&mut self, clean: bool) -> anyhow::Result<()> {
        let step = Step::begin("Cleaning up");
        if self.own {
            launch::stop(&self.data).await?;
            removal::remove_containers(&self.data).await?;
        } else {
            let gateway = self.gateway()?;
            for function in super::sample::FUNCTIONS {
                gateway.delete(proof::service(self, function)?.as_str()).await?;
            }
        }
        let images = removal::images_of(&self.repository.owner).await?;
        if clean {
            removal::remove_images(&images).await?;
        }
        self.folder = None;
        step.done();
        if !clean && !images.is_empty() {
            print(&format!(
                "{FAINT}Kept: {} images, so that the next demo builds nothing; `ofc demo --clean` removes them.{FAINT:#}\n",
                images.len()
            ))?;
        }
        Ok(())
    }
}

/// The usual ports where they are free, else any.
fn arguments() -> Vec<OsString> {
    let port = |usual: u16| if TcpListener::bind(("127.0.0.1", usual)).is_ok() { usual } else { 0 };
    let (router, gateway) = (port(PORT), port(GATEWAY_PORT));
    let ports = ["--port", &router.to_string(), "--gateway-port", &gateway.to_string()].map(OsString::from);
    ports.into_iter().chain(["--unlisted".into()]).collect()
}
