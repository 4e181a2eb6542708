//! `image_introspection`, a plugin of Larder's own: what a format's own metadata says becomes properties.

use super::Changes;
use crate::diskformat::{Format, Inspection};

/// Hypervisors' names of disks and of controllers, by those in VMDKs (Glance's metadata definitions have the first).
const DISK_TYPES: [(&str, &str); 2] = [("streamOptimized", "streamoptimized"), ("sparse", "monolithicsparse")];
const ADAPTERS: [(&str, &str); 6] = [
    ("ide", "ide"),
    ("lsiLogic", "lsilogic"),
    ("lsiLogicsas", "lsilogicsas"),
    ("busLogic", "buslogic"),
    ("busLogic", "legacyesx"),
    ("paraVirtual", "pvscsi"),
];

impl Changes {
    /// What data of a container format `bare` tells of itself. What the user has set stays.
    pub(in crate::catalogue::service) fn introspect(&mut self, found: &Inspection) {
        if found.formats.len() > 1 && found.format != Format::Iso {
            return;
        }
        let details = &found.details;
        let named = |names: &[(&str, &str)], word: &Option<String>| {
            let word = word.as_deref()?;
            names.iter().find(|it| it.1 == word).map(|it| it.0.to_owned())
        };
        let qcow2 = found.format == Format::Qcow2;
        let told = [
            ("vmware_disktype", named(&DISK_TYPES, &found.vmdk_type)),
            ("vmware_adaptertype", named(&ADAPTERS, &details.adapter_type)),
            ("qcow2_virtual_size", found.virtual_size.filter(|_| qcow2).map(|it| it.to_string())),
            ("qcow2_cluster_size", details.cluster_size.map(|it| it.to_string())),
            ("qcow2_compression_type", details.compression.map(str::to_owned)),
            ("iso_volume_id", details.volume_id.clone()),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                self.propose(name, value);
            }
        }
    }
}
