//! Logs: readable lines on a terminal, JSON with `--log-json`, journald's own fields under systemd.

use std::{env, io::IsTerminal};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, registry, util::SubscriberInitExt};

/// How to log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A filter of tracing's form, such as `info` or `larder::agent=debug`; empty means `info`, or `debug` with `debug`.
    pub level: String,
    /// oslo.log's `debug`.
    pub debug: bool,
    /// One JSON object a line, on standard error.
    pub json: bool,
}

/// The filter is not one.
#[derive(Debug, thiserror::Error)]
#[error("log_level '{level}' is not a filter: it takes error, warn, info, debug, trace, or module=level pairs")]
pub struct InvalidLevel {
    level: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging for the process; a second call changes nothing.
///
/// # Errors
/// [`InvalidLevel`] when `level` can't be parsed.
pub fn init(settings: &Settings) -> Result<(), InvalidLevel> {
    let level = match (settings.level.as_str(), settings.debug) {
        ("", true) => "info,larder=debug",
        ("", false) => "info",
        (level, _) => level,
    };
    let filter = EnvFilter::try_new(level).map_err(|source| InvalidLevel { level: level.to_owned(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = if settings.json {
        lines.json().flatten_event(true).boxed()
    } else if let Some(journal) = journal() {
        journal.boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
    };
    // Fails only when logging has begun already, as in `larder dev`, where that is right.
    let _ = registry().with(filter).with(layer).try_init();
    Ok(())
}

/// The journal, when systemd has connected standard error to it (`$JOURNAL_STREAM`, systemd.exec(5)).
fn journal() -> Option<tracing_journald::Layer> {
    env::var_os("JOURNAL_STREAM")?;
    if std::io::stderr().is_terminal() {
        return None;
    }
    tracing_journald::layer().ok().map(|layer| layer.with_syslog_identifier("larder".to_owned()))
}
