//! What systemd wants to hear: READY, STOPPING, STATUS and the watchdog (sd_notify(3)); no-ops elsewhere.

use sd_notify::NotifyState;
use std::{env, os::unix::net::UnixListener, time::Duration};
use tokio_util::sync::CancellationToken;

/// Start-up is over.
pub fn ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// The drain has begun.
pub fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    let _ = sd_notify::notify(&[NotifyState::Status(text)]);
}

/// Pats the watchdog at half its period until `shutdown`, from the executor: a blocked executor is what it is to catch.
pub async fn watchdog(shutdown: CancellationToken) {
    let Some(period) = watchdog_period() else { return };
    let mut tick = tokio::time::interval(period / 2);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => { let _ = sd_notify::notify(&[NotifyState::Watchdog]); }
        }
    }
}

/// `$WATCHDOG_USEC`, when `$WATCHDOG_PID` is this process or absent (sd_watchdog_enabled(3)).
fn watchdog_period() -> Option<Duration> {
    let pid = env::var("WATCHDOG_PID").ok();
    if pid.is_some_and(|pid| pid != std::process::id().to_string()) {
        return None;
    }
    let micros: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// The first Unix socket that systemd has opened for this process (socket activation), if any.
pub fn unix_listener() -> Option<UnixListener> {
    let mut sockets = listenfd::ListenFd::from_env();
    (0..sockets.len()).find_map(|at| sockets.take_unix_listener(at).ok().flatten())
}
