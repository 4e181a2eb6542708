//! What is said of images, members and tasks.

use crate::image::{Image, Member, Visibility, task::Task};
use crate::wire::format_time;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Everything but where the data is.
pub(super) fn image(image: &Image) -> Value {
    json!({
        "id": image.id,
        "name": image.name,
        "status": image.status.as_str(),
        "created_at": format_time(image.created_at),
        "updated_at": format_time(image.updated_at),
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "protected": image.protected,
        "checksum": image.checksum,
        "owner": image.owner,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "is_public": image.visibility == Visibility::Public,
        "visibility": image.visibility.as_str(),
        "properties": image.properties,
        "tags": image.tags,
        "deleted": false,
        "deleted_at": null,
    })
}

/// Likewise, with the stores that an import brings it to, and those that it did not come to.
pub(super) fn image_with_import(image: &Image) -> Value {
    let mut payload = self::image(image);
    for name in ["os_glance_importing_to_stores", "os_glance_failed_import"] {
        let text = image.properties.get(name).and_then(Option::as_deref).unwrap_or_default();
        payload[name] = text.split(',').filter(|it| !it.is_empty()).collect();
    }
    payload
}

pub(super) fn member(member: &Member) -> Value {
    json!({
        "image_id": member.image,
        "member_id": member.project,
        "status": member.status.to_string(),
        "created_at": format_time(member.created_at),
        "updated_at": format_time(member.updated_at),
        "deleted": false,
        "deleted_at": null,
    })
}

/// Nothing of what goes in and comes out: there may be secrets in it. While nothing says when it expires, the time of
/// the notification stands for that (Glance's behaviour).
pub(super) fn task(task: &Task, now: DateTime<Utc>) -> Value {
    json!({
        "id": task.id,
        "type": task.kind,
        "status": task.status,
        "result": null,
        "owner": task.owner,
        "message": null,
        "expires_at": format_time(task.expires_at.unwrap_or(now)),
        "created_at": format_time(task.created_at),
        "updated_at": format_time(task.updated_at),
        "deleted": false,
        "deleted_at": null,
    })
}

/// It is gone.
pub(super) fn deleted(payload: &mut Value, now: DateTime<Utc>) {
    payload["deleted"] = json!(true);
    payload["deleted_at"] = json!(format_time(now));
}
