//! The images of OSSA-2024-001 (CVE-2024-32498), OSSA-2023-002 (CVE-2022-47951) and CVE-2015-5163, made by qemu-img and by
//! hand: no upload, no import and no conversion takes them, whatever they are declared as.

use super::{Server, create, disk, has_qemu_img, image_of, import, qemu_img, refused, settled, with_plugins};
use crate::support::{files, wait_until};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A file of the server that none may read.
const SECRET: &str = "the server's own secret";

/// An image, what it pretends to be, and what is wrong with it.
type Case = (PathBuf, &'static str, &'static str);

/// All of them; `secret` is what they would like to read.
fn images(dir: &Path, secret: &Path) -> Vec<Case> {
    let raw = disk(dir);
    let at = |name: &str| dir.join(name);
    let name = secret.to_str().unwrap();
    let make = |name: &str, options: &[&str]| {
        qemu_img(&[&["create", "-q", "-f", "qcow2"], options].concat(), &[&at(name), Path::new("1M")]);
        at(name)
    };
    // CVE-2015-5163: a backing file, as qemu-img writes it, in both versions.
    let mut all = vec![
        (make("backing3", &["-u", "-F", "raw", "-b", name]), "qcow2", "backing file"),
        (make("backing2", &["-o", "compat=0.10", "-u", "-F", "raw", "-b", name]), "qcow2", "backing file"),
    ];
    // OSSA-2024-001: an external data file, by qemu-img, and one whose name is another file's.
    let inside = format!("data_file={},data_file_raw=on", at("data").display());
    let data = make("outside", &["-o", &inside]);
    let mut forged = fs::read(&data).unwrap();
    let (from, to) = (at("data").to_str().unwrap().to_owned(), format!("{name}\0"));
    let place = forged.windows(from.len()).position(|it| it == from.as_bytes()).unwrap();
    forged[place..place + to.len().min(from.len())].copy_from_slice(&to.as_bytes()[..to.len().min(from.len())]);
    fs::write(at("forged"), &forged).unwrap();
    all.extend([(data, "qcow2", "external file"), (at("forged"), "qcow2", "external file")]);
    // The same flag set by hand in a plain image.
    let mut flagged = fs::read(image_of(&raw, "qcow2", "")).unwrap();
    flagged[79] |= 4;
    fs::write(at("flagged"), &flagged).unwrap();
    all.push((at("flagged"), "qcow2", "external file"));
    // OSSA-2023-002: VMDK descriptors that name other files.
    for (index, (kind, extent)) in [
        ("monolithicFlat", "FLAT"),
        ("twoGbMaxExtentFlat", "FLAT"),
        ("vmfs", "VMFS"),
        ("custom", "FLAT"),
        ("fullDevice", "FLAT"),
        // A type that is allowed, of a file that is not of it.
        ("monolithicSparse", "SPARSE"),
        ("streamOptimized", "FLAT"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!(
            "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"{kind}\"\n\n\
             RW 2048 {extent} \"{name}\" 0\n\nddb.adapterType = \"ide\"\n"
        );
        fs::write(at(&format!("descriptor{index}")), text).unwrap();
        all.push((at(&format!("descriptor{index}")), "vmdk", "descriptor"));
    }
    for options in ["subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat"] {
        all.push((image_of(&raw, "vmdk", options), "vmdk", "descriptor"));
    }
    // A sparse file whose own descriptor names another, and has a type that leads there.
    for (index, (old, new)) in [("monolithicSparse", "monolithicFlat  "), ("RW ", "RW /")].into_iter().enumerate() {
        let mut sparse = fs::read(image_of(&raw, "vmdk", "")).unwrap();
        let place = sparse.windows(old.len()).position(|it| it == old.as_bytes()).unwrap();
        sparse.splice(place..place + old.len(), new.bytes());
        let path = at(&format!("sparse{index}"));
        fs::write(&path, &sparse).unwrap();
        all.push((path, "vmdk", "not"));
    }
    let backed = at("vmdk-backed");
    qemu_img(&["create", "-q", "-f", "vmdk", "-F", "vmdk", "-b"], &[&image_of(&raw, "vmdk", ""), &backed]);
    all.push((backed, "vmdk", "backing file"));
    all.push((image_of(&raw, "qed", ""), "qcow2", "qed"));
    all
}

/// Uploads the file, which is answered by 415 and leaves nothing.
fn not_uploaded(server: &Server, format: &str, file: &Path) {
    let id = create(server, format);
    let kind = [("Content-Type", "application/octet-stream")];
    let answer = server.ask("PUT", &format!("/v2/images/{id}/file"), &kind, &fs::read(file).unwrap());
    assert_eq!(answer.status, 415, "{} as {format}: {answer:?}", file.display());
    wait_until("nothing is stored", Duration::from_secs(60), || files(&server.images()).is_empty());
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}

#[test]
fn images_that_lead_elsewhere_are_taken_nowhere() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, SECRET.repeat(100_000)).unwrap();
    let all = images(dir.path(), &secret);
    let plain = with_plugins("no_op", "");
    let servers = ["raw", "qcow2", "vmdk"]
        .map(|output| with_plugins("image_conversion", &format!("[image_conversion]\noutput_format = {output}")));
    for (file, format, words) in &all {
        // Declared raw, too: qemu would probe it.
        for declared in [*format, "raw"] {
            not_uploaded(&plain, declared, file);
            refused(&plain, declared, file, "");
        }
        refused(&plain, format, file, words);
        for server in &servers {
            refused(server, format, file, "image_conversion: ");
            refused(server, "raw", file, "image_conversion: the image is declared as raw");
        }
    }
}

#[test]
fn an_image_in_an_image_does_not_come_out() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, SECRET.repeat(10_000)).unwrap();
    let inner = dir.path().join("inner");
    qemu_img(
        &["create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", secret.to_str().unwrap()],
        &[&inner, Path::new("1M")],
    );
    let length = inner.metadata().unwrap().len().next_multiple_of(1 << 20);
    fs::File::options().write(true).open(&inner).unwrap().set_len(length).unwrap();
    let server = with_plugins("image_conversion", "");
    for (format, options) in [("qcow2", ""), ("vmdk", ""), ("vdi", "")] {
        refused(&server, format, &image_of(&inner, format, options), "looks like qcow2 itself");
    }
    // What is whole is taken, so that it is not everything that is refused.
    let raw = disk(dir.path());
    let id = create(&server, "qcow2");
    import(&server, &id, &image_of(&raw, "qcow2", ""));
    assert_eq!(settled(&server, &id).0["status"], "active");
}
