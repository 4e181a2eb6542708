//! The rbd store on a real Ceph.

mod clones;
mod conformance;
mod down;
mod faults;
mod glance;
mod race;
mod service;

use crate::{
    api::Server,
    support::{output, rig::Ceph, text},
};
use serde_json::json;
use std::{fs, process::Command};

/// What a catalogue is told that keeps its images in Ceph; `more` goes to `[glance_store]`.
fn options(ceph: &Ceph, more: &str) -> String {
    format!(
        "show_image_direct_url = true\n[glance_store]\nstores = rbd,file,http\ndefault_store = rbd\n{}{more}",
        section(ceph)
    )
}

/// The options of the store itself.
fn section(ceph: &Ceph) -> String {
    format!("rbd_store_user = glance\nrbd_store_ceph_conf = {}\nrados_connect_timeout = 20\n", ceph.conf().display())
}

/// The process of one of its servers (`ceph-osd`, `ceph-mon`).
fn server_of(ceph: &Ceph, program: &str) -> u32 {
    let data = ceph.dir.display().to_string();
    let mine = |pid: &u32| {
        let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).map(|it| text(&it)).unwrap_or_default();
        read("cmdline").starts_with(program) && read("environ").contains(&format!("{data}/ceph.conf"))
    };
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    pids.into_iter().find(mine).unwrap()
}

/// What one of Ceph's commands prints; it must work.
fn command(ceph: &Ceph, program: &str, args: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["60", program, "-c"]).arg(ceph.conf()).args(args);
    let done = output(&mut command);
    assert!(done.status.success(), "{program} {args:?}: {}", text(&done.stderr));
    text(&done.stdout)
}

fn rbd(ceph: &Ceph, args: &[&str]) -> String {
    command(ceph, "rbd", &[&["--id", "glance"], args].concat())
}

/// Names in the pool that have this in them.
fn images(ceph: &Ceph, part: &str) -> Vec<String> {
    rbd(ceph, &["ls", "images"]).lines().filter(|it| it.contains(part)).map(str::to_owned).collect()
}

fn raw(server: &Server) -> String {
    server.create(json!({"name": "disk", "disk_format": "raw", "container_format": "bare"}))
}

/// Where an image's data is, as clients see it.
fn direct_url(server: &Server, id: &str) -> String {
    server.get(&format!("/v2/images/{id}")).json()["direct_url"].as_str().unwrap_or_default().to_owned()
}

/// Data with holes of some MiB in it: noise from 0 to 3, 9 to 10 and 20 MiB to the end.
fn disk(len: usize, seed: u64) -> Vec<u8> {
    let mut word = seed | 1;
    let mut next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word as u8
    };
    let noisy = |at: usize| matches!(at >> 20, 0..3 | 9 | 20..);
    (0..len).map(|at| if noisy(at) { next() } else { 0 }).collect()
}
