//! The task that brings messages to the broker.

use super::{
    Driver, OpenError, Settings,
    link::{Link, LinkError},
    message::Message,
    queue::Queue,
    tls,
};
use crate::base::chain;
use rand::seq::SliceRandom;
use rustls::ClientConfig;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Messages that are on their way at a time.
const BATCH: usize = 100;

/// How often it is said that the broker is away.
const SAY: Duration = Duration::from_secs(60);

/// Sends what waits in the queue, until that is closed and empty.
pub(super) struct Publisher {
    settings: Settings,
    queue: Arc<Queue>,
    tls: Option<Arc<ClientConfig>>,
    link: Option<Link>,
    /// Which host is tried next.
    next: usize,
    failures: u32,
    said: Option<Instant>,
}

/// A message on its way.
struct Pending {
    message: Message,
    /// Copies (topic × driver) that the broker has confirmed.
    done: usize,
    attempts: u64,
}

// === impl Publisher ===

impl Publisher {
    pub(super) fn new(settings: &Settings, queue: Arc<Queue>) -> Result<Self, OpenError> {
        if settings.rabbit.quorum && settings.rabbit.ha {
            let why = "rabbit_quorum_queue and rabbit_ha_queues exclude each other: queues are quorums or mirrored";
            return Err(OpenError::Rabbit(why.to_owned()));
        }
        let mut settings = settings.clone();
        // Processes do not all go to the same one.
        settings.transport.hosts.shuffle(&mut rand::rng());
        let tls = (settings.rabbit.ssl || settings.transport.tls).then(|| tls::config(&settings.rabbit)).transpose();
        let tls = tls.map_err(OpenError::Rabbit)?.map(Arc::new);
        Ok(Self { settings, queue, tls, link: None, next: 0, failures: 0, said: None })
    }

    pub(super) async fn run(mut self) {
        // What is wrong with the options of the broker is better known at the start than at the first event.
        if let Err(error) = self.connect().await {
            self.fail(&error).await;
        }
        while let Some(messages) = self.queue.take(BATCH).await {
            let pending = messages.into_iter().map(|message| Pending { message, done: 0, attempts: 0 }).collect();
            let given_up = self.send(pending).await;
            self.queue.settle(given_up);
        }
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    /// Sends all of them, again and again; how many are given up.
    async fn send(&mut self, mut pending: Vec<Pending>) -> u64 {
        let mut given_up = 0;
        while !pending.is_empty() {
            let outcome = self.attempt(&mut pending).await;
            pending.retain(|it| it.done < self.copies());
            let Err(error) = outcome else { continue };
            self.link = None;
            for it in &mut pending {
                it.attempts += 1;
            }
            if let Some(most) = self.settings.retry {
                let before = pending.len();
                pending.retain(|it| it.attempts <= most);
                given_up += (before - pending.len()) as u64;
            }
            self.fail(&error).await;
        }
        given_up
    }

    /// Sends each copy that is not confirmed yet.
    async fn attempt(&mut self, pending: &mut [Pending]) -> Result<(), LinkError> {
        self.connect().await?;
        let copies = copies(&self.settings);
        let Some(link) = &mut self.link else { return Ok(()) };
        let mut confirms = Vec::new();
        for (index, it) in pending.iter().enumerate() {
            for (topic, driver) in copies.iter().skip(it.done) {
                let key = format!("{topic}.{}", it.message.priority.suffix());
                let enveloped = (*driver == Driver::MessagingV2).then(|| it.message.enveloped());
                let body = enveloped.as_ref().unwrap_or(&it.message.bare);
                confirms.push((index, link.publish(&key, body.as_bytes()).await?));
            }
        }
        for (index, confirm) in confirms {
            link.confirmed(confirm).await?;
            pending[index].done += 1;
        }
        metrics::counter!("larder_notifications_sent_total").increment(pending.len() as u64);
        Ok(())
    }

    fn copies(&self) -> usize {
        copies(&self.settings).len()
    }

    /// Opens a link if there is none.
    async fn connect(&mut self) -> Result<(), LinkError> {
        if self.link.as_ref().is_some_and(Link::is_up) {
            return Ok(());
        }
        let hosts = &self.settings.transport.hosts;
        let host = &hosts[self.next % hosts.len().max(1)];
        self.next += 1;
        self.link = Some(Link::open(&self.settings, host, self.tls.clone()).await?);
        if self.failures > 0 {
            tracing::info!(broker = %place(host), "notifications go out again");
        }
        (self.failures, self.said) = (0, None);
        Ok(())
    }

    /// Says it, now and then, and waits before the next attempt; another host is tried at once.
    async fn fail(&mut self, error: &LinkError) {
        self.failures += 1;
        metrics::counter!("larder_notification_failures_total").increment(1);
        if self.said.is_none_or(|it| it.elapsed() >= SAY) {
            let (waiting, error) = (self.queue.left(), chain(error).to_string());
            tracing::warn!(waiting, error, "notifications wait: the broker does not take them");
            self.said = Some(Instant::now());
        }
        let rounds = self.failures / u32::try_from(self.settings.transport.hosts.len()).unwrap_or(1).max(1);
        if rounds > 0 {
            tokio::time::sleep(pause(&self.settings, rounds)).await;
        }
    }
}

/// Where each message goes.
fn copies(settings: &Settings) -> Vec<(&str, Driver)> {
    let drivers = settings.drivers.iter().filter(|it| it.uses_broker());
    drivers.flat_map(|driver| settings.topics.iter().map(|topic| (topic.as_str(), *driver))).collect()
}

/// The pause after so many rounds over all hosts.
fn pause(settings: &Settings, rounds: u32) -> Duration {
    let rabbit = &settings.rabbit;
    let longer = rabbit.retry_backoff.saturating_mul(rounds.saturating_sub(1));
    rabbit.retry_interval.saturating_add(longer).min(rabbit.interval_max).max(Duration::from_millis(100))
}

fn place(host: &super::Host) -> String {
    format!("{}:{}", host.name, host.port)
}
