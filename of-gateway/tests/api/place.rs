//! Where the calls of a test's gateway wait.
#![expect(clippy::unwrap_used, reason = "test helper")]

use axum::Router;
use of_gateway::{Config, Nats};
use tempfile::TempDir;

use crate::support::nats::NatsServer;
use crate::without_engine;

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) nats: Option<NatsServer>,
}

impl Place {
    pub(crate) fn file() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), nats: None }
    }

    pub(crate) fn nats() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), nats: Some(NatsServer::start()) }
    }

    pub(crate) fn config(&self, functions: impl IntoIterator<Item = (&'static str, Router)>) -> Config {
        let mut config = without_engine(self.folder.path(), functions);
        config.queueing.nats = self.nats.as_ref().map(|nats| Nats::at(nats.address()));
        config
    }

    /// Files of large bodies.
    pub(crate) fn bodies(&self) -> usize {
        // One is the lock.
        std::fs::read_dir(self.folder.path().join("bodies")).unwrap().count() - 1
    }
}

/// Runs each test of a module with calls in a file and with calls in NATS.
macro_rules! wherever_calls_wait {
    ($($module:ident: $($test:ident),+ $(,)?;)+) => {
        mod in_a_file {
            $($(
                #[tokio::test]
                async fn $test() {
                    crate::$module::$test(&crate::place::Place::file()).await;
                }
            )+)+
        }
        mod in_nats {
            $($(
                #[tokio::test]
                async fn $test() {
                    crate::$module::$test(&crate::place::Place::nats()).await;
                }
            )+)+
        }
    };
}
pub(crate) use wherever_calls_wait;
