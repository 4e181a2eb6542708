//! One connection to a broker, with one channel on which messages are confirmed.

use super::{Host, LoginMethod, Rabbit, Settings};
use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Error, ErrorKind,
    ExchangeKind, PublisherConfirm,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    protocol::{AMQPErrorKind, AMQPSoftError},
    runtime::default_runtime,
    tcp::RustlsConnector,
    types::{AMQPValue, FieldTable},
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism},
};
use rustls::ClientConfig;
use std::{
    collections::HashSet,
    net::{Shutdown, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A broker that has not answered for so long is taken for dead: at the login, and while a message is on its way.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a login may take; a broker that is there needs milliseconds.
const LOGIN: Duration = Duration::from_secs(15);

/// An open connection. Dropped, it is cut.
pub(super) struct Link {
    connection: Connection,
    channel: Channel,
    exchange: String,
    rabbit: Rabbit,
    /// The queues that are there.
    declared: HashSet<String>,
    _cut: Cut,
}

/// The socket under a connection: the client library's thread ends when it is shut down, and not before the broker
/// answers otherwise.
#[derive(Default)]
struct Cut(Arc<Mutex<Option<OwnedFd>>>);

/// The broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("no broker answers at {at}")]
    Connect { at: String, source: Error },
    #[error("the broker at {at} refuses the login of transport_url, or has no such virtual host")]
    Login { at: String, source: Error },
    #[error("the broker at {at} did not answer within {} seconds", .after.as_secs())]
    Silent { at: String, after: Duration },
    #[error("the broker broke off")]
    Broken(#[from] Error),
    #[error("the broker refused a message")]
    Refused,
}

// === impl Link ===

impl Link {
    pub(super) async fn open(
        settings: &Settings,
        host: &Host,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, LinkError> {
        let (at, cut) = (format!("{}:{}", host.name, host.port), Cut::default());
        let opened = tokio::time::timeout(LOGIN, login(settings, host, tls, &cut)).await;
        let (connection, channel) = match opened {
            Ok(Ok(open)) => open,
            Ok(Err(source)) if is_refusal(&source) => return Err(LinkError::Login { at, source }),
            Ok(Err(source)) => return Err(LinkError::Connect { at, source }),
            Err(_) => return Err(LinkError::Silent { at, after: LOGIN }),
        };
        let (exchange, rabbit) = (settings.exchange.clone(), settings.rabbit.clone());
        let mut link = Self { connection, channel, exchange, rabbit, declared: HashSet::new(), _cut: cut };
        tokio::time::timeout(LOGIN, link.declare_exchange())
            .await
            .unwrap_or(Err(LinkError::Silent { at, after: LOGIN }))?;
        Ok(link)
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Sends a message to the queue of this name, which is made if it is not there. It has arrived when what comes back
    /// is [confirmed](Self::confirmed).
    pub(super) async fn publish(&mut self, queue: &str, body: &[u8]) -> Result<PublisherConfirm, LinkError> {
        let sent = async {
            if !self.declared.contains(queue) {
                self.declare_queue(queue).await?;
                self.declared.insert(queue.to_owned());
            }
            let properties = BasicProperties::default()
                .with_content_type("application/json".into())
                .with_content_encoding("utf-8".into())
                .with_delivery_mode(2)
                .with_priority(0);
            let (exchange, key) = (self.exchange.as_str().into(), queue.into());
            let options = BasicPublishOptions::default();
            Ok(self.channel.basic_publish(exchange, key, options, body, properties).await?)
        };
        tokio::time::timeout(PATIENCE, sent).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Waits until the broker has the message.
    pub(super) async fn confirmed(&self, confirm: PublisherConfirm) -> Result<(), LinkError> {
        match tokio::time::timeout(PATIENCE, confirm).await {
            Err(_) => Err(silent()),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(Confirmation::Nack(_))) => Err(LinkError::Refused),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Takes leave.
    pub(super) async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close(200, "OK".into())).await;
    }

    /// As oslo.messaging declares it; one that is there with other flags is used as it is.
    async fn declare_exchange(&mut self) -> Result<(), LinkError> {
        let (durable, auto_delete) = (self.rabbit.is_durable(), self.rabbit.auto_delete);
        let options = ExchangeDeclareOptions { durable, auto_delete, ..ExchangeDeclareOptions::default() };
        match self.exchange_with(options).await {
            Err(error) if is_other(&error) => {
                self.say_other("exchange", &self.exchange);
                self.reopen().await?;
                let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
                Ok(self.exchange_with(passive).await?)
            }
            other => Ok(other?),
        }
    }

    async fn exchange_with(&self, options: ExchangeDeclareOptions) -> Result<(), Error> {
        let name = self.exchange.as_str().into();
        self.channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default()).await
    }

    async fn declare_queue(&mut self, name: &str) -> Result<(), LinkError> {
        let (durable, auto_delete) = (self.rabbit.is_durable(), self.rabbit.auto_delete);
        let options = QueueDeclareOptions { durable, auto_delete, ..QueueDeclareOptions::default() };
        match self.channel.queue_declare(name.into(), options, arguments(&self.rabbit)).await {
            Err(error) if is_other(&error) => {
                self.say_other("queue", name);
                self.reopen().await?;
                let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                self.channel.queue_declare(name.into(), passive, FieldTable::default()).await?;
            }
            other => drop(other?),
        }
        let (exchange, options) = (self.exchange.as_str().into(), QueueBindOptions::default());
        Ok(self.channel.queue_bind(name.into(), exchange, name.into(), options, FieldTable::default()).await?)
    }

    /// The broker closes a channel on which something was wrong.
    async fn reopen(&mut self) -> Result<(), LinkError> {
        self.channel = channel(&self.connection).await?;
        Ok(())
    }

    fn say_other(&self, what: &str, name: &str) {
        tracing::warn!(
            "the broker has the {what} '{name}' with other flags than [oslo_messaging_rabbit] amqp_durable_queues, \
             amqp_auto_delete and rabbit_quorum_queue say; it is used as it is"
        );
    }
}

async fn login(
    settings: &Settings,
    host: &Host,
    tls: Option<Arc<ClientConfig>>,
    cut: &Cut,
) -> Result<(Connection, Channel), Error> {
    let rabbit = &settings.rabbit;
    let uri = AMQPUri {
        // Ours is the TLS, if there is one.
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: host.user.clone(), password: host.password.expose().to_owned() },
            host: host.name.clone(),
            port: host.port,
        },
        vhost: settings.transport.virtual_host.clone(),
        query: AMQPQueryString {
            heartbeat: Some(rabbit.heartbeat),
            auth_mechanism: Some(match rabbit.login {
                LoginMethod::AmqPlain => SASLMechanism::AMQPlain,
                LoginMethod::Plain => SASLMechanism::Plain,
                LoginMethod::External => SASLMechanism::External,
            }),
            ..AMQPQueryString::default()
        },
    };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.name.as_str(), host.port)).await?.collect();
    let name = host.name.clone();
    let connector = tls.map(RustlsConnector::from);
    let socket = Arc::clone(&cut.0);
    let runtime = default_runtime()?;
    let here = runtime.clone();
    let connect = async move |_: AMQPUri, _| {
        let stream = AsyncTcpStream::connect(&here, addresses.clone()).await?;
        if let AsyncTcpStream::Plain(plain) = &stream {
            *socket.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(plain.get_ref().as_fd().try_clone_to_owned()?);
        }
        match &connector {
            Some(connector) => Ok(stream.into_rustls(connector, &name).await?),
            None => Ok(stream),
        }
    };
    let named = ConnectionProperties::default().with_connection_name("larder".into());
    let connection = Connection::connector(uri, runtime, connect, named).await?;
    let channel = channel(&connection).await?;
    Ok((connection, channel))
}

async fn channel(connection: &Connection) -> Result<Channel, Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// The arguments of a queue (`_get_queue_arguments` of impl_rabbit.py).
fn arguments(rabbit: &Rabbit) -> FieldTable {
    let mut table = FieldTable::default();
    if rabbit.ha {
        table.insert("x-ha-policy".into(), AMQPValue::LongString("all".into()));
    }
    if rabbit.quorum {
        table.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        for (name, limit) in [
            ("x-delivery-limit", rabbit.quorum_delivery_limit),
            ("x-max-in-memory-length", rabbit.quorum_max_memory_length),
            ("x-max-in-memory-bytes", rabbit.quorum_max_memory_bytes),
        ] {
            if limit > 0 {
                table.insert(name.into(), AMQPValue::LongLongInt(limit.into()));
            }
        }
    }
    table
}

/// It is there, and is something else.
fn is_other(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(it) if *it.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(_))
}

fn silent() -> LinkError {
    LinkError::Silent { at: "the other end".to_owned(), after: PATIENCE }
}

// === impl Cut ===

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(socket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = std::net::TcpStream::from(socket).shutdown(Shutdown::Both);
        }
    }
}
