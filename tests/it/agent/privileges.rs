//! As nova's user, with and without each capability: what the agent does, and what it says.

use super::node::{DAY, overlay, x};
use crate::support::{
    LARDER,
    daemon::{Catalogue, Daemon},
    have, have_root, larder, output, run, text, wait_until,
};
use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

/// Users that no host has.
const NOVA: u32 = 54_321;
const LIBVIRT: u32 = 54_322;
const INSTANCE: &str = "7c1d5a0e-9d3c-4f0b-8a51-0c8f5d1f3e77";

/// Goes on once the program runs under its own name. No command line has the file's.
const BESIDE: &str = r#"
[ -z "$HIDE" ] || mount -o "remount,hidepid=$HIDE" /proc
if [ -n "$PROGRAM" ]; then
    "$PROGRAM" 600 < "$FILE" &
    until [ "$(cat /proc/$!/comm)" = "${PROGRAM##*/}" ]; do sleep 0.02; done
fi
"$@""#;

struct Host {
    tmp: tempfile::TempDir,
    program: PathBuf,
}

fn possible() -> bool {
    have(&["qemu-img", "setpriv", "unshare", "sleep"]) && have_root()
}

impl Host {
    fn new(endpoint: &str) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["instances", "state", "run"] {
            fs::create_dir(tmp.path().join(folder)).unwrap();
            chown(tmp.path().join(folder), Some(NOVA), Some(NOVA)).unwrap();
        }
        let conf = format!(
            "[DEFAULT]\ninstances_path = {d}/instances\nstate_path = {d}/state\nadmin_socket = {d}/run/agent.sock\n\
             libvirt_directories = {d}/libvirt\ncache_min_free = 0\nio_pressure_limit = 0\nprefetch_jitter = 0\n\
             [fleet]\nfleet = false\n[glance]\nendpoint_override = {endpoint}\n",
            d = tmp.path().display()
        );
        fs::write(tmp.path().join("agent.conf"), conf).unwrap();
        let mut it = Self { program: LARDER.into(), tmp };
        let reaches = output(it.as_nova(&[]).arg("test").arg("-x").arg(LARDER)).status.success();
        if !reaches {
            // Built in somebody's home.
            it.program = it.tmp.path().join("larder");
            fs::copy(LARDER, &it.program).unwrap();
        }
        it
    }

    fn at(&self, place: &str) -> PathBuf {
        let path = self.tmp.path().join("instances").join(place);
        let folder = path.parent().unwrap();
        if !folder.exists() {
            fs::create_dir(folder).unwrap();
            chown(folder, Some(NOVA), Some(NOVA)).unwrap();
        }
        path
    }

    /// A base that was used two days ago.
    fn put(&self, number: u64, owner: u32) -> PathBuf {
        let path = self.at(&format!("_base/{}", x(number)));
        fs::write(&path, vec![0xeb; 64 << 10]).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        File::open(&path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(2 * DAY)).unwrap();
        path
    }

    fn disk(&self, place: &str, base: &Path, owner: u32, mode: u32) -> PathBuf {
        let path = self.at(place);
        overlay(&path, base, "raw");
        chown(&path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A command line that starts what follows as nova's user with these capabilities.
    fn as_nova(&self, capabilities: &[&str]) -> Command {
        let set: String = capabilities.iter().map(|it| format!(",+{it}")).collect();
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={NOVA}"), format!("--regid={NOVA}"), "--clear-groups".to_owned()]);
        command.args(["inh-caps", "ambient-caps", "bounding-set"].map(|it| format!("--{it}=-all{set}")));
        command
    }

    fn agent(&self, verb: &[&str]) -> Vec<String> {
        let mut all = vec![self.program.display().to_string(), "agent".to_owned()];
        all.extend(["--config-file", "agent.conf", "--nova-config-file", "none.conf"].map(str::to_owned));
        all.extend(verb.iter().map(|it| (*it).to_owned()));
        all
    }

    /// A prune pass; what it said.
    fn prune(&self, capabilities: &[&str]) -> String {
        self.prune_beside(capabilities, Path::new(""), Path::new(""))
    }

    /// Likewise; it sees no processes but its own and `program`, which root has started and which has `file` open.
    fn prune_beside(&self, capabilities: &[&str], program: &Path, file: &Path) -> String {
        self.prune_where(capabilities, &[("PROGRAM", program), ("FILE", file)])
    }

    /// Likewise, where `/proc` hides the processes of others.
    fn prune_hidden(&self, capabilities: &[&str], mode: &str) -> String {
        self.prune_where(capabilities, &[("HIDE", Path::new(mode))])
    }

    fn prune_where(&self, capabilities: &[&str], these: &[(&str, &Path)]) -> String {
        let nova = self.as_nova(capabilities);
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]);
        command.arg(BESIDE).arg("sh").arg(nova.get_program()).args(nova.get_args());
        command.args(self.agent(&["prune"])).current_dir(self.tmp.path());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let out = output(command.env_clear().env("PATH", path).envs(these.iter().copied()));
        let said = text(&out.stdout) + &text(&out.stderr);
        assert!(out.status.success(), "the pass is not stopped by what it may not do: {said}");
        said
    }
}

