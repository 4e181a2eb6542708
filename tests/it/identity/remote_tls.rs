//! Rules that a server judges over HTTPS, with certificates made here; beside Python's oslo.policy.

use super::remote::{caller, enforcer, target};
use crate::support::{authority::Authority, judge::Judge, rig, skip};
use larder::identity::policy::{Attributes, RemoteSettings};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

/// oslo.policy, asked one thing after the other.
struct Oslo {
    child: Child,
    from: BufReader<std::process::ChildStdout>,
}

impl Oslo {
    fn start() -> Option<Self> {
        let Some(venv) = rig::venv() else {
            skip("tests/setup has not been run: no oslo.policy to compare with");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/identity/ask_policy.py");
        let mut command = Command::new(venv.join("bin/python"));
        // A bundle of the environment would come before what is configured.
        command.arg(script).env_remove("REQUESTS_CA_BUNDLE").env_remove("CURL_CA_BUNDLE");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, from })
    }

    /// True only when it allows.
    fn allows(&mut self, rules: &Value, options: &RemoteSettings) -> bool {
        let mut case = json!({"rules": rules, "ask": "get_image", "target": target(), "creds": caller().all(), "options": {
            "remote_ssl_verify_server_crt": options.verify_server,
        }});
        for (name, file) in [
            ("remote_ssl_ca_crt_file", &options.ca_file),
            ("remote_ssl_client_crt_file", &options.client_cert_file),
            ("remote_ssl_client_key_file", &options.client_key_file),
        ] {
            if let Some(file) = file {
                case["options"][name] = file.to_str().into();
            }
        }
        writeln!(self.child.stdin.as_mut().unwrap(), "{case}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim() == "True"
    }
}

impl Drop for Oslo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn certificates_are_judged_as_by_oslo_policy() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut oslo) = Oslo::start() else { return };
    let (Some(good), Some(other)) = (Authority::make(dir.path(), "good"), Authority::make(dir.path(), "other")) else {
        return;
    };
    let plain = RemoteSettings::default();
    let trusting = |ca: &Path| RemoteSettings { verify_server: true, ca_file: Some(ca.to_owned()), ..plain.clone() };
    let showing = |(certificate, key): (std::path::PathBuf, std::path::PathBuf)| RemoteSettings {
        client_cert_file: Some(certificate),
        client_key_file: Some(key),
        ..trusting(&good.file())
    };
    let (known, stranger) = (showing(good.issue("known")), showing(other.issue("stranger")));
    let both = dir.path().join("both.pem");
    let parts =
        [&known.client_cert_file, &known.client_key_file].map(|it| std::fs::read(it.as_ref().unwrap()).unwrap());
    std::fs::write(&both, parts.concat()).unwrap();
    let in_one_file = RemoteSettings { client_cert_file: Some(both), client_key_file: None, ..known.clone() };
    let missing = RemoteSettings { client_cert_file: Some(dir.path().join("nowhere")), ..known.clone() };
    let public = Judge::with_tls(good.server("public", None));
    let closed = Judge::with_tls(good.server("closed", Some(&good)));
    let unverified = RemoteSettings { verify_server: false, ..trusting(&other.file()) };
    for (what, judge, settings, wanted) in [
        ("nothing is verified by default", &public, &plain, true),
        ("whoever is named, nothing is verified", &public, &unverified, true),
        ("the right authority", &public, &trusting(&good.file()), true),
        ("another authority", &public, &trusting(&other.file()), false),
        ("no authority of the system", &public, &RemoteSettings { ca_file: None, ..trusting(&good.file()) }, false),
        ("a certificate that nobody wants", &public, &known, true),
        ("a certificate that is not there", &public, &missing, false),
        ("no certificate where one is wanted", &closed, &trusting(&good.file()), false),
        ("a certificate that is wanted", &closed, &known, true),
        ("a certificate with its key in one file", &closed, &in_one_file, true),
        ("a certificate of another authority", &closed, &stranger, false),
    ] {
        let of = |end: &str| json!({"get_image": format!("https://{}{end}", judge.place())});
        assert_eq!(oslo.allows(&of("/say/True"), settings), wanted, "{what}: oslo.policy");
        let asked_by_them = judge.asked();
        let ours = |end: &str| {
            let folder = tempfile::tempdir().unwrap();
            enforcer(folder.path(), &of(end), settings.clone()).allows("get_image", &target(), &caller())
        };
        assert_eq!(ours("/say/True"), wanted, "{what}");
        assert_eq!(judge.asked(), asked_by_them, "{what}");
        assert!(!ours("/say/no"), "{what}");
        assert_eq!(judge.asked().len(), usize::from(wanted), "{what}");
    }
    // One that speaks no TLS is no answer, whatever is verified.
    let bare = Judge::start();
    let rules = json!({"get_image": format!("https://{}/say/True", bare.place())});
    assert!(!enforcer(dir.path(), &rules, plain).allows("get_image", &target(), &caller()));
}
