//! What an operator may set; the names are oslo.messaging's options.

use super::Transport;
use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// Settings of notifications. The defaults are oslo.messaging's, and Glance's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[oslo_messaging_notifications] driver`, each once; none sends nothing.
    pub drivers: Vec<Driver>,
    /// `[oslo_messaging_notifications] topics`
    pub topics: Vec<String>,
    /// `[oslo_messaging_notifications] transport_url`, otherwise `[DEFAULT] transport_url`.
    pub transport: Transport,
    /// `[oslo_messaging_notifications] retry`: how often a message is sent again that the broker did not take; none for
    /// ever.
    pub retry: Option<u64>,
    /// `control_exchange`
    pub exchange: String,
    /// `default_publisher_id`
    pub publisher_id: String,
    /// `disabled_notifications`: types of events, and groups of them (what stands before the first dot).
    pub disabled: Vec<String>,
    /// `[oslo_messaging_notifications] backlog`: messages that wait for the broker at the most.
    pub backlog: usize,
    /// `[oslo_messaging_rabbit]`
    pub rabbit: Rabbit,
}

/// `[oslo_messaging_rabbit]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rabbit {
    /// `amqp_durable_queues`
    pub durable: bool,
    /// `amqp_auto_delete`
    pub auto_delete: bool,
    /// `rabbit_quorum_queue`
    pub quorum: bool,
    /// `rabbit_quorum_delivery_limit`; 0 for none.
    pub quorum_delivery_limit: u32,
    /// `rabbit_quorum_max_memory_length`; 0 for none.
    pub quorum_max_memory_length: u32,
    /// `rabbit_quorum_max_memory_bytes`; 0 for none.
    pub quorum_max_memory_bytes: u32,
    /// `rabbit_ha_queues`
    pub ha: bool,
    /// `heartbeat_timeout_threshold`, seconds; 0 for none.
    pub heartbeat: u16,
    /// `rabbit_login_method`
    pub login: LoginMethod,
    /// `rabbit_retry_interval`: the pause after the first connection that failed.
    pub retry_interval: Duration,
    /// `rabbit_retry_backoff`: what each further pause is longer by.
    pub retry_backoff: Duration,
    /// `rabbit_interval_max`: the longest pause.
    pub interval_max: Duration,
    /// `ssl`
    pub ssl: bool,
    /// `ssl_ca_file`; without it any certificate of the broker is taken (oslo.messaging's behaviour).
    pub ca_file: Option<PathBuf>,
    /// `ssl_cert_file`
    pub cert_file: Option<PathBuf>,
    /// `ssl_key_file`
    pub key_file: Option<PathBuf>,
    /// `ssl_enforce_hostname_verification`
    pub verify_name: bool,
}

/// Where notifications go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// `noop`: nowhere.
    Noop,
    /// `log`: into the log.
    Log,
    /// `messaging`: to the broker, without an envelope.
    Messaging,
    /// `messagingv2`: to the broker, in oslo.messaging's envelope 2.0.
    MessagingV2,
}

/// No such driver here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no notification driver '{0}'; there are noop, log, messaging and messagingv2")]
pub struct UnknownDriver(String);

/// How one logs in at RabbitMQ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginMethod {
    /// `AMQPLAIN`
    #[default]
    AmqPlain,
    /// `PLAIN`
    Plain,
    /// `EXTERNAL`: by the client's certificate.
    External,
}

/// No such login here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no login method '{0}'; there are AMQPLAIN, PLAIN and EXTERNAL")]
pub struct UnknownLogin(String);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            drivers: Vec::new(),
            topics: vec!["notifications".to_owned()],
            transport: Transport::default(),
            retry: None,
            exchange: "glance".to_owned(),
            publisher_id: "image.localhost".to_owned(),
            disabled: Vec::new(),
            backlog: 10_000,
            rabbit: Rabbit::default(),
        }
    }
}

impl Settings {
    /// Whether any notification goes anywhere.
    pub fn is_on(&self) -> bool {
        self.drivers.iter().any(|it| *it != Driver::Noop)
    }

    /// Whether one goes to a broker.
    pub fn uses_broker(&self) -> bool {
        self.drivers.iter().any(|it| it.uses_broker())
    }

    /// Whether events of this type are sent at all (Glance's rule).
    pub(super) fn wants(&self, event: &str) -> bool {
        let group = event.split('.').next().unwrap_or_default();
        self.is_on() && !self.disabled.iter().any(|it| it == event || it == group)
    }
}

// === impl Rabbit ===

impl Default for Rabbit {
    fn default() -> Self {
        Self {
            durable: false,
            auto_delete: false,
            quorum: false,
            quorum_delivery_limit: 0,
            quorum_max_memory_length: 0,
            quorum_max_memory_bytes: 0,
            ha: false,
            heartbeat: 60,
            login: LoginMethod::default(),
            retry_interval: Duration::from_secs(1),
            retry_backoff: Duration::from_secs(2),
            interval_max: Duration::from_secs(30),
            ssl: false,
            ca_file: None,
            cert_file: None,
            key_file: None,
            verify_name: true,
        }
    }
}

impl Rabbit {
    /// Whether exchanges and queues are to outlive the broker; those of quorums always do.
    #[cfg(feature = "notify-amqp")]
    pub(super) fn is_durable(&self) -> bool {
        self.durable || self.quorum
    }
}

// === impl Driver ===

impl Driver {
    /// Whether it is one of a broker.
    pub(super) fn uses_broker(self) -> bool {
        matches!(self, Self::Messaging | Self::MessagingV2)
    }
}

impl FromStr for Driver {
    type Err = UnknownDriver;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "noop" => Ok(Self::Noop),
            "log" => Ok(Self::Log),
            "messaging" => Ok(Self::Messaging),
            "messagingv2" => Ok(Self::MessagingV2),
            other => Err(UnknownDriver(other.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Noop => "noop",
            Self::Log => "log",
            Self::Messaging => "messaging",
            Self::MessagingV2 => "messagingv2",
        })
    }
}

// === impl LoginMethod ===

impl FromStr for LoginMethod {
    type Err = UnknownLogin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "AMQPLAIN" => Ok(Self::AmqPlain),
            "PLAIN" => Ok(Self::Plain),
            "EXTERNAL" => Ok(Self::External),
            other => Err(UnknownLogin(other.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for LoginMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AmqPlain => "AMQPLAIN",
            Self::Plain => "PLAIN",
            Self::External => "EXTERNAL",
        })
    }
}
