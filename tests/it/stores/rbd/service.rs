//! Images in Ceph, through the whole program.

use super::{direct_url, disk, images, options, raw, rbd, section};
use crate::{
    api::Server,
    support::{
        rig::{Ceph, ceph},
        wait_until,
    },
};
use serde_json::{Value, json};
use std::{fs, time::Duration};

const PATIENCE: Duration = Duration::from_secs(60);

/// The parts of an image that hold data, as `(offset, length)`.
fn extents(ceph: &Ceph, image: &str) -> Vec<(u64, u64)> {
    let told: Value = serde_json::from_str(&rbd(ceph, &["diff", "--format", "json", image])).unwrap();
    let number =
        |it: &Value, key: &str| it[key].as_str().map_or_else(|| it[key].as_u64(), |it| it.parse().ok()).unwrap();
    told.as_array().unwrap().iter().map(|it| (number(it, "offset"), number(it, "length"))).collect()
}

#[test]
fn what_is_uploaded_is_what_ceph_and_clients_read() {
    let Some(ceph) = ceph() else { return };
    for (thin, chunk) in [("true", 4), ("false", 8)] {
        let more = format!("rbd_thin_provisioning = {thin}\nrbd_store_chunk_size = {chunk}\n");
        let mut server = Server::with(&options(ceph, &more));
        let data = disk((23 << 20) + 12_345, 7);
        for chunked in [false, true] {
            let id = raw(&server);
            let answer =
                if chunked { put_in_chunks(&server, &id, &data) } else { server.put_file(&id, &[], &data).status };
            assert_eq!(answer, 204, "{}", server.daemon.log());
            let fsid = fs::read_to_string(ceph.conf()).unwrap();
            let fsid = fsid.lines().find_map(|it| it.strip_prefix("fsid = ")).unwrap();
            assert_eq!(direct_url(&server, &id), format!("rbd://{fsid}/images/{id}/snap"));

            let told: Value = serde_json::from_str(&rbd(ceph, &["info", "--format", "json", &id])).unwrap();
            assert_eq!(
                (told["size"].as_u64(), told["object_size"].as_u64()),
                (Some(data.len() as u64), Some(chunk << 20))
            );
            assert!(told["features"].as_array().unwrap().contains(&json!("layering")), "{told}");
            let snaps: Value = serde_json::from_str(&rbd(ceph, &["snap", "ls", "--format", "json", &id])).unwrap();
            assert_eq!((snaps.as_array().unwrap().len(), &snaps[0]["name"]), (1, &json!("snap")));
            assert_eq!(snaps[0]["protected"], "true");
            let copy = server.dir.path().join("copy");
            rbd(ceph, &["export", "--no-progress", &format!("{id}@snap"), copy.to_str().unwrap()]);
            assert!(fs::read(&copy).unwrap() == data);
            fs::remove_file(copy).unwrap();
            let full: u64 = extents(ceph, &format!("{id}@snap")).iter().map(|it| it.1).sum();
            match thin {
                // Ceph counts an object from its beginning: 8 to 10 MiB, where 9 to 10 has data.
                "true" => assert_eq!(full, (8 << 20) + 12_345),
                _ => assert_eq!(full, data.len() as u64),
            }

            assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
            for (range, from, to) in [
                ("0-0", 0, 1),
                ("1048575-1048576", (1 << 20) - 1, (1 << 20) + 1),
                ("5000000-11000000", 5_000_000, 11_000_001),
                ("-7", data.len() - 7, data.len()),
            ] {
                let range = format!("bytes={range}");
                let answer = server.ask("GET", &format!("/v2/images/{id}/file"), &[("Range", &range)], b"");
                assert!(answer.status == 206 && answer.body == data[from..to], "{range}");
            }
            assert_eq!(server.put_file(&id, &[], b"again").status, 409);
            assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
            assert_eq!(images(ceph, &id), [""; 0]);
        }
        // A connection to Ceph does not keep it from ending well.
        assert!(server.daemon.stop().success(), "{}", server.daemon.log());
    }
}

