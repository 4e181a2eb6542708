//! What an operator sets for the node's place in the fleet, and for what becomes of images that the catalogue loses.

use crate::wire::fleet::Labels;
use std::{fmt, str::FromStr, time::Duration};

/// `[fleet]` of the agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `fleet`: whether the node joins.
    pub fleet: Membership,
    /// `node_name`; none is the host's name, as whoever reads the configuration found it.
    pub node_name: Option<String>,
    /// `labels`: what the node is selected by.
    pub labels: Labels,
    /// `address`: where other nodes reach this one.
    pub address: Option<String>,
    /// `catalogue_check_interval`: how often the catalogue is asked about all cached images; zero for never.
    pub catalogue_check_interval: Duration,
    /// `gone_image_minimum_age`: seconds since its last use after which the base of a lost image goes.
    pub gone_image_minimum_age: u64,
    /// `mass_removal_wait`: how long most images must be missed at once before that is believed.
    pub mass_removal_wait: Duration,
}

/// Whether the node joins the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// If the catalogue keeps one.
    #[default]
    Auto,
    /// It does, and is to be told when it cannot.
    On,
    /// Never.
    Off,
}

/// The text says neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of auto, true and false")]
pub struct UnknownMembership(pub String);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            fleet: Membership::Auto,
            node_name: None,
            labels: Labels::default(),
            address: None,
            catalogue_check_interval: Duration::from_secs(600),
            gone_image_minimum_age: 300,
            mass_removal_wait: Duration::from_secs(86_400),
        }
    }
}

// === impl Membership ===

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "true",
            Self::Off => "false",
        })
    }
}

impl FromStr for Membership {
    type Err = UnknownMembership;

    fn from_str(text: &str) -> Result<Self, UnknownMembership> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "true" | "yes" | "on" | "1" => Ok(Self::On),
            "false" | "no" | "off" | "0" => Ok(Self::Off),
            _ => Err(UnknownMembership(text.chars().take(80).collect())),
        }
    }
}