/// With a base in use and an idle one, both libvirt's, and an idle one of nova's own.
fn usual() -> (Host, [PathBuf; 3]) {
    let host = Host::new("http://127.0.0.1:1");
    let bases = [host.put(1, LIBVIRT), host.put(2, LIBVIRT), host.put(3, NOVA)];
    host.disk(&format!("{INSTANCE}/disk"), &bases[0], LIBVIRT, 0o644);
    (host, bases)
}

fn there(bases: &[PathBuf; 3]) -> [bool; 3] {
    [0, 1, 2].map(|at: usize| bases[at].exists())
}

fn is_touched(base: &Path) -> bool {
    base.metadata().unwrap().modified().unwrap().elapsed().is_ok_and(|it| it.as_secs() < DAY)
}

#[test]
fn without_any_it_removes_what_nothing_uses_and_keeps_the_rest() {
    if !possible() {
        return;
    }
    let (host, bases) = usual();
    let said = host.prune(&[]);
    assert_eq!(there(&bases), [true, false, false], "{said}");
    assert!(!is_touched(&bases[0]), "it is libvirt's");
    let (host, bases) = usual();
    let said = host.prune(&["fowner"]);
    assert_eq!(there(&bases), [true, false, false], "{said}");
    assert!(is_touched(&bases[0]), "{said}");
}

#[test]
fn a_disk_that_is_closed_to_it_keeps_all_and_is_named() {
    if !possible() {
        return;
    }
    let (host, bases) = usual();
    let other = host.put(4, NOVA);
    let closed = host.disk("orphan/disk", &other, LIBVIRT, 0o600);
    let said = host.prune(&[]);
    assert_eq!((there(&bases), other.exists()), ([true; 3], true), "{said}");
    assert!(said.contains("kept in doubt") && said.contains(&closed.display().to_string()), "{said}");
    let said = host.prune(&["dac_read_search"]);
    assert_eq!((there(&bases), other.exists()), ([true, false, false], true), "{said}");
}

#[test]
fn what_others_have_open_is_seen_by_the_lease_or_in_proc() {
    if !possible() {
        return;
    }
    let (host, bases) = usual();
    let said = host.prune_beside(&["lease"], Path::new("sleep"), &bases[1]);
    assert_eq!(there(&bases), [true, true, false], "{said}");
    assert!(said.contains("in use: a process has it open"), "{said}");
    let (host, bases) = usual();
    let said = host.prune_beside(&["sys_ptrace", "dac_read_search"], Path::new("sleep"), &bases[1]);
    assert_eq!(there(&bases), [true, true, false], "{said}");
    assert!(said.contains("(sleep) has it open"), "{said}");
}

#[test]
fn a_guest_that_it_may_not_look_into_keeps_all() {
    if !possible() {
        return;
    }
    let (host, bases) = usual();
    // Its own path on its command line is no disk.
    let guest = host.tmp.path().join("qemu-kvm");
    let sleep = run(Command::new("sh").args(["-c", "command -v sleep"]));
    fs::copy(sleep.trim(), &guest).unwrap();
    // With CAP_DAC_READ_SEARCH alone its descriptors can be listed, but not what they are of.
    for capability in ["lease", "dac_read_search", "sys_ptrace"] {
        let said = host.prune_beside(&[capability], &guest, &bases[1]);
        assert_eq!(there(&bases), [true; 3], "{capability}: {said}");
        assert!(
            said.contains("(qemu-kvm) is not nova's") && said.contains("CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"),
            "{said}"
        );
    }
    let said = host.prune_beside(&["sys_ptrace", "dac_read_search"], &guest, &bases[1]);
    assert_eq!(there(&bases), [true, true, false], "{said}");
    assert!(said.contains("(qemu-kvm) has it open"), "{said}");
}

