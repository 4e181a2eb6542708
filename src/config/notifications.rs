//! The options of notifications: oslo.messaging's, and Glance's.

use super::{
    Catalogue, ConfigError,
    catalogue::ONE_OR_MORE,
    options::Options,
    value::{NO_LIMIT_BELOW_ZERO, Refused, Value, parsed},
};
use crate::base;
use crate::messaging::{Driver, InvalidTransport, Rabbit, Transport, UnknownDriver};
use std::path::PathBuf;

/// The two `transport_url`, which are looked at when they are used: other services' brokers may stand there.
#[derive(Clone, Debug, Default)]
pub(super) struct Urls {
    /// `[DEFAULT]`
    general: base::Secret,
    /// `[oslo_messaging_notifications]`
    own: base::Secret,
}

pub(super) fn default_section(options: &mut Options<'_>, it: &mut Catalogue) {
    let settings = &mut it.settings.notifications;
    options.bind(
        "transport_url",
        &mut it.urls.general,
        "The broker of notifications where [oslo_messaging_notifications] names none: rabbit://user:password@host:5672/, with \
         several user:password@host:port separated by commas, and the virtual host after the last /. Special characters are \
         %-encoded. Not set: rabbit://guest:guest@localhost:5672/.",
    );
    options.bind("control_exchange", &mut settings.exchange, "The exchange that notifications are sent to.");
    options.bind("default_publisher_id", &mut settings.publisher_id, "Who notifications say that they are from.");
    options.bind(
        "disabled_notifications",
        &mut settings.disabled,
        "Types of notifications that are not sent, such as image.send, and groups of them, such as image or metadef_tag.",
    );
}

pub(super) fn sections(options: &mut Options<'_>, it: &mut Catalogue) {
    let settings = &mut it.settings.notifications;
    options.section("oslo_messaging_notifications");
    options.bind(
        "driver",
        &mut Drivers(&mut settings.drivers),
        "Where notifications go: messagingv2 (to RabbitMQ, in oslo.messaging's envelope 2.0), messaging (likewise, without an \
         envelope), log, noop. They wait in memory while the broker is away, and no request waits for it.",
    );
    options.bind(
        "transport_url",
        &mut it.urls.own,
        "The broker, in the form of [DEFAULT] transport_url, which holds when this is not set.",
    );
    options.bind("topics", &mut settings.topics, "The queues are named by each of these, with .info, .warn or .error.");
    options.bind_as(
        "retry",
        &mut settings.retry,
        NO_LIMIT_BELOW_ZERO,
        "How often a notification is sent again that the broker did not take; -1 for ever.",
    );
    options.bind_as(
        "backlog",
        &mut settings.backlog,
        ONE_OR_MORE,
        "Notifications that wait in memory for the broker at the most (and 64 MiB of them). The oldest make room for new ones; \
         what is lost is counted in larder_notifications_dropped_total.",
    );
    rabbit(options, &mut settings.rabbit);
}

