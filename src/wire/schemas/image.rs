//! The schemas of an image and of a page of images.

use crate::image::{Status, Visibility};
use crate::wire::schemas::{Formats, ID_PATTERN};
use serde_json::{Map, Value, json};

/// An image.
pub fn image(formats: &Formats) -> Value {
    let mut properties = Map::new();
    for part in [described(), computed(formats), links(), locations(), formats.site.properties().clone().into()] {
        if let Value::Object(part) = part {
            properties.extend(part);
        }
    }
    let mut schema = Map::new();
    let mut put = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
    put("name", "image".into());
    put("properties", properties.into());
    put("additionalProperties", json!({"type": "string"}));
    if !formats.site.required().is_empty() {
        put("required", formats.site.required().into());
    }
    let links = json!([
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ]);
    put("links", links);
    schema.into()
}

/// A page of images.
pub fn images(formats: &Formats) -> Value {
    json!({
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image(formats)},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    })
}

/// Whether every image has a field of this name.
pub(super) fn is_base(name: &str) -> bool {
    let parts = [described(), computed(&Formats::default()), links(), locations()];
    parts.iter().any(|it| it.get(name).is_some())
}

fn described() -> Value {
    let statuses: Vec<&str> = Status::ALL.into_iter().map(Status::as_str).collect();
    let visibilities: Vec<&str> = Visibility::ALL.into_iter().map(Visibility::as_str).collect();
    json!({
        "id": {"type": "string", "description": "An identifier for the image", "pattern": ID_PATTERN},
        "name": {"type": ["null", "string"], "description": "Descriptive name for the image", "maxLength": 255},
        "status": {"type": "string", "readOnly": true, "description": "Status of the image", "enum": statuses},
        "visibility": {"type": "string", "description": "Scope of image accessibility", "enum": visibilities},
        "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
        "os_hidden": {
            "type": "boolean",
            "description": "If true, image will not appear in default image list response.",
        },
    })
}

fn computed(formats: &Formats) -> Value {
    let or_null = |known: &[String]| -> Vec<Value> {
        std::iter::once(Value::Null).chain(known.iter().map(|it| it.as_str().into())).collect()
    };
    json!({
        "checksum": {
            "type": ["null", "string"],
            "readOnly": true,
            "description": "md5 hash of image contents.",
            "maxLength": 32,
        },
        "os_hash_algo": {
            "type": ["null", "string"],
            "readOnly": true,
            "description": "Algorithm to calculate the os_hash_value",
            "maxLength": 64,
        },
        "os_hash_value": {
            "type": ["null", "string"],
            "readOnly": true,
            "description":
                "Hexdigest of the image contents using the algorithm specified by the os_hash_algo",
            "maxLength": 128,
        },
        "owner": {"type": ["null", "string"], "description": "Owner of the image", "maxLength": 255},
        "size": {"type": ["null", "integer"], "readOnly": true, "description": "Size of image file in bytes"},
        "virtual_size": {"type": ["null", "integer"], "readOnly": true, "description": "Virtual size of image in bytes"},
        "container_format": {
            "type": ["null", "string"],
            "description": "Format of the container",
            "enum": or_null(&formats.container),
        },
        "disk_format": {
            "type": ["null", "string"],
            "description": "Format of the disk",
            "enum": or_null(&formats.disk),
        },
        "created_at": {"type": "string", "readOnly": true, "description": "Date and time of image registration"},
        "updated_at": {
            "type": "string",
            "readOnly": true,
            "description": "Date and time of the last image modification",
        },
    })
}

fn links() -> Value {
    json!({
        "tags": {
            "type": "array",
            "description": "List of strings related to the image",
            "items": {"type": "string", "maxLength": 255},
        },
        "direct_url": {
            "type": "string",
            "readOnly": true,
            "description": "URL to access the image file kept in external store",
        },
        "min_ram": {"type": "integer", "description": "Amount of ram (in MB) required to boot image."},
        "min_disk": {"type": "integer", "description": "Amount of disk space (in GB) required to boot image."},
        "self": {"type": "string", "readOnly": true, "description": "An image self url"},
        "file": {"type": "string", "readOnly": true, "description": "An image file url"},
        "stores": {
            "type": "string",
            "readOnly": true,
            "description": "Store in which image data resides.  Only present when the operator has enabled multiple \
                            stores.  May be a comma-separated list of store identifiers.",
        },
        "schema": {"type": "string", "readOnly": true, "description": "An image schema url"},
    })
}

fn locations() -> Value {
    let validation = json!({
        "description": "Values to be used to populate the corresponding image properties. If the image status is not \
                        'queued', values must exactly match those already contained in the image properties.",
        "type": "object",
        "writeOnly": true,
        "additionalProperties": false,
        "properties": {
            "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
            "os_hash_algo": {"type": "string", "maxLength": 64},
            "os_hash_value": {"type": "string", "maxLength": 128},
        },
        "required": ["os_hash_algo", "os_hash_value"],
    });
    json!({
        "locations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "url": {"type": "string", "maxLength": 255},
                    "metadata": {"type": "object"},
                    "validation_data": validation,
                },
                "required": ["url", "metadata"],
            },
            "description": "A set of URLs to access the image file kept in external store",
        },
    })
}

/// The custom properties that Glance's `schema-image.json` describes.
pub(super) fn known_properties() -> Value {
    json!({
        "kernel_id": {
            "type": ["null", "string"],
            "pattern": ID_PATTERN,
            "description": "The image with the kernel of an AMI-style image.",
            "is_base": false,
        },
        "ramdisk_id": {
            "type": ["null", "string"],
            "pattern": ID_PATTERN,
            "description": "The image with the ramdisk of an AMI-style image.",
            "is_base": false,
        },
        "instance_uuid": {
            "type": "string",
            "description": "The instance that this image was made from. It says so, and does nothing else.",
            "is_base": false,
        },
        "architecture": {
            "description": "The processor architecture that the operating system runs on, such as x86_64 or aarch64.",
            "type": "string",
            "is_base": false,
        },
        "os_distro": {
            "description": "The common name of the operating system's distribution, in lower case.",
            "type": "string",
            "is_base": false,
        },
        "os_version": {
            "description": "The version of the operating system, in its distributor's words.",
            "type": "string",
            "is_base": false,
        },
        "description": {"description": "What this image is, for people.", "type": "string", "is_base": false},
        "cinder_encryption_key_id": {
            "description": "The key, in the key manager, of volumes made from this image.",
            "type": "string",
            "is_base": false,
        },
        "cinder_encryption_key_deletion_policy": {
            "description": "Whether that key is deleted with the image; without this property it is kept.",
            "type": "string",
            "enum": ["on_image_deletion", "do_not_delete"],
            "is_base": false,
        },
    })
}
