//! A real Chromium, driven through `chromedriver`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{By, ChromeCapabilities, ChromiumLikeCapabilities, WebDriver};

use crate::process::Process;
use crate::wait::{DEADLINE, until, until_some};
use crate::web::runtime;

/// What `chromedriver` says once it listens, before the port.
const STARTED: &str = "started successfully on port ";
/// The size of the window, in CSS pixels.
const WINDOW: &str = "--window-size=1000,760";

/// A browser with a profile of its own. Closed with this value.
#[derive(Debug)]
pub struct Browser {
    driver: Option<WebDriver>,
    _chromedriver: Process,
    _profile: TempDir,
    shots: PathBuf,
}

impl Browser {
    /// Starts one that keeps its pictures in a folder; see [`crate::browser`].
    ///
    /// # Panics
    /// When there is no Chromium: `scripts/setup test` installs it.
    pub fn start(shots: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let output = profile.path().join("chromedriver");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let mut chromedriver = Process::spawn(command, &output);
        let port = until_some("chromedriver listens", DEADLINE, || {
            let said = std::fs::read_to_string(&output).unwrap_or_default();
            assert!(chromedriver.ended().is_none(), "chromedriver ended: {said}");
            said.split_once(STARTED)?.1.split('.').next()?.parse::<u16>().ok()
        });
        let driver = runtime().block_on(WebDriver::new(format!("http://127.0.0.1:{port}"), chromium(profile.path())));
        Self {
            driver: Some(driver.expect("chromium starts")),
            _chromedriver: chromedriver,
            _profile: profile,
            shots: shots.to_owned(),
        }
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("the browser is open")
    }

    /// Opens an address, and follows wherever it leads.
    pub fn open(&self, url: &str) {
        runtime().block_on(self.driver().goto(url)).unwrap();
    }

    /// The address that is shown.
    pub fn address(&self) -> String {
        runtime().block_on(self.driver().current_url()).unwrap().to_string()
    }

    /// The text that is shown.
    pub fn text(&self) -> String {
        let read = async { self.driver().find(By::Tag("body")).await?.text().await };
        // The page may just be leaving.
        runtime().block_on(read).unwrap_or_default()
    }

    /// Presses the button or link with this text.
    pub fn press(&self, label: &str) {
        let found = By::XPath(format!("//*[self::button or self::a][normalize-space()='{label}']"));
        let press = async { self.driver().find(found).await?.click().await };
        runtime().block_on(press).unwrap_or_else(|error| panic!("{label}: {error}\n{}", self.text()));
    }

    /// Types into a field of a form.
    pub fn fill(&self, name: &str, text: &str) {
        let fill = async { self.driver().find(By::Name(name)).await?.send_keys(text).await };
        runtime().block_on(fill).unwrap();
    }

    /// Waits until an address is shown that begins like this.
    pub fn wait_for(&self, address: &str) {
        until(&format!("the browser is at {address} and not at {}", self.address()), || {
            self.address().starts_with(address)
        });
    }

    /// The value of a cookie of the page that is shown.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = runtime().block_on(self.driver().get_all_cookies()).unwrap();
        cookies.into_iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value)
    }

    /// Keeps pictures of the page, by day and by night.
    pub fn picture(&self, name: &str) {
        std::fs::create_dir_all(&self.shots).unwrap();
        for scheme in ["light", "dark"] {
            let file = self.shots.join(format!("{name}-{scheme}.png"));
            let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            let take = async {
                self.driver().cdp().send_raw("Emulation.setEmulatedMedia", media).await?;
                self.driver().screenshot(&file).await
            };
            runtime().block_on(take).unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            if std::thread::panicking() {
                eprintln!(
                    "--- the browser is at {} ---",
                    runtime().block_on(driver.current_url()).map_or(String::new(), String::from)
                );
            }
            // Chromium ends with its session; chromedriver alone would leave it behind.
            let _ = runtime().block_on(driver.quit());
        }
    }
}

fn chromium(profile: &Path) -> ChromeCapabilities {
    let mut chromium = ChromeCapabilities::new();
    let data = format!("--user-data-dir={}", profile.join("profile").display());
    // Root has no sandbox in a container, and /dev/shm is small there.
    let arguments =
        ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", WINDOW, data.as_str()];
    for argument in arguments {
        chromium.add_arg(argument).unwrap();
    }
    chromium
}