fn rabbit(options: &mut Options<'_>, it: &mut Rabbit) {
    options.section("oslo_messaging_rabbit");
    options.bind(
        "amqp_durable_queues",
        &mut it.durable,
        "The exchange and queues outlive a restart of the broker. It should be what the listeners of notifications have.",
    );
    options.bind("amqp_auto_delete", &mut it.auto_delete, "The exchange and queues go with their last listener.");
    options.bind("rabbit_quorum_queue", &mut it.quorum, "Queues are replicated ones (quorum), which are durable, too.");
    options.bind("rabbit_quorum_delivery_limit", &mut it.quorum_delivery_limit, "Of quorum queues; 0 for none.");
    options.bind("rabbit_quorum_max_memory_length", &mut it.quorum_max_memory_length, "Of quorum queues; 0 for none.");
    options.bind("rabbit_quorum_max_memory_bytes", &mut it.quorum_max_memory_bytes, "Of quorum queues; 0 for none.");
    options.bind("rabbit_ha_queues", &mut it.ha, "Queues are mirrored ones, of brokers before RabbitMQ 3.0.");
    options.bind(
        "heartbeat_timeout_threshold",
        &mut it.heartbeat,
        "Seconds without a sign of life after which the broker counts as gone; 0 for never.",
    );
    options.bind_as(
        "rabbit_login_method",
        &mut it.login,
        parsed("AMQPLAIN, PLAIN or EXTERNAL"),
        "How the login of transport_url is shown to the broker.",
    );
    options.bind("rabbit_retry_interval", &mut it.retry_interval, "The pause after a connection that failed.");
    options.bind("rabbit_retry_backoff", &mut it.retry_backoff, "What each further pause is longer by.");
    options.bind("rabbit_interval_max", &mut it.interval_max, "The longest pause.");
    options.bind("ssl", &mut it.ssl, "Use TLS.");
    options.bind(
        "ssl_ca_file",
        &mut it.ca_file,
        "PEM file of the authorities to trust for the broker. Not set: with ssl, any certificate is taken (oslo.messaging's rule).",
    );
    options.bind("ssl_cert_file", &mut it.cert_file, "PEM file of the client's certificate.");
    options.bind("ssl_key_file", &mut it.key_file, "PEM file of its key.");
    options.bind(
        "ssl_enforce_hostname_verification",
        &mut it.verify_name,
        "With ssl_ca_file: the certificate must be for the broker's name.",
    );
}

/// One or more, repeated.
struct Drivers<'a>(&'a mut Vec<Driver>);

// === impl Drivers ===

impl Value for Drivers<'_> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        self.0.clear();
        for text in values.iter().map(|it| it.trim()).filter(|it| !it.is_empty()) {
            let driver = text.parse().map_err(|error: UnknownDriver| Refused(Some(error.to_string())))?;
            if !self.0.contains(&driver) {
                self.0.push(driver);
            }
        }
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    fn takes(&self) -> String {
        "messagingv2, messaging, log or noop; may be repeated".to_owned()
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// Puts the broker into the settings, if one is used.
    pub(super) fn finish_notifications(&mut self) -> Result<(), ConfigError> {
        let settings = &mut self.settings.notifications;
        let (section, url) = match (&self.urls.own, &self.urls.general) {
            (own, _) if !own.is_empty() => ("oslo_messaging_notifications", own),
            (_, general) if !general.is_empty() => ("DEFAULT", general),
            _ => return Ok(()),
        };
        if settings.uses_broker() {
            let wrong = |source: InvalidTransport| ConfigError::Transport { section, source };
            settings.transport = url.expose().parse::<Transport>().map_err(wrong)?;
            for (name, value) in settings.transport.options.clone() {
                overrule(&mut settings.rabbit, &name, &value)
                    .ok_or(ConfigError::TransportOption { section, name: name.chars().take(80).collect() })?;
            }
        }
        Ok(())
    }
}

/// What stands in the query of a URL wins over `[oslo_messaging_rabbit]`; names that are not used here are passed over.
fn overrule(rabbit: &mut Rabbit, name: &str, value: &str) -> Option<()> {
    let flag = || match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    };
    match name {
        "ssl" => rabbit.ssl = flag()?,
        "ssl_enforce_hostname_verification" => rabbit.verify_name = flag()?,
        "ssl_ca_file" => rabbit.ca_file = Some(PathBuf::from(value)),
        "ssl_cert_file" => rabbit.cert_file = Some(PathBuf::from(value)),
        "ssl_key_file" => rabbit.key_file = Some(PathBuf::from(value)),
        "amqp_durable_queues" => rabbit.durable = flag()?,
        "amqp_auto_delete" => rabbit.auto_delete = flag()?,
        "rabbit_quorum_queue" => rabbit.quorum = flag()?,
        "rabbit_ha_queues" => rabbit.ha = flag()?,
        "heartbeat_timeout_threshold" => rabbit.heartbeat = value.parse().ok()?,
        "rabbit_login_method" => rabbit.login = value.parse().ok()?,
        _ => {}
    }
    Some(())
}
