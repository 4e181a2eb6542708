//! What counts as use, on real disks.

use super::node::{Node, overlay, x};
use crate::support::{have, have_root, run};
use larder::agent::in_use::{About, Evidence, InUse};
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

const UUID: &str = "7c1d5a0e-9d3c-4f0b-8a51-0c8f5d1f3e77";

fn no_doubt(found: &InUse) {
    assert!(found.doubts.is_empty(), "{:?}", found.doubts);
}

fn doubts_all(found: &InUse, mention: &str) {
    let doubt = found.doubts.iter().find(|it| it.about == About::Every);
    assert!(doubt.is_some_and(|it| it.why.contains(mention)), "{mention}: {:?}", found.doubts);
}

#[test]
fn disks_count_wherever_they_lie() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let places = [
        format!("{UUID}/disk"),
        format!("{UUID}/disk.rescue"),
        format!("{UUID}/disk.local"),
        format!("{UUID}/disk.eph0"),
        format!("{UUID}/disk.eph1"),
        format!("{UUID}/disk.swap"),
        format!("{UUID}_resize/disk"),
        format!("{UUID}_del/disk"),
        "instance-0000002a/disk".into(),
        "snapshots/tmpabc/5f1e".into(),
        "backup of somebody/old disk".into(),
        "tmp-at-the-top".into(),
        "_base_10.0.0.7/odd".into(),
    ];
    for (number, place) in places.iter().enumerate() {
        let base = node.put(&x(number as u64), 0);
        overlay(&node.at(place), base, "raw");
    }
    node.put(&x(1000), 0);
    fs::write(node.at(format!("{UUID}/disk.info")), r#"{"disk": "raw"}"#).unwrap();
    fs::write(node.at(format!("{UUID}/console.log")), b"QFI\xfb a guest may print this").unwrap();
    fs::write(node.at("compute_nodes"), "{}").unwrap();
    let found = node.observe();
    no_doubt(&found);
    for (number, place) in places.iter().enumerate() {
        let expected = Evidence::Backing { disk: node.dir.instances_path().join(place), depth: 1 };
        assert_eq!(found.evidence(&x(number as u64)), [expected], "{place}");
        assert!(found.is_active(&x(number as u64)));
    }
    assert!(found.evidence(&x(1000)).is_empty());
}

#[test]
fn a_chain_is_followed_to_its_end() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let raw = node.put(&x(1), 0);
    let resized = node.base(&format!("{}_20", x(1)));
    overlay(&resized, raw, "raw");
    overlay(&node.at(format!("{UUID}/middle.qcow2")), &resized, "qcow2");
    let disk = node.at(format!("{UUID}/disk"));
    overlay(&disk, "middle.qcow2", "qcow2");
    let found = node.observe();
    no_doubt(&found);
    let evidence = found.evidence(&x(1));
    assert!(evidence.contains(&Evidence::Backing { disk: disk.clone(), depth: 3 }), "{evidence:?}");
    assert!(evidence.contains(&Evidence::Base { name: format!("{}_20", x(1)) }), "{evidence:?}");
    assert!(found.evidence(&format!("{}_20", x(1))).contains(&Evidence::Backing { disk, depth: 2 }));
    // Without the instance, the resized copy still keeps the original, but is no use by an instance.
    fs::remove_dir_all(node.at(UUID)).unwrap();
    let found = node.observe();
    assert_eq!(found.evidence(&x(1)), [Evidence::Base { name: format!("{}_20", x(1)) }]);
    assert!(!found.is_active(&x(1)));
}

