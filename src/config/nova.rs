//! What is read from nova.conf: only what agent and nova-compute must agree on.

use super::{agent, options::Options, signatures};
use crate::image::signature::Signatures;
use std::{fs, net::UdpSocket, path::PathBuf};

/// The agent, and what its paths are made of in Nova.
#[derive(Clone, Debug)]
pub(super) struct Nova {
    pub(super) agent: super::Agent,
    state_path: PathBuf,
    my_ip: String,
    host: String,
    instances_path: Option<PathBuf>,
}

pub(super) fn visit(options: &mut Options<'_>, it: &mut Nova) {
    options.section("DEFAULT");
    options.bind("state_path", &mut it.state_path, "");
    options.bind("my_ip", &mut it.my_ip, "");
    options.bind("host", &mut it.host, "");
    options.bind("instances_path", &mut it.instances_path, "");
    let says = &mut it.agent.nova;
    options.bind("run_external_periodic_tasks", &mut says.run_external_periodic_tasks, "");
    options.bind("preallocate_images", &mut says.preallocate_images, "");
    agent::shared_with_nova(options, &mut it.agent.settings);
    options.section("image_cache");
    options.bind_renamed(
        "manager_interval",
        &["DEFAULT/image_cache_manager_interval"],
        &mut it.agent.nova.manager_interval,
        "",
    );
    agent::image_cache(options, &mut it.agent.settings);
    options.section("libvirt");
    agent::images_type(options, &mut it.agent.settings);
    options.section("oslo_concurrency");
    options.bind("disable_process_locking", &mut it.agent.nova.disable_process_locking, "");
    options.section("workarounds");
    let reserve = &mut it.agent.nova.reserve_disk_resource_for_image_cache;
    options.bind("reserve_disk_resource_for_image_cache", reserve, "");
    options.section("glance");
    signatures::of_nova(options, &mut it.agent.settings.signatures);
    options.section("compute");
    agent::compute(options, &mut it.agent.settings);
    agent::logins(options, &mut it.agent.logins);
    let certificates = &mut it.agent.settings.signatures.certificates;
    signatures::key_manager(options, certificates, &mut it.agent.logins.key_manager, signatures::AGENTS);
}

// === impl Nova ===

impl Nova {
    /// Over these settings; `/var/lib/nova` is what distributions set as `state_path`.
    pub(super) fn over(agent: super::Agent) -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        Self { agent, state_path: PathBuf::from("/var/lib/nova"), my_ip: my_ip(), host, instances_path: None }
    }

    /// The agent's settings with what nova.conf said.
    pub(super) fn into_agent(mut self) -> super::Agent {
        let instances = self.instances_path.unwrap_or_else(|| self.state_path.join("instances"));
        self.agent.settings.base_dir.instances_path = instances;
        self.agent.nova.verifies_signatures = self.agent.settings.signatures.policy() != Signatures::Off;
        let prune = &self.agent.settings.prune;
        self.agent.nova.remove_unused_base_images = prune.remove_unused_base_images;
        self.agent.nova.remove_unused_original_minimum_age_seconds = prune.remove_unused_original_minimum_age_seconds;
        self.agent.settings.counted_by_nova = self.agent.nova.reserve_disk_resource_for_image_cache;
        self.agent.nova.glance_endpoint = self.agent.logins.endpoint();
        // What a file's name cannot hold is no part of any real name.
        let host: String = self.host.chars().map(|it| if it == '/' || it.is_control() { '_' } else { it }).collect();
        self.agent.settings.base_dir.host = host.parse().unwrap_or_default();
        self.agent.settings.fleet.node_name = Some(self.host.to_ascii_lowercase());
        self.agent
    }
}

/// The address that this node's packets carry by default (oslo's `get_my_ipv4`); nothing is sent.
fn my_ip() -> String {
    let local = UdpSocket::bind(("0.0.0.0", 0)).and_then(|socket| {
        socket.connect(("192.0.2.1", 80))?;
        socket.local_addr()
    });
    local.map_or_else(|_| "127.0.0.1".to_owned(), |address| address.ip().to_string())
}
