//! A socket in front of the engine's, so that a test can take the engine away from one platform without
//! stopping it for everybody.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use sdk::Env;
use tempfile::TempDir;

const ENGINE: &str = "/var/run/docker.sock";

/// Passes connections on while it is open.
#[derive(Debug)]
pub struct EngineSocket {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    connections: Vec<UnixStream>,
}

impl EngineSocket {
    /// An open socket.
    pub fn open() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), state: Arc::default() };
        this.state.lock().unwrap().open = true;
        let listener = UnixListener::bind(this.path()).unwrap();
        let state = Arc::clone(&this.state);
        let engine = engine();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = pass_on(&state, &client, &engine);
            }
        });
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// Its address, as `DOCKER_HOST` has it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.path().display())
    }

    /// Breaks all connections and takes no new ones: to the platform the engine has stopped.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap();
        state.open = false;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }

    /// The engine is back.
    pub fn reopen(&self) {
        self.state.lock().unwrap().open = true;
    }
}

fn engine() -> PathBuf {
    let given = Env::from_process().var("DOCKER_HOST").and_then(|url| url.strip_prefix("unix://")).map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(ENGINE).to_owned())
}

/// A connection that is not passed on is closed at once.
fn pass_on(state: &Mutex<State>, client: &UnixStream, engine: &Path) -> io::Result<()> {
    let mut state = state.lock().unwrap();
    if !state.open {
        return client.shutdown(std::net::Shutdown::Both);
    }
    let server = UnixStream::connect(engine)?;
    copy(client.try_clone()?, server.try_clone()?);
    copy(server.try_clone()?, client.try_clone()?);
    state.connections.extend([client.try_clone()?, server]);
    Ok(())
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // The other direction may go on: an upload ends before its answer begins.
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
