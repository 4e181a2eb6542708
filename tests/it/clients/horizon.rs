//! A real Horizon, as it is, over a catalogue; `horizon.py` asks it what browsers do.

use crate::{
    api::Server,
    support::{free_port, larder, rig, run},
};
use std::{path::Path, process::Command};

#[test]
fn the_dashboard_does_all_of_its_images_and_metadata() {
    let Some(keystone) = rig::own_keystone("horizon") else { return };
    let port = free_port();
    // What an operator writes for uploads from the browser.
    let server = Server::at(
        keystone.image_port,
        &format!(
            "[paste_deploy]\nflavor = keystone\n[keystone_authtoken]\nauth_url = {}\nauth_type = password\nhttp_connect_timeout = 120\nusername = glance\n\
             password = {}\nproject_name = service\nuser_domain_id = default\nproject_domain_id = default\n\
             [cors]\nallowed_origin = http://127.0.0.1:{port}\nallow_headers = Content-Type,X-Auth-Token,X-Requested-With\n",
            keystone.auth_url,
            rig::PASSWORD
        ),
    );
    let load = ["catalogue", "--config-file", "catalogue.conf", "metadefs", "load", "--path"];
    let metadefs = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/metadefs");
    run(larder(&load).arg(metadefs).current_dir(server.dir.path()));
    let Some(horizon) = rig::horizon(port, &keystone) else { return };
    let browser = format!("{}/tests/it/clients/horizon.py", env!("CARGO_MANIFEST_DIR"));
    for part in ["metadefs", "images"] {
        let said = run(Command::new(&horizon.python).args([&browser, &horizon.url, part]));
        assert!(said.contains("all is as it should be"), "{said}");
    }
}
