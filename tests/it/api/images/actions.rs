//! `/v2/images/{id}/actions`

use crate::api::Server;
use serde_json::json;

#[test]
pub(crate) fn active_images_are_closed_and_opened_again() {
    let server = Server::start();
    let id = server.upload(b"0123456789");
    let act = |action: &str| server.ask("POST", &format!("/v2/images/{id}/actions/{action}"), &[], b"").status;
    let status = || server.get(&format!("/v2/images/{id}")).json()["status"].clone();
    assert_eq!((act("deactivate"), act("deactivate"), status()), (204, 204, json!("deactivated")));
    // Everybody is an admin here, so the data is still served.
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"0123456789");
    assert_eq!((act("reactivate"), act("reactivate"), status()), (204, 204, json!("active")));
}

#[test]
pub(crate) fn queued_images_are_not() {
    let server = Server::start();
    let id = server.create(json!({}));
    for action in ["deactivate", "reactivate"] {
        let answer = server.ask("POST", &format!("/v2/images/{id}/actions/{action}"), &[], b"");
        assert_eq!(answer.status, 403, "{answer:?}");
    }
}
