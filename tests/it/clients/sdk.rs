//! openstacksdk: `conn.image.*`, and the cloud layer.

use super::{drive::environment, pair::project};
use crate::{
    api::behind_with,
    support::{rig, run},
};
use std::{path::Path, process::Command};

fn outcomes(auth_url: &str, endpoint: &str, alt: &str) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/sdk.py");
    let mut command = Command::new(rig::venv().unwrap().join("bin/python"));
    command.arg("-B").arg(script).args([endpoint, alt]).env_clear().env("HOME", home.path());
    command.current_dir(home.path()).envs(environment(auth_url, endpoint, "demo"));
    run(&mut command).replace(endpoint, "<endpoint>").lines().map(ToOwned::to_owned).collect()
}

#[test]
fn every_call_answers_as_at_a_glance() {
    let (Some(keystone), Some(glance)) = (rig::keystone(), rig::plain_glance("sdk")) else { return };
    let (server, alt) = (behind_with(keystone, "enabled_import_methods = []\n"), project("alt_demo"));
    let endpoint = format!("http://{}", server.address);
    let (ours, theirs) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| outcomes(&keystone.auth_url, &glance.url, &alt));
        (outcomes(&keystone.auth_url, &endpoint, &alt), theirs.join().unwrap())
    });
    assert_eq!(ours.len(), theirs.len());
    // Refused by both; that path has no POST here before images come in by locations.
    let is_known = |it: &String| it.starts_with("[\"add a location\", \"refused");
    let differs = |(ours, theirs): &(&String, &String)| ours != theirs && !(is_known(ours) && is_known(theirs));
    let wrong: Vec<_> = ours.iter().zip(&theirs).filter(differs).collect();
    let lines: Vec<_> = wrong.iter().map(|(ours, theirs)| format!("Larder: {ours}\nGlance: {theirs}")).collect();
    assert!(wrong.is_empty(), "{} of {} calls:\n{}", wrong.len(), ours.len(), lines.join("\n"));
    for refusal in ["[\"publish\", \"refused", "[\"show by a friend\", \"refused", "[\"tasks by a member\", \"refused"]
    {
        assert!(ours.iter().any(|it| it.starts_with(refusal)), "{refusal}");
    }
}
