//! Import plugins that need programs of the machine: what the real `larder` makes of disks.

mod convert;
mod hostile;
mod introspect;
mod killed;

use super::Server;
use crate::support::{disks, files, have, wait_until};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// A server with no login and these plugins; more options, sections and all.
fn with_plugins(plugins: &str, more: &str) -> Server {
    let plugins = format!("[image_import_opts]\nimage_import_plugins = [{plugins}]");
    Server::with(&format!("process_lease = 2\n[paste_deploy]\nflavor =\n{plugins}\n{more}"))
}

fn create(server: &Server, format: &str) -> String {
    server.create(json!({"name": "x", "disk_format": format, "container_format": "bare"}))
}

/// Stages the file and asks for its import.
fn import(server: &Server, id: &str, file: &Path) {
    let kind = [("Content-Type", "application/octet-stream")];
    let answer = server.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, &fs::read(file).unwrap());
    assert_eq!(answer.status, 204, "{answer:?}");
    let body = json!({"method": {"name": "glance-direct"}});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
}

fn show(server: &Server, id: &str) -> Value {
    server.get(&format!("/v2/images/{id}")).json()
}

/// The image and the message of its task, once it is settled and nothing is staged.
fn settled(server: &Server, id: &str) -> (Value, String) {
    let mut image = Value::Null;
    wait_until("the import ends", Duration::from_secs(120), || {
        image = show(server, id);
        image["status"] != "importing" && image["os_glance_import_task"].is_null()
    });
    wait_until("nothing is staged", Duration::from_secs(60), || staged(server).is_empty());
    let tasks = server.get(&format!("/v2/images/{id}/tasks")).json();
    (image, tasks["tasks"][0]["message"].as_str().unwrap_or_default().to_owned())
}

/// What is in the staging folder, and beside it for plugins.
fn staged(server: &Server) -> Vec<String> {
    let folder = server.dir.path().join("staging");
    let mut found: Vec<String> = files(&folder).into_iter().filter(|it| !it.starts_with('.')).collect();
    for entry in fs::read_dir(folder.join(".larder-plugins")).into_iter().flatten().flatten() {
        found.push(entry.file_name().into_string().unwrap());
    }
    found
}

/// Imports the file as an image of this format, which fails with these words and leaves nothing.
fn refused(server: &Server, format: &str, file: &Path, words: &str) {
    let id = create(server, format);
    import(server, &id, file);
    let (image, message) = settled(server, &id);
    let what = format!("{} as {format}: {message}", file.display());
    assert_eq!((image["status"].as_str(), &image["size"]), (Some("queued"), &Value::Null), "{what}");
    assert!(message.contains(words), "{what}");
    assert!(!message.contains(server.dir.path().to_str().unwrap()), "{what}");
    wait_until("nothing is stored", Duration::from_secs(60), || files(&server.images()).is_empty());
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}

/// A raw disk of 24 MiB with data and holes in it, and what `qemu-img` makes of it.
fn disk(dir: &Path) -> PathBuf {
    let path = dir.join("disk.raw");
    disks::noise(&path, 3 << 20, 7);
    fs::File::options().write(true).open(&path).unwrap().set_len(24 << 20).unwrap();
    path
}

fn qemu_img(args: &[&str], paths: &[&Path]) {
    crate::support::run(Command::new("qemu-img").args(args).args(paths));
}

fn image_of(raw: &Path, format: &str, options: &str) -> PathBuf {
    let target = raw.with_file_name(format!("{format}-{}", options.replace([',', '='], "-")));
    let mut args = vec!["convert", "-f", "raw", "-O", format];
    if !options.is_empty() {
        args.extend(["-o", options]);
    }
    qemu_img(&args, &[raw, &target]);
    target
}

fn has_qemu_img() -> bool {
    have(&["qemu-img"])
}
