//! A real RabbitMQ, and oslo.messaging's own listener.

use super::{On, OwnServer, installed, launch, program, start};
use crate::support::{free_port, wait_until};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

/// RabbitMQ for this test process: its port.
pub(crate) fn rabbit() -> Option<u16> {
    static RABBIT: OnceLock<Option<u16>> = OnceLock::new();
    *RABBIT.get_or_init(|| {
        let ports = ports()?;
        start("rabbit", &ports.each_ref().map(String::as_str), "", On::Sqlite)?;
        ports[0].parse().ok()
    })
}

fn ports() -> Option<[String; 3]> {
    installed(&["rabbitmqctl", "epmd"]).then(|| [free_port(), free_port(), free_port()].map(|it| it.to_string()))
}

/// A RabbitMQ of a test's own.
pub(crate) struct OwnRabbit {
    /// Where it listens.
    pub(crate) port: u16,
    args: Vec<String>,
    dir: PathBuf,
    server: Option<OwnServer>,
}

// === impl OwnRabbit ===

impl OwnRabbit {
    /// Starts it in this folder, with these further arguments of its script.
    pub(crate) fn start(dir: &Path, more: &[String]) -> Option<Self> {
        let args = [&ports()?[..], more].concat();
        let mut it = Self { port: args[0].parse().ok()?, args, dir: dir.join("rabbit"), server: None };
        it.again();
        Some(it)
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it where it was.
    pub(crate) fn again(&mut self) {
        self.kill();
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.server = launch("rabbit", &self.dir, &args, "", On::Sqlite).map(OwnServer);
    }
}

/// What oslo.messaging's listener hears.
pub(crate) struct Listener {
    child: Child,
    heard: Arc<Mutex<Vec<Value>>>,
}

// === impl Listener ===

impl Listener {
    /// Listens at this URL to this exchange and topic, whose queues it declares durable if `durable`.
    pub(crate) fn start(url: &str, (exchange, topic): (&str, &str), durable: bool) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/rig/listen.py");
        let mut command = Command::new(program("python")?);
        command.args([script, url, exchange, topic]).args(durable.then_some("durable"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "listening");
        let heard = Arc::<Mutex<Vec<Value>>>::default();
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                ears.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Some(Self { child, heard })
    }

    /// Everything so far.
    pub(crate) fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until something of this type is heard for which `is` holds; it.
    pub(crate) fn wait(&self, event: &str, is: impl Fn(&Value) -> bool) -> Value {
        let found = || self.heard().into_iter().find(|it| it["event_type"] == event && is(&it["payload"]));
        wait_until(event, Duration::from_secs(60), || found().is_some());
        found().unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
