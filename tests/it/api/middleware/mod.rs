//! What stands around the API in Glance: cross-origin requests, proxies in front, the healthcheck. Each is asked of
//! oslo.middleware, too.

mod cors;
mod healthcheck;
mod proxy;

use crate::support::rig;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A Python that answers with oslo.middleware; ended with this.
struct Oslo {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What oslo.middleware answers.
#[derive(Debug)]
struct Said {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Oslo {
    /// None, and the test is skipped, where there is no rig.
    fn start() -> Option<Self> {
        let mut command = Command::new(rig::program("python")?);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/api/middleware/ask_oslo.py"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (questions, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, questions, answers })
    }

    /// One request through the middleware with these settings.
    fn ask(
        &mut self,
        middleware: &str,
        settings: &Value,
        (method, path): (&str, &str),
        (headers, base): (&[(&str, &str)], Option<&str>),
    ) -> Said {
        let question = json!({"middleware": middleware, "settings": settings, "method": method, "path": path,
            "headers": headers, "base": base});
        writeln!(self.questions.as_mut().unwrap(), "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: '{line}' to {question}"));
        Said {
            status: said["status"].as_u64().unwrap().try_into().unwrap(),
            headers: serde_json::from_value(said["headers"].clone()).unwrap(),
            body: said["body"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for Oslo {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}
