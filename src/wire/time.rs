//! Times as the Image API writes them.

use chrono::{DateTime, SecondsFormat, Utc};

/// `2026-11-20T09:25:30Z`: UTC, whole seconds.
pub fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
