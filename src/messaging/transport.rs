//! `transport_url`: `rabbit://user:password@host:port,user:password@host:port/virtual_host`.

use crate::base::secret::Secret;
use percent_encoding::percent_decode_str;
use std::str::FromStr;

const PORT: u16 = 5672;

/// Where the brokers are, which stand for one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// At least one.
    pub hosts: Vec<Host>,
    /// As the broker knows it: `/` is its default one.
    pub virtual_host: String,
    /// The URL asks for TLS (`kombu+amqps`).
    pub tls: bool,
    /// Options of `[oslo_messaging_rabbit]` that the URL sets (`?ssl=true`), which win.
    pub options: Vec<(String, String)>,
}

/// One broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address; without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// With what.
    pub password: Secret,
}

/// It is no transport URL, or not one of RabbitMQ. The text shows nothing of it but its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransport {
    /// There is no `://`.
    #[error("it is not of the form rabbit://user:password@host:port/virtual_host")]
    NoUrl,
    /// Another kind of broker.
    #[error("there is no messaging over {0}; there is rabbit://, for RabbitMQ")]
    Scheme(String),
    /// A part between commas.
    #[error("its host number {number} is wrong: {why}")]
    Host {
        /// From 1.
        number: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Percent signs that mean nothing.
    #[error("a %-encoded part of it is not UTF-8")]
    Encoding,
}

// === impl Transport ===

impl Default for Transport {
    /// What oslo.messaging takes `rabbit://` for.
    fn default() -> Self {
        let host =
            Host { name: "localhost".to_owned(), port: PORT, user: "guest".to_owned(), password: "guest".into() };
        Self { hosts: vec![host], virtual_host: "/".to_owned(), tls: false, options: Vec::new() }
    }
}

impl FromStr for Transport {
    type Err = InvalidTransport;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(InvalidTransport::NoUrl)?;
        let scheme = scheme.to_ascii_lowercase();
        let tls = match scheme.as_str() {
            "rabbit" | "kombu" | "rabbit+amqp" | "kombu+amqp" | "kombu+rabbit" | "rabbit+pyamqp" | "kombu+pyamqp" => {
                false
            }
            "kombu+amqps" | "rabbit+amqps" => true,
            _ => return Err(InvalidTransport::Scheme(scheme.chars().take(40).collect())),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let virtual_host = match path {
            "" => "/".to_owned(),
            path => decoded(path)?,
        };
        let parse = |(number, part): (usize, &str)| Host::parse(number + 1, part);
        let hosts =
            hosts.split(',').filter(|it| !it.is_empty()).enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        let hosts = if hosts.is_empty() { Self::default().hosts } else { hosts };
        let options = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { hosts, virtual_host, tls, options })
    }
}

// === impl Host ===

impl Host {
    fn parse(number: usize, part: &str) -> Result<Self, InvalidTransport> {
        let wrong = |why| InvalidTransport::Host { number, why };
        let (login, place) = part.rsplit_once('@').map_or((None, part), |(login, place)| (Some(login), place));
        // Without a login, none is sent by oslo.messaging, which RabbitMQ then refuses.
        let (user, password) = login.map_or(("", ""), |it| it.split_once(':').unwrap_or((it, "")));
        let (name, port) = match place.strip_prefix('[').map(|it| it.split_once(']')) {
            Some(None) => return Err(wrong("its address in brackets has no end")),
            Some(Some((name, ""))) => (name, None),
            Some(Some((name, port))) => (name, Some(port.strip_prefix(':').ok_or_else(|| wrong("its port"))?)),
            // An address of IPv6 without brackets has no port.
            None if place.matches(':').count() > 1 => (place, None),
            None => place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port))),
        };
        let port = match port {
            None | Some("") => PORT,
            Some(port) => port.parse().map_err(|_| wrong("its port is no number up to 65535"))?,
        };
        let name = if name.is_empty() { "localhost" } else { name };
        Ok(Self { name: name.to_owned(), port, user: decoded(user)?, password: decoded(password)?.into() })
    }
}

fn decoded(text: &str) -> Result<String, InvalidTransport> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| InvalidTransport::Encoding)?;
    Ok(decoded.into_owned())
}
