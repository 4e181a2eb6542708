//! The standard definitions: the namespaces of OpenStack's own properties, with Glance's names and types. The files are in
//! `config/metadefs`, to be changed and loaded with `--path` as well.

macro_rules! files {
    ($($name:literal,)*) => {
        [$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/metadefs/", $name))),)*]
    };
}

/// Names and texts, by name.
pub(super) const FILES: [(&str, &str); 32] = files![
    "cim-processor-allocation-setting-data.json",
    "cim-resource-allocation-setting-data.json",
    "cim-storage-allocation-setting-data.json",
    "cim-virtual-system-setting-data.json",
    "compute-aggr-disk-filter.json",
    "compute-aggr-iops-filter.json",
    "compute-aggr-num-instances.json",
    "compute-cpu-pinning.json",
    "compute-guest-memory-backing.json",
    "compute-guest-shutdown.json",
    "compute-host-capabilities.json",
    "compute-hypervisor.json",
    "compute-instance-data.json",
    "compute-libvirt-image.json",
    "compute-libvirt.json",
    "compute-quota.json",
    "compute-randomgen.json",
    "compute-vcputopology.json",
    "compute-vmware-flavor.json",
    "compute-vmware-quota-flavor.json",
    "compute-vmware.json",
    "compute-vtpm-hw.json",
    "compute-vtpm.json",
    "compute-watchdog.json",
    "compute-xenapi.json",
    "glance-common-image-props.json",
    "image-signature-verification.json",
    "operating-system.json",
    "software-databases.json",
    "software-runtimes.json",
    "software-webservers.json",
    "storage-volume-type.json",
];
