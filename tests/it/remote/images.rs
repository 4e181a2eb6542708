//! Create, list, show, patch, delete; and servers that answer nonsense.

use super::{at, open, put, quick, register, told};
use crate::support::{
    chaos::{Chaos, Fault},
    rig,
};
use larder::{image::ImageId, remote::RemoteError};
use serde_json::json;

#[tokio::test]
async fn images_are_made_listed_changed_and_deleted() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(register(&catalogue, &format!("page-{number}")).await);
    }
    // Pages of two, so that there are several.
    let listed =
        catalogue.images(&[("limit", "2"), ("name", "in:page-0,page-1,page-2,page-3,page-4,page-5,page-6")]).await;
    let mut names: Vec<_> = listed.unwrap().into_iter().filter_map(|it| it.name).collect();
    names.sort();
    assert_eq!(names, (0..7).map(|it| format!("page-{it}")).collect::<Vec<_>>());

    let changes = json!([{"op": "replace", "path": "/name", "value": "other"}, {"op": "add", "path": "/hw_disk_bus", "value": "scsi"}]);
    let image = catalogue.patch(&ids[0], &changes).await.unwrap();
    assert_eq!((image.name.as_deref(), image.extra["hw_disk_bus"].as_str()), (Some("other"), Some("scsi")));
    let error =
        catalogue.patch(&ids[0], &json!([{"op": "replace", "path": "/status", "value": "active"}])).await.unwrap_err();
    assert!(error.is_denied() && told(&error).contains("read-only"), "{error}");
    let error = catalogue.create(&json!({"name": 7})).await.unwrap_err();
    assert!(!error.is_transient() && told(&error).contains("400"), "{error}");
    for id in &ids {
        catalogue.delete(id).await.unwrap();
        assert!(catalogue.image(id).await.unwrap_err().is_not_found());
    }
    let error = catalogue.delete(&ids[0]).await.unwrap_err();
    assert!(told(&error).starts_with(&format!("deleting image {}: {}/v2/images/", ids[0], glance.url)), "{error}");
}

#[tokio::test]
async fn nonsense_is_called_so() {
    let Some(glance) = rig::open_glance() else { return };
    let id = put(&open(glance), "real", b"real").await;
    let proxy = Chaos::before(&glance.url);
    let catalogue = at(&proxy.url(), quick());
    let answer = |status: &str, headers: &str, body: &str| {
        Fault::Answer(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
            body.len()
        ))
    };
    let other = r#"{"id": "00000000-0000-4000-8000-000000000000", "status": "active"}"#;
    let page = r#"{"images": [], "next": "/v2/images?marker=1"}"#;
    // Never ends; the body of the answer is bounded.
    let huge = format!("{{\"id\": \"{}", "x".repeat(40 << 20));
    let cases: [(Fault, &str, bool); 7] = [
        (answer("200 OK", "", "<html>login here</html>"), "is not understood", true),
        (answer("200 OK", "", other), "it is about another image", true),
        (answer("200 OK", "", &huge), "it is longer than", true),
        (answer("500 Oops", "", "<h1>broken</h1>"), "answered 500 Internal Server Error: broken", true),
        (answer("429 Slow", "Retry-After: 3\r\n", ""), "answered 429 Too Many Requests", true),
        (
            answer("302 Found", "Location: http://user:pw@elsewhere.example/v2/x?token=1\r\n", ""),
            "redirects to http://elsewhere.example/v2/x",
            false,
        ),
        (answer("409 Conflict", "", r#"{"message": "in use"}"#), "409 Conflict: in use", false),
    ];
    for (fault, words, transient) in cases {
        proxy.always(fault);
        let error = catalogue.image(&id).await.unwrap_err();
        let text = told(&error);
        assert!(
            text.starts_with(&format!("asking for image {id}: {}/v2/images/{id} ", proxy.url()))
                || text.contains("is not understood"),
            "{text}"
        );
        assert!(text.contains(words) && error.is_transient() == transient, "{text}");
    }
    proxy.always(answer("200 OK", "", page));
    let error = catalogue.images(&[]).await.unwrap_err();
    assert!(told(&error).contains("go round in a circle"), "{error}");
    proxy.always(Fault::None);
    catalogue.delete(&id).await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_said() {
    let catalogue = at(&format!("http://127.0.0.1:{}", crate::support::free_port()), quick());
    let id: ImageId = "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69".parse().unwrap();
    let error = catalogue.image(&id).await.unwrap_err();
    assert!(error.is_transient() && matches!(error, RemoteError::Transport { .. }));
    assert!(told(&error).contains("Connection refused"), "{}", told(&error));
}
