//! A real Chromium, driven through `chromedriver`.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{By, ChromeCapabilities, ChromiumLikeCapabilities, WebDriver};

use crate::process::Process;
use crate::wait::{DEADLINE, until, until_some};
use crate::web::runtime;

/// What `chromedriver` says once it listens, before the port.
const STARTED: &str = "started successfully on port ";
/// The size of the window, in CSS pixels.
const WINDOW: &str = "--window-size=1000,760";

/// A phone's screen, in CSS pixels.
const PHONE: (u64, u64) = (390, 844);
/// A picture ends here at the latest, in CSS pixels.
const LONGEST: u64 = 2600;
/// Asks axe-core, and answers with a line for each rule that is broken.
const AXE: &str = "const done = arguments[arguments.length - 1];
    const line = found => `${found.id}: ${found.help}: ${found.nodes.map(node => node.html).join(' ')}`;
    axe.run(document).then(result => done(result.violations.map(line)), error => done([String(error)]));";

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

    /// The page's HTML, also of what is not shown.
    pub fn source(&self) -> String {
        runtime().block_on(self.driver().source()).unwrap()
    }

    /// Presses the button or link with this text.
    pub fn press(&self, label: &str) {
        let found = By::XPath(format!("//*[self::button or self::a][normalize-space()='{label}']"));
        let press = async { self.driver().find(found).await?.click().await };
        runtime().block_on(press).unwrap_or_else(|error| panic!("{label}: {error}\n{}", self.text()));
    }

    /// Presses the button with this text, where there may be a link with it, too.
    pub fn press_button(&self, label: &str) {
        let found = By::XPath(format!("//button[normalize-space()='{label}']"));
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

    /// Keeps pictures of the whole page, by day and by night.
    pub fn picture(&self, name: &str) {
        std::fs::create_dir_all(&self.shots).unwrap();
        for scheme in ["light", "dark"] {
            self.show_by(scheme);
            let (width, height) = self.size();
            // Whole pages have no scroll bar beside them.
            let width = width.max(self.window());
            let clip = json!({ "x": 0, "y": 0, "width": width, "height": height.min(LONGEST), "scale": 1 });
            let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
            let taken = self.cdp("Page.captureScreenshot", shot);
            let png = BASE64.decode(taken["data"].as_str().unwrap()).unwrap();
            std::fs::write(self.shots.join(format!("{name}-{scheme}.png")), png).unwrap();
        }
    }

    /// How wide the window is, in CSS pixels.
    fn window(&self) -> u64 {
        let asked = self.driver().execute("return window.innerWidth", Vec::new());
        runtime().block_on(asked).unwrap().convert().unwrap()
    }

    /// How wide and how high the page is, in CSS pixels.
    fn size(&self) -> (u64, u64) {
        let ask = "const page = document.documentElement; return [page.scrollWidth, page.scrollHeight]";
        runtime().block_on(self.driver().execute(ask, Vec::new())).unwrap().convert().unwrap()
    }

    /// Keeps pictures of the page as phones show it, and expects that nothing is beyond the edge of the screen.
    pub fn picture_on_a_phone(&self, name: &str) {
        let (width, height) = PHONE;
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": true });
        self.cdp("Emulation.setDeviceMetricsOverride", screen);
        self.picture(&format!("{name}-phone"));
        assert_eq!(self.size().0, width, "{name} is as wide as the screen");
        self.cdp("Emulation.clearDeviceMetricsOverride", json!({}));
    }

    /// What axe-core finds against the page, by day and by night: nothing, or the rules and the elements that break them.
    ///
    /// # Panics
    /// When there is no axe-core: `scripts/setup test` installs it.
    pub fn accessibility(&self) -> Vec<String> {
        let script = std::fs::read_to_string(axe()).expect("axe-core: run `scripts/setup test` first");
        runtime().block_on(self.driver().execute(script, Vec::new())).unwrap();
        let found = ["light", "dark"].into_iter().flat_map(|scheme| {
            self.show_by(scheme);
            let found = runtime().block_on(self.driver().execute_async(AXE, Vec::new())).unwrap();
            let found: Vec<String> = found.convert().unwrap();
            found.into_iter().map(move |one| format!("{scheme}: {one}"))
        });
        found.collect()
    }

    fn show_by(&self, scheme: &str) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", media);
    }

    fn cdp(&self, command: &str, parameters: Value) -> Value {
        runtime().block_on(self.driver().cdp().send_raw(command, parameters)).unwrap()
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

/// Where `scripts/setup` puts it.
fn axe() -> PathBuf {
    let tools = std::env::var_os("NODE_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/node-tools"));
    tools.join("node_modules/axe-core/axe.min.js")
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