#[test]
fn names_of_backing_files_take_many_forms() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    for number in 0..8 {
        node.put(&x(number), 0);
    }
    let path = |number| node.base(&x(number)).display().to_string();
    let disk = |name: &str| node.at(format!("{UUID}/{name}"));
    overlay(&disk("relative"), format!("../_base/{}", x(0)), "raw");
    overlay(
        &disk("json"),
        format!(r#"json:{{"driver":"raw","file":{{"driver":"file","filename":"{}"}}}}"#, path(1)),
        "raw",
    );
    overlay(&disk("file"), format!("file:{}", path(2)), "raw");
    overlay(&disk("moved"), format!("/mnt/not-mounted/_base/{}", x(3)), "raw");
    overlay(&disk("gone"), format!("{}/{}", node.dir.path().display(), x(999)), "raw");
    let mut qed = Command::new("qemu-img");
    run(qed.args(["create", "-q", "-u", "-f", "qed", "-F", "raw", "-b", &path(4)]).arg(disk("qed")).arg("1M"));
    let mut v2 = Command::new("qemu-img");
    v2.args(["create", "-q", "-u", "-f", "qcow2", "-o", "compat=0.10", "-F", "raw", "-b", &path(5)]);
    run(v2.arg(disk("v2")).arg("1M"));
    symlink(node.base(&x(6)), node.at("short-cut")).unwrap();
    overlay(&disk("by-link"), node.at("short-cut"), "raw");
    let mut data = Command::new("qemu-img");
    data.args(["create", "-q", "-f", "qcow2", "-o", &format!("data_file={},data_file_raw=on", path(7))]);
    run(data.arg(disk("data")).arg("1M"));
    overlay(&disk("elsewhere"), "nbd://10.0.0.1/export", "raw");
    let found = node.observe();
    no_doubt(&found);
    for (number, name) in ["relative", "json", "file", "moved", "qed", "v2", "by-link", "data"].iter().enumerate() {
        let expected = Evidence::Backing { disk: disk(name), depth: 1 };
        assert!(found.evidence(&x(number as u64)).contains(&expected), "{name}: {found:?}");
    }
}

#[test]
fn links_to_a_base_are_use() {
    let node = Node::new();
    let hard = node.put(&x(1), 0);
    let soft = node.put(&x(2), 0);
    node.put(&x(3), 0);
    let disk = |name: &str| node.at(format!("{UUID}/{name}"));
    fs::hard_link(&hard, disk("disk")).unwrap();
    symlink(&soft, disk("disk.rescue")).unwrap();
    symlink(format!("/gone/_base/{}", x(3)), disk("disk.eph0")).unwrap();
    symlink(node.at(UUID), disk("round")).unwrap();
    symlink(disk("itself"), disk("itself")).unwrap();
    symlink(node.dir.path(), disk("to-the-bases")).unwrap();
    let found = node.observe();
    no_doubt(&found);
    for (number, name) in [(1, "disk"), (2, "disk.rescue"), (3, "disk.eph0")] {
        assert_eq!(found.evidence(&x(number)), [Evidence::Same { disk: disk(name) }]);
    }
}

#[test]
fn an_instance_folder_on_another_disk_is_followed() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let base = node.put(&x(1), 0);
    let other = node.tmp.path().join("other-disk");
    fs::create_dir(&other).unwrap();
    symlink(&other, node.at(UUID)).unwrap();
    overlay(&other.join("disk"), base, "raw");
    assert_eq!(node.evidence(&x(1)).len(), 1);
}

#[test]
fn odd_names_are_read_too() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let base = node.put(&x(1), 0);
    let odd = node.at(Path::new(OsStr::from_bytes(b"\xff\xfe\n dir")).join(OsStr::from_bytes(b"di\xc3sk'\"")));
    overlay(&odd, base, "raw");
    let found = node.observe();
    no_doubt(&found);
    assert_eq!(found.evidence(&x(1)), [Evidence::Backing { disk: odd, depth: 1 }]);
}

#[test]
fn raw_disks_stand_on_nothing() {
    let node = Node::new();
    node.put(&x(1), 0);
    for (name, content) in [("zeros", vec![0; 1 << 20]), ("empty", vec![]), ("boot", vec![0xeb; 4096])] {
        fs::write(node.at(format!("{UUID}/{name}")), content).unwrap();
    }
    let found = node.observe();
    no_doubt(&found);
    assert!(found.by_base.is_empty(), "{found:?}");
}

