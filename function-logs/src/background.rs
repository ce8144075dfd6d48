//! Where work is done that no request waits for.

use std::sync::mpsc;
use std::thread;

use sdk::ConfigError;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The runtime that this is called in. A function of its own is made before its runtime is there: logs are collected from the
/// start and not from the first question on, so there is one for that.
pub(crate) fn runtime(stop: CancellationToken) -> Result<Handle, ConfigError> {
    if let Ok(here) = Handle::try_current() {
        return Ok(here);
    }
    let (sender, receiver) = mpsc::channel();
    let work = move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let _ = sender.send(runtime.as_ref().map(|runtime| runtime.handle().clone()).map_err(ToString::to_string));
        if let Ok(runtime) = runtime {
            runtime.block_on(stop.cancelled());
        }
    };
    let begun = thread::Builder::new().name("collector".to_owned()).spawn(work);
    let refused = |error: String| ConfigError::one("function-logs", format!("cannot work in the background: {error}"));
    begun.map_err(|error| refused(error.to_string()))?;
    receiver.recv().map_err(|error| refused(error.to_string()))?.map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_runtime_where_there_was_none() {
        let stop = CancellationToken::new();
        let runtime = runtime(stop.clone()).unwrap();
        let (sender, receiver) = mpsc::channel();
        runtime.spawn(async move { sender.send(1).unwrap() });
        assert_eq!(receiver.recv().unwrap(), 1);
        stop.cancel();
    }
}
