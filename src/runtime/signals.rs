//! What the operating system asks of the process.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A token that SIGTERM or SIGINT cancels; a second one ends the process at once, as the kernel would.
///
/// # Errors
/// When a handler can't be installed.
pub fn shutdown_token() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancel = token.clone();
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if round == 0 {
                info!("stopping: finishing what is under way; a second signal stops at once");
                cancel.cancel();
            } else {
                warn!("second signal: stopping at once");
                default_action(nix::sys::signal::Signal::SIGTERM);
            }
        }
    });
    Ok(token)
}

/// Each SIGHUP as a message; signals that come while one is waiting fold into it.
///
/// # Errors
/// When the handler can't be installed.
pub fn hangups() -> io::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if sender.try_send(()).is_err() && sender.is_closed() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Ends the process by the signal's default action, so that its parent sees the true cause.
#[expect(unsafe_code, reason = "restoring a default signal action has no safe wrapper")]
fn default_action(sig: nix::sys::signal::Signal) {
    use nix::sys::signal::{SigHandler, raise, signal};
    // SAFETY: SIG_DFL installs no handler, so no code of ours runs in signal context.
    let _ = unsafe { signal(sig, SigHandler::SigDfl) };
    let _ = raise(sig);
}