fn put_in_chunks(server: &Server, id: &str, data: &[u8]) -> u16 {
    let mut body = Vec::new();
    for piece in data.chunks(300_001) {
        body.extend(format!("{:x}\r\n", piece.len()).bytes());
        body.extend(piece);
        body.extend(b"\r\n");
    }
    body.extend(b"0\r\n\r\n");
    let headers = [("Content-Type", "application/octet-stream"), ("Transfer-Encoding", "chunked")];
    crate::api::exchange(server.address, "PUT", &format!("/v2/images/{id}/file"), &headers, &body).status
}

#[test]
fn data_goes_to_ceph_and_to_files_at_once_and_from_one_to_the_other() {
    let Some(ceph) = ceph() else { return };
    let folder = tempfile::tempdir().unwrap();
    let options = format!(
        "enabled_backends = ceph:rbd, disk:file\nenabled_import_methods = [glance-direct,copy-image]\nshow_multiple_locations = true\n\
         [glance_store]\ndefault_backend = ceph\n[ceph]\nstore_description = three copies\nweight = 5\n{}\n\
         [disk]\nfilesystem_store_datadir = {dir}/disk\n[os_glance_staging_store]\nfilesystem_store_datadir = {dir}/staging\n",
        section(ceph),
        dir = folder.path().display()
    );
    let server = Server::with(&options);
    let told = server.get("/v2/info/stores/detail").json();
    let fsid = command_fsid(ceph);
    assert_eq!(
        told["stores"][0],
        json!({"id": "ceph", "description": "three copies", "default": "true", "type": "rbd", "weight": 5,
               "properties": {"chunk_size": 8 << 20, "pool": "images", "thin_provisioning": false, "fsid": fsid}})
    );

    let data = disk(5 << 20, 3);
    let id = raw(&server);
    let stage = format!("/v2/images/{id}/stage");
    assert_eq!(server.ask("PUT", &stage, &[("Content-Type", "application/octet-stream")], &data).status, 204);
    import(&server, &id, &json!({"method": {"name": "glance-direct"}, "all_stores": true}));
    assert_eq!(stores(&server, &id), ["ceph", "disk"]);
    assert!(fs::read(folder.path().join("disk").join(&id)).unwrap() == data);
    assert_eq!(images(ceph, &id), [id.as_str()]);

    // Out of Ceph, and back from the file.
    let from_ceph = format!("/v2/stores/ceph/{id}");
    rbd(ceph, &["clone", &format!("{id}@snap"), &format!("clone-of-{id}")]);
    let refused = server.ask("DELETE", &from_ceph, &[], b"");
    assert!(refused.status == 409 && refused.text().contains("in use"), "{refused:?}");
    assert_eq!(stores(&server, &id), ["ceph", "disk"]);
    rbd(ceph, &["rm", "--no-progress", &format!("clone-of-{id}")]);
    assert_eq!(server.ask("DELETE", &from_ceph, &[], b"").status, 204);
    assert_eq!((stores(&server, &id), images(ceph, &id)), (vec!["disk".to_owned()], vec![]));
    import(&server, &id, &json!({"method": {"name": "copy-image"}, "stores": ["ceph"]}));
    wait_until("it is in Ceph again", PATIENCE, || stores(&server, &id).len() == 2);
    fs::remove_file(folder.path().join("disk").join(&id)).unwrap();
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    assert_eq!(images(ceph, &id), [""; 0]);
}

fn command_fsid(ceph: &Ceph) -> String {
    super::command(ceph, "ceph", &["--id", "admin", "fsid"]).trim().to_owned()
}

fn import(server: &Server, id: &str, how: &Value) {
    let answer = server.post(&format!("/v2/images/{id}/import"), how);
    assert_eq!(answer.status, 202, "{answer:?}");
    wait_until("it is imported", PATIENCE, || {
        let image = server.get(&format!("/v2/images/{id}")).json();
        assert_eq!(image["os_glance_failed_import"].as_str().unwrap_or_default(), "", "{}", server.daemon.log());
        image["status"] == "active" && image["os_glance_importing_to_stores"].as_str().unwrap_or_default().is_empty()
    });
}

fn stores(server: &Server, id: &str) -> Vec<String> {
    let image = server.get(&format!("/v2/images/{id}")).json();
    let mut stores: Vec<_> = image["stores"].as_str().unwrap_or_default().split(',').map(str::to_owned).collect();
    stores.sort();
    stores
}
