//! Who has a base open.
//!
//! Other users' processes are open to root only (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH). Of the rest the command line tells what they were
//! started with: libvirt writes the whole chain of every disk there. A guest of nova's that we cannot look into is no
//! doubt, since its disks are looked at; another's guest is, unless its command line tells its disks.

use super::{
    Evidence,
    chain::is_missing,
    observe::{Holder, Look},
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// Command lines of guests with many disks have some 20 KiB.
const LONGEST_COMMAND_LINE: u64 = 1 << 20;
const MOST_DISKS: usize = 1000;

pub(super) fn look(proc: &Path, look: &mut Look<'_>) {
    let entries = match fs::read_dir(proc) {
        Ok(entries) => entries,
        Err(error) => return look.found.note(format!("cannot see the processes in {}: {error}", proc.display())),
    };
    if is_hidden(proc) {
        look.found.doubt_every(format!(
            "{} hides the processes of other users (its mount option hidepid), and guests may be among them; run the agent as root, with CAP_SYS_PTRACE, or in the group of that mount's option gid",
            proc.display()
        ));
    }
    let us = std::process::id();
    let mut closed = 0_u32;
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == us {
            continue;
        }
        let path = entry.path();
        match descriptors(look, &path, pid) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                closed += 1;
                command_line(look, &path, pid);
            }
            // It ended meanwhile.
            Err(_) => {}
        }
    }
    if closed > 0 {
        look.found.note(format!(
            "{closed} processes of other users cannot be looked into; as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, the agent sees which files they have open"
        ));
    }
}

/// Everybody may read this of the first process, but for `hidepid`, which leaves its folder out or closes it.
fn is_hidden(proc: &Path) -> bool {
    let hidden = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];
    File::open(proc.join("1/stat")).is_err_and(|it| hidden.contains(&it.kind()))
}

fn descriptors(look: &mut Look<'_>, process: &Path, pid: u32) -> io::Result<()> {
    for entry in fs::read_dir(process.join("fd"))?.flatten() {
        let path = entry.path();
        match path.read_link() {
            Ok(target) if target.is_absolute() && !target.starts_with("/dev") => {}
            // CAP_DAC_READ_SEARCH alone lists them, and tells nothing of them.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // Pipes, sockets and devices are no bases; or it was closed meanwhile.
            _ => continue,
        }
        let Ok(meta) = path.metadata() else { continue };
        let names = look.bases.of_inode((meta.dev(), meta.ino())).to_vec();
        for name in names {
            let writing = is_writing(process, &entry.file_name());
            look.found.add(name, Evidence::Open { pid, command: command(process), writing });
        }
    }
    Ok(())
}

fn is_writing(process: &Path, descriptor: &OsStr) -> bool {
    let info = fs::read_to_string(process.join("fdinfo").join(descriptor)).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0o3 != 0)
}

fn command_line(look: &mut Look<'_>, process: &Path, pid: u32) {
    let command = command(process);
    let line = match read_command_line(process) {
        // A thread of the kernel, or a process that has ended.
        Ok(line) if line.is_empty() => return,
        Ok(line) => line,
        Err(error) if is_missing(&error) => return,
        Err(_) if opens_disks(&command) => return doubt(look, pid, &command),
        Err(_) => return,
    };
    let mut is_known = line.windows(15).any(|it| it == b"guest=instance-")
        || contains(&line, look.dir.instances_path().as_os_str().as_bytes());
    for token in line.split(|it| !it.is_ascii_alphanumeric() && *it != b'_') {
        if let Some(name) = std::str::from_utf8(token).ok().and_then(|token| look.bases.token(token)) {
            look.found.add(name, Evidence::Named { pid, command: command.clone() });
            is_known = true;
        }
    }
    if !opens_disks(&command) {
        return;
    }
    let changed = look.changed;
    for disk in disks(&line) {
        look.follow(&disk, &Holder::Process(pid, command.clone()));
        is_known = true;
    }
    look.changed = changed;
    if !is_known {
        doubt(look, pid, &command);
    }
}

/// The files of a command line that could be disks: absolute paths, whatever option they are in. Its first word is the
/// program.
fn disks(line: &[u8]) -> Vec<PathBuf> {
    const NO_DISKS: [&str; 8] = ["/usr", "/etc", "/run", "/dev", "/proc", "/sys", "/var/run", "/var/log"];
    let arguments = line.iter().position(|it| *it == 0).map_or(&[][..], |end| &line[end..]);
    let tokens = arguments.split(|it| matches!(it, 0 | b',' | b'=' | b'"' | b'\'' | b' ' | b'\n'));
    let paths = tokens.filter(|it| it.starts_with(b"/")).map(|it| PathBuf::from(OsStr::from_bytes(it)));
    let mut disks: Vec<_> = paths.filter(|path| !NO_DISKS.iter().any(|it| path.starts_with(it))).collect();
    disks.sort();
    disks.dedup();
    disks.retain(|path| path.is_file());
    disks.truncate(MOST_DISKS);
    disks
}

fn doubt(look: &mut Look<'_>, pid: u32, command: &str) {
    look.found.doubt_every(format!(
        "process {pid} ({command}) is not nova's, and what disks it has open cannot be seen; run the agent as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    ));
}

fn read_command_line(process: &Path) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    File::open(process.join("cmdline"))?.take(LONGEST_COMMAND_LINE).read_to_end(&mut line)?;
    Ok(line)
}

/// The process's name, at most 15 bytes, its own choice.
fn command(process: &Path) -> String {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).chars().filter(|it| !it.is_control()).take(32).collect()
}

/// Whether a program of this name opens disks by itself, the machine's as well as a guest's (but not `qemu-ga`).
fn opens_disks(command: &str) -> bool {
    let names =
        ["qemu-system", "qemu-kvm", "kvm", "qemu-img", "qemu-nbd", "qemu-io", "qemu-storage", "cloud-hyperv", "prl_vm"];
    names.iter().any(|name| command.starts_with(name))
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && line.windows(text.len()).any(|it| it == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_found_in_any_option() {
        let tmp = tempfile::tempdir().unwrap();
        let disk = |name: &str| {
            let path = tmp.path().join(name);
            std::fs::write(&path, b"x").unwrap();
            path
        };
        let (a, b, c) = (disk("a"), disk("b"), disk("c"));
        let line = format!(
            "qemu-system-x86_64\0-drive\0file={},if=none\0-blockdev\0{{\"driver\":\"file\",\"filename\":\"{}\"}}\0{}\0{}\0/etc/hostname\0relative",
            a.display(),
            b.display(),
            c.display(),
            tmp.path().display()
        );
        assert_eq!(disks(line.as_bytes()), [a.clone(), b, c]);
        let program = format!("{}\0-version", a.display());
        assert!(disks(program.as_bytes()).is_empty() && disks(b"").is_empty());
    }

    #[test]
    fn the_guest_agent_opens_no_disks() {
        assert!(["qemu-system-x86", "qemu-kvm", "qemu-img", "kvm"].iter().all(|it| opens_disks(it)));
        assert!(["qemu-ga", "nova-compute", "libvirtd"].iter().all(|it| !opens_disks(it)));
    }
}
