//! A process of the clients' own code, which runs one command after the other.

use crate::support::rig;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// What a command ended with and printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i64,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The process; it ends with its input.
pub(crate) struct Driver {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Driver {
    /// `program` for a user, in the project of the same name, at the image service `endpoint`; it runs in `folder`.
    pub(crate) fn start(program: &str, user: &str, folder: &Path, (auth_url, endpoint): (&str, &str)) -> Self {
        Self::with(program, folder, environment(auth_url, endpoint, user))
    }

    /// Likewise, with nothing but these variables.
    pub(crate) fn with(program: &str, folder: &Path, environment: BTreeMap<&'static str, String>) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/drive.py");
        let mut command = Command::new(rig::venv().unwrap().join("bin/python"));
        command.args(["-B", script, program]).current_dir(folder).env_clear().env("HOME", folder).envs(environment);
        let log = std::fs::File::create(folder.join("driver.log")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<str>>(&mut self, args: &[S]) -> Ended {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        writeln!(self.to.as_mut().unwrap(), "{}", json!(args)).unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{args:?}: {e}"));
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Ended { code: answer["code"].as_i64().unwrap(), out: text("out"), err: text("err") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

/// What the clients read of their environment.
pub(super) fn environment(auth_url: &str, endpoint: &str, user: &str) -> BTreeMap<&'static str, String> {
    let project = if user == "reader" { "demo" } else { user };
    [
        ("OS_AUTH_URL", auth_url),
        ("OS_USERNAME", user),
        ("OS_PASSWORD", rig::PASSWORD),
        ("OS_PROJECT_NAME", project),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PROJECT_DOMAIN_ID", "default"),
        ("OS_REGION_NAME", "RegionOne"),
        ("OS_IDENTITY_API_VERSION", "3"),
        ("OS_IMAGE_ENDPOINT_OVERRIDE", endpoint),
        ("OS_IMAGE_URL", endpoint),
        ("LANG", "C.UTF-8"),
        ("COLUMNS", "500"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}