#[test]
fn what_cannot_be_followed_is_a_doubt_about_all() {
    if !have(&["qemu-img"]) {
        return;
    }
    let broken = |name: &str, make: &dyn Fn(&Path)| {
        let node = Node::new();
        node.put(&x(1), 0);
        let disk = node.at(format!("{UUID}/disk"));
        make(&disk);
        let found = node.observe();
        doubts_all(&found, UUID);
        assert!(found.doubt(&x(1)).is_some(), "{name}");
    };
    broken("cut header", &|disk| fs::write(disk, b"QFI\xfb\0\0\0\x03").unwrap());
    broken("version", &|disk| fs::write(disk, [b"QFI\xfb\0\0\0\x63".as_slice(), &[0; 600]].concat()).unwrap());
    broken("name beyond the end", &|disk| {
        overlay(disk, "/x", "raw");
        let file = OpenOptions::new().write(true).open(disk).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &(1_u64 << 40).to_be_bytes(), 8).unwrap();
    });
    broken("missing in between", &|disk| overlay(disk, "/mnt/not-mounted/template.qcow2", "qcow2"));
    broken("no file in json", &|disk| overlay(disk, r#"json:{"driver":"quorum"}"#, "raw"));
    broken("too long", &|disk| {
        for number in 0..80 {
            overlay(&disk.with_file_name(number.to_string()), (number + 1).to_string(), "qcow2");
        }
        overlay(disk, "0", "qcow2");
    });
}

#[test]
fn what_is_not_mounted_is_a_doubt() {
    let node = Node::new();
    node.put(&x(1), 0);
    for (place, target) in [(UUID.to_owned(), "/ssd/instance"), (format!("{UUID}/disk"), "/ssd/disk")] {
        let link = node.at(&place);
        symlink(target, &link).unwrap();
        doubts_all(&node.observe(), "mount its file system");
        fs::remove_file(link).unwrap();
    }
    no_doubt(&node.observe());
    if !have(&["mount", "umount"]) || !have_root() {
        return;
    }
    let elsewhere = Node::new_with(|instances| {
        fs::create_dir(instances.join("_base")).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(instances.join("_base")));
    });
    doubts_all(&elsewhere.observe(), "are the instances mounted?");
    fs::write(elsewhere.at("compute_nodes"), "{}").unwrap();
    let found = elsewhere.observe();
    run(Command::new("umount").arg("-l").arg(elsewhere.dir.path()));
    no_doubt(&found);
}

