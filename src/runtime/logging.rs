//! Logs: readable lines on a terminal, JSON with `--log-json`, journald's own fields under systemd.

use std::{env, io::IsTerminal, sync::OnceLock};
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, registry, reload, util::SubscriberInitExt};

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

/// What is logged, as settings say it.
#[derive(Debug)]
pub struct Filter(EnvFilter);

/// Where the filter of the running log is changed.
static RUNNING: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

// === impl Filter ===

impl Filter {
    /// The filter of these settings.
    ///
    /// # Errors
    /// [`InvalidLevel`] when `level` can't be parsed.
    pub fn of(settings: &Settings) -> Result<Self, InvalidLevel> {
        let level = match (settings.level.as_str(), settings.debug) {
            // What the client of message brokers has to say comes back as errors, which are logged in our words.
            ("", true) => "info,larder=debug,lapin=off",
            ("", false) => "info,lapin=off",
            (level, _) => level,
        };
        EnvFilter::try_new(level).map(Self).map_err(|source| InvalidLevel { level: level.to_owned(), source })
    }

    /// Logs by this filter from now on.
    pub fn apply(self) {
        if let Some(running) = RUNNING.get() {
            // Fails only when there is no log.
            let _ = running.reload(self.0);
        }
    }
}

/// Starts logging for the process; a second call changes nothing.
///
/// # Errors
/// [`InvalidLevel`] when `level` can't be parsed.
pub fn init(settings: &Settings) -> Result<(), InvalidLevel> {
    let Filter(filter) = Filter::of(settings)?;
    let (filter, running) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = if settings.json {
        lines.json().flatten_event(true).boxed()
    } else if let Some(journal) = journal() {
        journal.boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
    };
    // Fails only when logging has begun already, as in `larder dev`, where that is right.
    if registry().with(filter).with(layer).try_init().is_ok() {
        let _ = RUNNING.set(running);
    }
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
