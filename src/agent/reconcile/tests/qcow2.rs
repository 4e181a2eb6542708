//! Real qcow2 files, made cheaply: one of qemu-img's, with the name of its backing file exchanged.

use std::{os::unix::ffi::OsStrExt, path::Path, process::Command};

/// A file of qemu-img's, in memory.
#[derive(Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where the backing file's name stands.
    at: usize,
}

/// The longest name that a header holds, bytes.
const LONGEST: usize = 1023;

// === impl Template ===

impl Template {
    /// None where there is no qemu-img.
    pub(super) fn new(dir: &Path) -> Option<Self> {
        let (file, name) = (dir.join("template.qcow2"), "x".repeat(LONGEST));
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-o", "cluster_size=4096", "-b", &name]);
        match create.arg(&file).arg("1M").status() {
            Ok(done) => assert!(done.success(), "qemu-img makes no file"),
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI nothing is skipped: qemu-img: {error}");
                return None;
            }
        }
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let at = usize::try_from(u64::from_be_bytes(bytes[8..16].try_into().unwrap())).unwrap();
        assert_eq!(&bytes[at..at + LONGEST], name.as_bytes());
        Some(Self { bytes, at })
    }

    /// The bytes of a file that stands on this one.
    pub(super) fn on(&self, backing: &Path) -> Vec<u8> {
        let name = backing.as_os_str().as_bytes();
        assert!(name.len() <= LONGEST);
        let mut bytes = self.bytes.clone();
        bytes[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        bytes[self.at..self.at + LONGEST].fill(0);
        bytes[self.at..self.at + name.len()].copy_from_slice(name);
        bytes
    }

    /// The same, cut in the middle of the header: it cannot be told what it stands on.
    pub(super) fn cut(&self) -> &[u8] {
        &self.bytes[..60]
    }
}