/// Nova knows which disks are raw; what their guests write to them must not stop every removal on the node.
#[test]
fn a_guest_cannot_raise_doubts_from_a_raw_disk() {
    let node = Node::new();
    node.put(&x(1), 0);
    let disk = node.at(format!("{UUID}_resize/disk"));
    let many: String = (0..9000).map(|number| format!("RW 1 FLAT \"../{UUID}_resize/{number}/../disk\" 0\n")).collect();
    let descriptor = format!("# Disk DescriptorFile\ncreateType=\"x\"\n{many}");
    for content in [b"QFI\xfb".as_slice(), b"QED\0", descriptor.as_bytes()] {
        fs::write(&disk, content).unwrap();
        fs::write(disk.with_file_name("disk.info"), format!(r#"{{"/i/{UUID}/disk": "raw"}}"#)).unwrap();
        let began = Instant::now();
        no_doubt(&node.observe());
        assert!(began.elapsed().as_secs() < 60);
    }
    for info in
        [format!(r#"{{"/i/{UUID}/disk": "qcow2"}}"#), format!(r#"{{"/i/{UUID}/disk.eph0": "raw"}}"#), "{".into()]
    {
        fs::write(disk.with_file_name("disk.info"), info).unwrap();
        doubts_all(&node.observe(), UUID);
    }
    // What it names counts all the same.
    fs::write(&disk, format!("createType=\"x\"\nRW 1 FLAT \"/proc/kmsg\" 0\nRW 1 FLAT \"{}\" 0\n", x(1))).unwrap();
    let found = node.observe();
    assert_eq!(found.evidence(&x(1)), [Evidence::Backing { disk, depth: 1 }]);
}

#[test]
fn a_chain_that_bites_its_tail_ends() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let base = node.put(&x(1), 0);
    let (one, two) = (node.at(format!("{UUID}/one")), node.at(format!("{UUID}/two")));
    overlay(&one, "two", "qcow2");
    overlay(&two, "./one", "qcow2");
    overlay(&node.at(format!("{UUID}/self")), "self", "qcow2");
    overlay(&node.at(format!("{UUID}/disk")), base, "raw");
    assert_eq!(node.evidence(&x(1)).len(), 1);
}

fn holder(path: &Path, writing: bool) -> Child {
    let file = OpenOptions::new().read(true).write(writing).open(path).unwrap();
    Command::new("sleep").arg("60").stdin(Stdio::from(file)).spawn().unwrap()
}

#[test]
fn open_descriptors_are_seen() {
    let node = Node::new();
    let (read, written) = (node.put(&x(1), 3600), node.put(&x(2), 3600));
    node.put(&x(3), 3600);
    node.put(&x(4), 0);
    let mut children = [holder(&read, false), holder(&written, true)];
    let found = node.observe();
    for (number, writing) in [(1, false), (2, true)] {
        let pid = children[usize::from(writing)].id();
        let evidence = found.evidence(&x(number));
        assert_eq!(evidence, [Evidence::Open { pid, command: "sleep".into(), writing }]);
    }
    // Nova fetches kernels straight to their name: only what is quiet and closed is whole.
    let settled = |number| found.is_settled(&node.dir.look(&x(number)).unwrap().unwrap(), chrono::Utc::now());
    assert_eq!([1, 2, 3, 4].map(settled), [true, false, true, false]);
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(node.observe().by_base.is_empty());
}

#[test]
fn disks_of_libvirts_domains_count() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let base = node.put(&x(1), 0);
    let elsewhere = node.tmp.path().join("elsewhere.qcow2");
    overlay(&elsewhere, base, "raw");
    let definition = node.tmp.path().join("libvirt/guest.xml");
    let missing = node.tmp.path().join("missing");
    let text = format!(
        "<domain><disk><source file='{}'/></disk><disk><source file='{}'/></disk></domain>",
        elsewhere.display(),
        missing.display()
    );
    fs::write(&definition, text).unwrap();
    fs::write(node.tmp.path().join("libvirt/rubbish.xml"), [0xff; 100]).unwrap();
    let found = node.observe();
    no_doubt(&found);
    assert_eq!(found.evidence(&x(1)), [Evidence::Domain { definition }]);
}

#[test]
fn a_held_lock_is_use() {
    let node = Node::new();
    node.put(&x(1), 0);
    node.put(&format!("{}.part", x(1)), 0);
    node.put(&x(2), 0);
    let held = node.dir.try_lock(&x(1)).unwrap().unwrap();
    let found = node.observe();
    assert_eq!(found.evidence(&x(1)), [Evidence::Locked]);
    assert_eq!(found.evidence(&format!("{}.part", x(1))), [Evidence::Locked]);
    assert!(found.evidence(&x(2)).is_empty());
    assert!(!node.dir.instances_path().join(format!("locks/nova-{}", x(2))).exists(), "looking makes no lock files");
    drop(held);
    assert!(node.observe().by_base.is_empty());
}

/// A thousand instances on two thousand bases, each with the usual files.
#[test]
fn a_large_node_is_looked_at_quickly() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    for number in 0..2000 {
        File::create(node.base(&x(number))).unwrap().set_len(1 << 30).unwrap();
    }
    let model = node.at("model/disk");
    overlay(&model, node.base(&x(0)), "raw");
    let model = fs::read(&model).unwrap();
    let at = model.windows(40).position(|it| it == x(0).as_bytes()).unwrap();
    for number in 0..1000 {
        let mut disk = model.clone();
        disk[at..at + 40].copy_from_slice(x(number).as_bytes());
        fs::write(node.at(format!("{number:08}/disk")), disk).unwrap();
        for name in ["disk.info", "disk.config", "console.log"] {
            fs::write(node.at(format!("{number:08}/{name}")), b"x").unwrap();
        }
    }
    let began = Instant::now();
    let found = node.observe();
    let took = began.elapsed();
    eprintln!("1,000 instances on 2,000 bases: {took:?}");
    no_doubt(&found);
    assert_eq!(found.by_base.len(), 1000);
    // A debug build on a busy machine; a release build takes a tenth.
    assert!(took.as_secs() < 60, "{took:?}");
}

/// What nova's scheduler has promised to guests and the disk does not show yet.
#[test]
fn disks_that_may_grow_are_counted() {
    if !have(&["qemu-img", "fallocate"]) {
        return;
    }
    let node = Node::new();
    let base = node.put(&x(1), 0);
    overlay(&node.at(format!("{UUID}/disk")), &base, "raw");
    let resize = |size: &str| {
        run(Command::new("qemu-img").args(["resize", "-q"]).arg(node.at(format!("{UUID}/disk"))).arg(size));
    };
    resize("64M");
    let grows = node.observe().disk_growth;
    assert!((63 << 20..=64 << 20).contains(&grows), "{grows}");
    // As with preallocate_images = space.
    run(Command::new("fallocate").args(["-n", "-l", "64M"]).arg(node.at(format!("{UUID}/disk"))));
    assert_eq!(node.observe().disk_growth, 0);
    // A raw disk has its length; both names are one disk.
    let flat = node.at(format!("{UUID}/disk.local"));
    File::create(&flat).unwrap().set_len(16 << 20).unwrap();
    fs::hard_link(&flat, node.at(format!("{UUID}/disk.other"))).unwrap();
    assert_eq!(node.observe().disk_growth, 16 << 20);
}
