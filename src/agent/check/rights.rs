//! Who the agent is, and what it cannot do for want of a capability (capabilities(7)).

use crate::admin::Finding;
use crate::agent::base_dir;
use nix::unistd::{Uid, User};
use std::{fs, os::unix::fs::MetadataExt};

/// Number, name, and what is missing without it.
const CAPABILITIES: [(u32, &str, &str); 4] = [
    (3, "CAP_FOWNER", "set the time of last use of bases that libvirt owns by now: they look older than they are"),
    (28, "CAP_LEASE", "ask the kernel whether such a base is open before it is removed: other evidence decides alone"),
    (2, "CAP_DAC_READ_SEARCH", "read disks and domain files that are closed to others: what they may use stays"),
    (
        PTRACE,
        "CAP_SYS_PTRACE",
        "see which files the guests' processes have open (which takes CAP_DAC_READ_SEARCH too): what they may use stays",
    ),
];
const PTRACE: u32 = 19;
const UNIT: &str = "let the unit of the package start it, or set AmbientCapabilities= as that does";

/// A process as `/proc/PID/status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) uid: u32,
    /// All that it is in.
    pub(super) groups: Vec<u32>,
    /// `CapEff`.
    pub(super) effective: u64,
}

pub(super) fn check(places: &base_dir::Settings) -> Vec<Finding> {
    let owner = fs::metadata(&places.instances_path).ok().map(|it| it.uid());
    let lock = places.instances_path.join(&places.subdirectory_name).join(base_dir::LOCK);
    let agent = fs::read_to_string(lock).ok().and_then(|it| {
        let pid: u32 = it.split_whitespace().next()?.parse().ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let is_agent = String::from_utf8_lossy(&command).contains("larder");
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        is_agent.then(|| read(pid)).flatten().map(|it| (format!("the agent (process {pid})"), it, mounts))
    });
    let Some((who, process, mounts)) = agent else {
        return vec![Finding::warning(
            "rights",
            "no agent runs here: what it may do cannot be seen",
            "start it, such as by systemctl start larder-agent, and look again",
        )];
    };
    let mut found = judge(&who, &process, owner);
    if hides(&process, &mounts) {
        found.push(Finding::warning(
            "rights",
            format!("/proc hides the processes of others from {who} (hidepid), and guests may be among them: no base is removed"),
            "give it CAP_SYS_PTRACE as the package's unit does, or put its user into the group of the mount's option gid",
        ));
    }
    found
}

/// Whether a process sees no others in `/proc`, by its mounts (proc(5)).
pub(super) fn hides(process: &Process, mounts: &str) -> bool {
    let proc = mounts.lines().rfind(|it| it.split(' ').nth(4) == Some("/proc"));
    let options: Vec<&str> = proc.and_then(|it| it.rsplit(' ').next()).unwrap_or_default().split(',').collect();
    let value = |name: &str| options.iter().find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
    let mode = value("hidepid").unwrap_or("off");
    // Without one it is root's; `ptraceable` knows no group.
    let group = value("gid").and_then(|it| it.parse().ok()).unwrap_or(0);
    let exempt = !["4", "ptraceable"].contains(&mode) && process.groups.contains(&group);
    !["0", "off"].contains(&mode) && !exempt && process.effective & (1 << PTRACE) == 0
}

/// Names of the capabilities that this process could use and has not.
pub(in crate::agent) fn lacking() -> Vec<&'static str> {
    let Some(us) = read(std::process::id()) else { return Vec::new() };
    CAPABILITIES.iter().filter(|(bit, ..)| us.effective & (1 << bit) == 0).map(|(_, name, _)| *name).collect()
}

fn read(pid: u32) -> Option<Process> {
    parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

pub(super) fn parse(status: &str) -> Option<Process> {
    let field = |name: &str| status.lines().find_map(|it| it.strip_prefix(name)).map(str::trim);
    let uid = field("Uid:")?.split_whitespace().nth(1)?.parse().ok()?;
    // The group of its file system accesses is the last of four.
    let own = field("Gid:").and_then(|it| it.split_whitespace().last());
    let groups = field("Groups:").unwrap_or_default().split_whitespace().chain(own);
    let groups = groups.filter_map(|it| it.parse().ok()).collect();
    Some(Process { uid, groups, effective: u64::from_str_radix(field("CapEff:")?, 16).ok()? })
}

pub(super) fn judge(who: &str, process: &Process, owner: Option<u32>) -> Vec<Finding> {
    const TOPIC: &str = "rights";
    let name = user(process.uid);
    let mut found = Vec::new();
    found.push(match owner {
        _ if process.uid == 0 => Finding::warning(
            TOPIC,
            format!("{who} runs as root, with more rights than it needs"),
            "run the agent as nova's user, with the capabilities of the package's unit",
        ),
        Some(owner) if owner != process.uid => Finding::error(
            TOPIC,
            format!(
                "{who} runs as {name}, but instances_path belongs to {}: nova could not use what it makes",
                user(owner)
            ),
            format!("run it as {}", user(owner)),
        ),
        _ => Finding::ok(TOPIC, format!("{who} runs as {name}")),
    });
    for (bit, capability, without) in CAPABILITIES {
        if process.effective & (1 << bit) == 0 {
            found.push(Finding::warning(TOPIC, format!("{who} lacks {capability} and cannot {without}"), UNIT));
        }
    }
    found
}

fn user(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("user {uid}"),
    }
}
