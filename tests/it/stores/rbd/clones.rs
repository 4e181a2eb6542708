//! What Nova and Cinder do: they clone the snapshot that `direct_url` names, and the image stays while they need it.

use super::{direct_url, disk, images, options, raw, rbd};
use crate::{api::Server, support::rig::ceph};
use std::fs;

#[test]
fn an_image_stays_while_disks_are_clones_of_it() {
    let Some(ceph) = ceph() else { return };
    let server = Server::with(&options(ceph, ""));
    let (id, data) = (raw(&server), disk(6 << 20, 11));
    assert_eq!(server.put_file(&id, &[], &data).status, 204, "{}", server.daemon.log());
    let url = direct_url(&server, &id);
    let parts: Vec<&str> = url.trim_start_matches("rbd://").split('/').collect();
    let (parent, clone) = (format!("{}/{}@{}", parts[1], parts[2], parts[3]), format!("{id}_disk"));
    rbd(ceph, &["clone", "--rbd-default-clone-format", "1", &parent, &format!("images/{clone}")]);

    let path = format!("/v2/images/{id}");
    let refused = server.ask("DELETE", &path, &[], b"");
    let why = format!(
        "Image {id} could not be deleted because it is in use: The image cannot be deleted because it is in use through the backend store outside of Glance."
    );
    assert!(refused.status == 409 && refused.text().contains(&why), "{refused:?}");
    assert!(server.daemon.log().contains(&format!("it has clones: images/{clone}")), "{}", server.daemon.log());
    assert_eq!(server.get(&path).json()["status"], "active");
    // It is as it was: another disk can be made of it.
    rbd(ceph, &["clone", "--rbd-default-clone-format", "1", &parent, &format!("images/{clone}-2")]);
    assert!(server.get(&format!("{path}/file")).body == data);

    rbd(ceph, &["flatten", "--no-progress", &clone]);
    assert_eq!(server.ask("DELETE", &path, &[], b"").status, 409);
    rbd(ceph, &["rm", "--no-progress", &format!("{clone}-2")]);
    assert_eq!(server.ask("DELETE", &path, &[], b"").status, 204);
    assert_eq!((server.get(&path).status, images(ceph, &id)), (404, vec![clone.clone()]));
    let copy = server.dir.path().join("copy");
    rbd(ceph, &["export", "--no-progress", &clone, copy.to_str().unwrap()]);
    assert!(fs::read(copy).unwrap() == data);
    rbd(ceph, &["rm", "--no-progress", &clone]);
}

/// Clones of the second kind (Ceph 13 and later, where the site asks for them) live on without the image; as in Glance, what
/// they need of it goes to the trash.
#[test]
fn what_newer_clones_need_goes_to_the_trash() {
    let Some(ceph) = ceph() else { return };
    let server = Server::with(&options(ceph, ""));
    let (id, data) = (raw(&server), disk(3 << 20, 12));
    assert_eq!(server.put_file(&id, &[], &data).status, 204, "{}", server.daemon.log());
    let clone = format!("{id}_disk");
    rbd(ceph, &["clone", "--rbd-default-clone-format", "2", &format!("{id}@snap"), &clone]);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204, "{}", server.daemon.log());
    assert_eq!(images(ceph, &id), [clone.as_str()]);
    assert!(rbd(ceph, &["trash", "ls", "images"]).contains(&id));
    let copy = server.dir.path().join("copy");
    rbd(ceph, &["export", "--no-progress", &clone, copy.to_str().unwrap()]);
    assert!(fs::read(copy).unwrap() == data);
    rbd(ceph, &["rm", "--no-progress", &clone]);
    rbd(ceph, &["trash", "purge", "--no-progress", "images"]);
}
