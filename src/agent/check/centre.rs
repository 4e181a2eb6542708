//! The catalogue: does it answer, does it know us, do the clocks agree.

use crate::admin::Finding;
use crate::agent::Settings;
use crate::base::chain;
use crate::remote::Catalogue;
use chrono::Utc;

/// Keystone's tokens and TLS certificates bear a minute.
const SKEW: i64 = 60;

pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    const TOPIC: &str = "catalogue";
    let catalogue = match Catalogue::new(settings.catalogue.clone()) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            return vec![Finding::error(
                TOPIC,
                chain(&error).to_string(),
                "correct [glance] in agent.conf or nova.conf",
            )];
        }
    };
    let place = catalogue.describe();
    if place == "nowhere" {
        return vec![Finding::error(
            TOPIC,
            "no catalogue is configured",
            "set [glance] endpoint_override, such as http://controller:9292, or a login in [glance] or [keystone_authtoken]",
        )];
    }
    match catalogue.probe().await {
        Err(error) => vec![Finding::error(
            TOPIC,
            chain(&error).to_string(),
            format!("make {place} reachable from here and the login in [glance] or [keystone_authtoken] valid there"),
        )],
        Ok(date) => {
            vec![Finding::ok(TOPIC, format!("{place} answers")), clock(date.map(|it| (Utc::now() - it).num_seconds()))]
        }
    }
}

/// `ahead` is by how many seconds this host's clock is ahead of the catalogue's.
pub(super) fn clock(ahead: Option<i64>) -> Finding {
    const TOPIC: &str = "clock";
    match ahead {
        None => Finding::warning(TOPIC, "the catalogue does not say what time it is", "compare the clocks by hand"),
        Some(ahead) if ahead.abs() <= SKEW => Finding::ok(TOPIC, "this host and the catalogue agree on the time"),
        Some(ahead) => Finding::warning(
            TOPIC,
            format!(
                "this host's clock is {} s {} the catalogue's: ages of bases and tokens are judged wrongly",
                ahead.abs(),
                if ahead > 0 { "ahead of" } else { "behind" }
            ),
            "let chrony or another NTP client run on both",
        ),
    }
}
