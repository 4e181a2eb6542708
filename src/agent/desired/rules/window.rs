//! Whether a rule's images may be fetched now.

use crate::wire::fleet::Window;
use chrono::{DateTime, TimeDelta, Utc};

/// Whether a window is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is, at least until then; none for always.
    Open(Option<DateTime<Utc>>),
    /// It is not, until then; none for ever.
    Shut(Option<DateTime<Utc>>),
}

/// The state of a window; a rule without one may fetch always.
pub fn gate(window: Option<&Window>, now: DateTime<Utc>, local_time: bool) -> Gate {
    let Some(window) = window else { return Gate::Open(None) };
    let lasts = i64::try_from(window.lasts).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX);
    let since = now.checked_sub_signed(lasts).unwrap_or(DateTime::<Utc>::MIN_UTC);
    match window.opens.next(since, local_time) {
        Some(opens) if opens <= now => Gate::Open(opens.checked_add_signed(lasts)),
        opens => Gate::Shut(opens),
    }
}

// === impl Gate ===

impl Gate {
    /// When it changes, as far as that is known.
    pub fn changes(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Open(at) | Self::Shut(at) => at,
        }
    }
}
