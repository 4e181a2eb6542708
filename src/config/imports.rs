//! The options of imports.

use super::{
    Catalogue,
    catalogue::ONE_OR_MORE,
    options::Options,
    value::{BRACKETED, BRACKETED_PORTS, BYTES, Kind, Refused, parsed},
};
use crate::catalogue::service::{Conversion, Plugin, PluginSettings, UnknownPlugin};
use crate::image::{ImportMethod, UnknownMethod};
use crate::store;
use std::path::PathBuf;

pub(super) fn visit(options: &mut Options<'_>, it: &mut Catalogue) {
    options.bind_as(
        "enabled_import_methods",
        &mut it.settings.import_methods,
        IMPORT_METHODS,
        "How clients may have images imported: glance-direct (data that they stage before), web-download (from a web server that \
         [import_filtering_opts] lets be asked), copy-image (from one of several stores to others), glance-download (from the image service of another region of the same \
         Keystone).",
    );
    options.bind_as(
        "node_staging_uri",
        &mut it.staging_uri,
        FOLDER_URI,
        "Folder where data waits for its import, file:///tmp/staging/ if not set. Processes that do not share it each \
         import what was staged with them. With enabled_backends it is that of [os_glance_staging_store].",
    );
    options.bind(
        "do_secure_hash",
        &mut it.settings.do_secure_hash,
        "Read the data at a location that POST /v2/images/{id}/locations adds: a hash that came with it is compared before \
         the image is active; without one the image is active at once and its hashes follow. Off: the hash is taken as it is.",
    );
    options.bind(
        "http_retries",
        &mut it.settings.http_retries,
        "How often such data is read again when that breaks off.",
    );
    options.section("os_glance_staging_store");
    options.bind(
        "filesystem_store_datadir",
        &mut it.staging_store,
        "The same, with enabled_backends; /var/lib/glance/os_glance_staging_store if not set.",
    );
    options.section("wsgi");
    options.bind_as(
        "task_pool_threads",
        &mut it.settings.import_limit,
        ONE_OR_MORE,
        "Imports that a process works on at the same time; others wait.",
    );
}

/// What happens to the data of imports.
pub(super) fn plugins(options: &mut Options<'_>, it: &mut PluginSettings, downloaded: &mut Vec<String>) {
    options.section("image_import_opts");
    options.bind_as(
        "image_import_plugins",
        &mut it.order,
        PLUGINS,
        "What happens to the data of imports, in this order, before it is stored: image_decompression (gzip, zip with one file, xz \
         and zstd are unpacked, but for container_format compressed), image_conversion (disks are stored in one format), image_introspection (what a format's own metadata says becomes properties: vmware_disktype, vmware_adaptertype, qcow2_virtual_size, qcow2_cluster_size, qcow2_compression_type, iso_volume_id, unless the user has set them), inject_image_metadata (properties are added), no_op. Images \
         that are copied to further stores (copy-image) are left as they are.",
    );
    options.section("glance_download_properties");
    options.bind_as(
        "extra_properties",
        downloaded,
        BRACKETED,
        "What the names of properties begin with that come along with an image by glance-download.",
    );
    options.section("inject_metadata_properties");
    options.bind("inject", &mut it.inject.properties, "Properties that inject_image_metadata adds to imported images.");
    options.bind_as(
        "ignore_user_roles",
        &mut it.inject.ignore_user_roles,
        BRACKETED,
        "Images that callers with one of these roles import get none.",
    );
    options.section("image_decompression");
    options.bind(
        "ratio_limit",
        &mut it.decompression.ratio_limit,
        "How many bytes may come of one byte of compressed data: more of them is taken for an attack, and the import fails. 0 \
         for any number; image_size_cap and the quotas hold in any case.",
    );
    options.bind_as(
        "ratio_free_size",
        &mut it.decompression.ratio_free_size,
        BYTES,
        "So many bytes may come of any data, whatever ratio_limit says.",
    );
    conversion(options, &mut it.conversion);
    options.section("image_introspection");
    options.bind(
        "uploads",
        &mut it.introspects_uploads,
        "Look at uploads, too, as image_introspection does at imports.",
    );
}