#[test]
fn processes_that_proc_hides_keep_all() {
    if !possible() || !have(&["mount"]) {
        return;
    }
    let (host, bases) = usual();
    for mode in ["1", "2"] {
        let said = host.prune_hidden(&["lease", "dac_read_search"], mode);
        assert_eq!(there(&bases), [true; 3], "{mode}: {said}");
        assert!(said.contains("hides the processes of other users") && said.contains("CAP_SYS_PTRACE"), "{said}");
    }
    let said = host.prune_hidden(&["sys_ptrace", "dac_read_search"], "2");
    assert_eq!(there(&bases), [true, false, false], "{said}");
}

#[test]
fn root_that_may_not_give_files_away_makes_none() {
    if !possible() {
        return;
    }
    let host = Host::new("http://127.0.0.1:1");
    let mut command = Command::new("setpriv");
    command.args(["--inh-caps=-chown", "--bounding-set=-chown"]).args(host.agent(&["prune"]));
    let out = output(command.current_dir(host.tmp.path()));
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot be given to user {NOVA}")) && said.contains("CAP_CHOWN"), "{said}");
    assert!(
        fs::read_dir(host.tmp.path().join("instances")).unwrap().next().is_none(),
        "nothing is left that nova could not use"
    );
}

#[test]
fn another_user_is_refused_before_anything_is_made() {
    if !possible() {
        return;
    }
    let host = Host::new("http://127.0.0.1:1");
    chown(host.tmp.path().join("instances"), Some(LIBVIRT), Some(LIBVIRT)).unwrap();
    let out = output(host.as_nova(&[]).args(host.agent(&["prune"])).current_dir(host.tmp.path()));
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("belongs to user {LIBVIRT}, but this runs as user {NOVA}")), "{said}");
}

/// The converter, too, and without a single capability; what it makes is nova's.
#[test]
fn nova_s_user_fetches_and_says_what_it_lacks() {
    if !possible() {
        return;
    }
    let centre = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(centre.path(), "");
    let image = centre.path().join("disk.qcow2");
    run(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&image).arg("3M"));
    let push = ["image", "push", "--quiet", "--name", "x", image.to_str().unwrap()];
    let id = run(&mut catalogue.larder(&push)).trim().to_owned();
    let host = Host::new(&catalogue.url());
    let mut command = host.as_nova(&["lease"]);
    let mut agent = Daemon::spawn(host.tmp.path(), "agent", command.args(host.agent(&[])).current_dir(host.tmp.path()));
    agent.wait_for_log("runs without CAP_FOWNER, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE; larder agent check says");
    let cache = |args: &[&str]| {
        let mut command = larder(args);
        output(command.env("LARDER_SOCKET", host.tmp.path().join("run/agent.sock")))
    };
    wait_until("it takes the image", Duration::from_secs(120), || {
        cache(&["cache", "queue-image", "-f", &id]).status.success()
    });
    let base = host.at(&format!("_base/{}", id.parse::<larder::image::ImageId>().unwrap().base_name()));
    wait_until("it is fetched", Duration::from_secs(120), || base.exists() || agent.ended().is_some());
    assert_eq!(base.metadata().unwrap().len(), 3 << 20, "{}", agent.log());
    let lock = host.at(&format!("locks/nova-{}", base.file_name().unwrap().to_str().unwrap()));
    let (base, lock) = (base.metadata().unwrap(), lock.metadata().unwrap());
    assert_eq!((base.uid(), base.gid(), base.mode() & 0o777), (NOVA, NOVA, 0o644));
    assert_eq!((lock.uid(), lock.gid()), (NOVA, NOVA));

    let mut check = larder(&["agent", "--config-file", "agent.conf", "--nova-config-file", "none.conf", "check"]);
    let said = text(&output(check.current_dir(host.tmp.path())).stdout);
    for (name, lacks) in [("FOWNER", true), ("LEASE", false), ("DAC_READ_SEARCH", true), ("SYS_PTRACE", true)] {
        assert_eq!(said.contains(&format!("lacks CAP_{name} and cannot ")), lacks, "{name} in {said}");
    }
    assert!(said.contains(&format!("runs as user {NOVA}")), "{said}");
    assert!(agent.stop().success());
}
