#![doc = include_str!("../README.md")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails here is the test that uses it")]

mod audit;
mod browser;
mod command;
mod engine;
mod engine_socket;
mod log;
mod options;
mod platform;
mod process;
mod registry;
mod repository;
mod sockets;
mod wait;
mod web;

pub use browser::Browser;
pub use command::Running;
pub use engine::{Container, Engine};
pub use engine_socket::EngineSocket;
pub use log::Line;
pub use options::Options;
pub use platform::{Check, Platform};
pub use registry::Registry;
pub use repository::{Push, Pushed, Repository};
pub use wait::{DEADLINE, until, until_some};
pub use web::{Answer, raw};

/// The options of a platform that runs the `ofc` built with the tests.
#[macro_export]
macro_rules! options {
    () => {
        $crate::Options::new(env!("CARGO_BIN_EXE_ofc-under-test"))
    };
}

/// A platform of its own, with the usual options.
#[macro_export]
macro_rules! platform {
    () => {
        $crate::Platform::start($crate::options!())
    };
}

/// A browser whose pictures are in `screenshots/` of the target folder.
#[macro_export]
macro_rules! browser {
    () => {
        $crate::Browser::start(&std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots"))
    };
}

/// A login that no other test has: images are named after it, and tests run side by side. With `PLAIN_LOGINS` in the environment,
/// for `scripts/pictures`, it is the name alone, and only one test may run.
pub fn login(stem: &str) -> String {
    if std::env::var_os("PLAIN_LOGINS").is_some() {
        return stem.to_owned();
    }
    format!("{stem}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}