/// `[image_conversion]`
fn conversion(options: &mut Options<'_>, it: &mut Conversion) {
    options.section("image_conversion");
    options.bind_as(
        "output_format",
        &mut it.output_format,
        parsed("raw, qcow2 or vmdk"),
        "What image_conversion makes of imported disks. ISOs stay what they are. It needs room in the staging folder, and \
         qemu-img, but for qcow2 to raw.",
    );
    options.bind_as(
        "memory_limit",
        &mut it.memory_limit,
        BYTES,
        "The memory (address space) of a conversion; qemu-img needs 512 MiB.",
    );
    options.bind("cpu_limit", &mut it.cpu_limit, "The CPU time of a conversion, all its threads together.");
    options.bind("time_limit", &mut it.time_limit, "How long a conversion may take.");
    options.bind_as(
        "max_conversions",
        &mut it.max_conversions,
        ONE_OR_MORE,
        "Conversions that a process runs at the same time; other imports that convert wait.",
    );
    options.bind("qemu_img", &mut it.qemu_img, "The program qemu-img. Not set: /usr/bin, /usr/local/bin, /bin.");
}

/// Plugins by name.
const PLUGINS: Kind<Vec<Plugin>> = Kind {
    takes: "a list such as [image_decompression, inject_image_metadata]",
    read: |text| {
        let parse = |it: &String| it.parse().map_err(|error: UnknownPlugin| Refused(Some(error.to_string())));
        (BRACKETED.read)(text)?.iter().map(parse).collect()
    },
    write: |value| Some(format!("[{}]", value.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(","))),
};

/// Import methods by name.
const IMPORT_METHODS: Kind<Vec<ImportMethod>> = Kind {
    takes: "a list such as [glance-direct, web-download, copy-image]",
    read: |text| {
        let names = (BRACKETED.read)(text)?;
        let parse = |it: &String| it.parse().map_err(|error: UnknownMethod| Refused(Some(error.to_string())));
        names.iter().map(parse).collect()
    },
    write: |value| Some(format!("[{}]", value.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(","))),
};

/// A folder as Glance's option has it.
const FOLDER_URI: Kind<Option<PathBuf>> = Kind {
    takes: "file:// and the path of a folder",
    read: |text| match text.trim().strip_prefix("file://") {
        Some(path) if path.starts_with('/') => Ok(Some(PathBuf::from(path))),
        _ => Err(Refused::default()),
    },
    write: |value| value.as_ref().map(|it| format!("file://{}", it.display())),
};

pub(super) fn filtering(options: &mut Options<'_>, it: &mut store::ImportFiltering) {
    options.bind_as(
        "allowed_schemes",
        &mut it.allowed_schemes,
        BRACKETED,
        "Schemes of the URLs that clients may make this server ask; with allowed_..., disallowed_... does not count.",
    );
    options.bind_as("disallowed_schemes", &mut it.disallowed_schemes, BRACKETED, "Schemes that they may not.");
    options.bind_as(
        "allowed_hosts",
        &mut it.allowed_hosts,
        BRACKETED,
        "Hosts that they may. Empty: all but loopback and link-local addresses, and disallowed_hosts.",
    );
    options.bind_as("disallowed_hosts", &mut it.disallowed_hosts, BRACKETED, "Hosts that they may not.");
    options.bind_as(
        "allowed_ports",
        &mut it.allowed_ports,
        BRACKETED_PORTS,
        "Ports that they may, where one is written.",
    );
    options.bind_as("disallowed_ports", &mut it.disallowed_ports, BRACKETED_PORTS, "Ports that they may not.");
}

// === impl Catalogue ===

impl Catalogue {
    /// Where data waits for its import.
    pub(super) fn staging_folder(&self) -> PathBuf {
        if self.backends.is_empty() {
            return self.staging_uri.clone().unwrap_or_else(|| PathBuf::from("/tmp/staging/"));
        }
        let folder = || PathBuf::from("/var/lib/glance/os_glance_staging_store");
        self.staging_store.clone().unwrap_or_else(folder)
    }
}
