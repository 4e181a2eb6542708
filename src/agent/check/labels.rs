//! SELinux and AppArmor: may qemu read what the agent puts into the base directory?

use crate::admin::Finding;
use crate::agent::base_dir;
use std::path::Path;

/// The type that distributions give instances_path; libvirt gives files of running guests their own.
const NOVA_TYPES: [&str; 4] = ["nova_var_lib_t", "virt_image_t", "virt_content_t", "svirt_image_t"];
/// What virt-aa-helper's profile of libvirt allows it to read.
const KNOWN_TO_APPARMOR: &str = "/var/lib/nova/instances/_base";
const LOCAL_PROFILE: &str = "/etc/apparmor.d/local/usr.lib.libvirt.virt-aa-helper";

pub(super) fn check(places: &base_dir::Settings) -> Vec<Finding> {
    let base = places.instances_path.join(&places.subdirectory_name);
    let mut found = Vec::new();
    if Path::new("/sys/fs/selinux/enforce").exists() {
        let label = |path: &Path| {
            let bytes = xattr::get(path, "security.selinux").ok().flatten()?;
            Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
        };
        found.push(selinux(&base, label(&base).as_deref()));
    }
    if std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|it| it.trim() == "Y") {
        let local = std::fs::read_to_string(LOCAL_PROFILE).unwrap_or_default();
        found.push(apparmor(&base, &local));
    }
    if found.is_empty() {
        found.push(Finding::ok("labels", "neither SELinux nor AppArmor is on"));
    }
    found
}

/// New files get their directory's type, so that of the directory decides.
pub(super) fn selinux(base: &Path, label: Option<&str>) -> Finding {
    const TOPIC: &str = "selinux";
    let place = base.display();
    let Some(label) = label else {
        return Finding::warning(
            TOPIC,
            format!("{place} has no label that can be read"),
            "start the agent once, so that the directory is made, and look again as root",
        );
    };
    if label.split(':').nth(2).is_some_and(|it| NOVA_TYPES.contains(&it)) {
        return Finding::ok(TOPIC, format!("{place} is {label}"));
    }
    Finding::warning(
        TOPIC,
        format!("{place} is {label}, and new bases get the same type: qemu may not be allowed to read them"),
        format!("semanage fcontext -a -t nova_var_lib_t '{place}(/.*)?' && restorecon -R {place}"),
    )
}

/// `local` is what the site adds to the profile of virt-aa-helper, which looks for the backing files of a disk.
pub(super) fn apparmor(base: &Path, local: &str) -> Finding {
    const TOPIC: &str = "apparmor";
    let place = base.display();
    let parent = base.parent().unwrap_or(base).display().to_string();
    if base == Path::new(KNOWN_TO_APPARMOR) || local.contains(&parent) {
        return Finding::ok(TOPIC, format!("libvirt's helper may read {place}"));
    }
    Finding::warning(
        TOPIC,
        format!(
            "libvirt's profiles know {KNOWN_TO_APPARMOR}, not {place}: guests may not be allowed to read their bases"
        ),
        format!("add '{parent}/** r,' to {LOCAL_PROFILE}, and reload it by apparmor_parser -r"),
    )
}
