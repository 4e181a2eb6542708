//! What comes of it for others.

use crate::image::ImageId;
use crate::wire::fleet::NodeName;
use chrono::TimeDelta;

/// What the log is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The node has no name that a fleet can take.
    NoName(String),
    /// It is registered.
    Registered(NodeName),
    /// The catalogue keeps no fleet.
    NoFleet,
    /// The node is out.
    Out {
        /// Why.
        why: String,
        /// How long it has been, in a reminder.
        since: Option<TimeDelta>,
    },
    /// The same, which was said already.
    StillOut(String),
    /// It is in again, after so long.
    Back(TimeDelta),
    /// The catalogue does not know the session.
    SessionOver,
    /// It says that a beat makes no sense.
    NotUnderstood(String),
    /// It does not give the rules.
    NoRules(String),
}

/// What the feed says is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// One image.
    Image(ImageId),
    /// All of them.
    All,
}

// === impl Word ===

impl Word {
    /// Writes it to the log.
    pub(crate) fn say(&self, catalogue: &str) {
        match self {
            Self::NoName(why) => tracing::warn!("this node joins no fleet: {why}"),
            Self::Registered(node) => tracing::info!(%node, "registered in the fleet"),
            Self::NoFleet => tracing::info!("{catalogue} keeps no fleet of nodes: this node works by itself"),
            Self::Out { why, since: None } => {
                tracing::warn!("the node is not in the fleet, and goes on with what it knows: {why}");
            }
            Self::Out { why, since: Some(since) } => {
                tracing::warn!("the node is not in the fleet, for {} h now: {why}", since.num_hours());
            }
            Self::StillOut(why) => tracing::debug!("the node is not in the fleet: {why}"),
            Self::Back(outage) => tracing::info!("in the fleet again after {} s", outage.num_seconds()),
            Self::SessionOver => tracing::info!("the catalogue does not know this session: registering again"),
            Self::NotUnderstood(why) => tracing::error!(
                "the catalogue does not understand a beat, which is a fault of this program or of it: {why}"
            ),
            Self::NoRules(why) => tracing::warn!("the prefetch rules cannot be had, and those of before hold: {why}"),
        }
    }
}
