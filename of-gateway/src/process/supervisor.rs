//! What systemd (or who else set `NOTIFY_SOCKET`) is told.

use sd_notify::NotifyState;

pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// To be followed by [`ready`].
pub(crate) fn reloading() {
    // The time says which reload this is; a supervisor that wants it gives up without it.
    let now = NotifyState::monotonic_usec_now();
    tell(&now.map_or_else(|_| vec![NotifyState::Reloading], |now| vec![NotifyState::Reloading, now]));
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "The supervisor cannot be told how the gateway is.");
    }
}
