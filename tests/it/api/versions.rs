//! `/`, `/versions`, the prefixes.

use super::Server;

fn ids(document: &serde_json::Value) -> Vec<String> {
    document["versions"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_document_is_found_where_clients_look() {
    let server = Server::start();
    for (path, status) in [("/", 300), ("/versions", 200), ("/v1/images", 300), ("/v3", 300), ("/nonsense", 300)] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-openstack-request-id"), None);
        let document = answer.json();
        assert!(ids(&document).contains(&"v2.17".to_owned()), "{document}");
        assert!(!ids(&document).contains(&"v2.18".to_owned()), "{document}");
        let current: Vec<_> =
            document["versions"].as_array().unwrap().iter().filter(|it| it["status"] == "CURRENT").collect();
        assert_eq!(current.len(), 1);
        let href = format!("http://{}/v2/", server.address);
        assert_eq!(current[0]["links"], serde_json::json!([{"rel": "self", "href": href}]));
    }
}

#[test]
fn every_prefix_leads_to_the_same_api() {
    let server = Server::start();
    for prefix in ["v2", "v2.0", "v2.3", "v2.7", "v2.9", "v2.15", "v2.17"] {
        let answer = server.get(&format!("/{prefix}/images"));
        assert_eq!((answer.status, answer.json()["first"].as_str()), (200, Some("/v2/images")), "{prefix}");
    }
    assert_eq!(server.get("/v2.8/images").status, 300);
    assert_eq!(server.get("/v2.16/images").status, 300);
    let answer = server.ask("GET", "/images", &[("Accept", "application/vnd.openstack.images-v2")], b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_folder_is_not_a_resource() {
    let server = Server::start();
    let answer = server.get("/v2");
    let location = format!("http://{}/v2/", server.address);
    assert_eq!((answer.status, answer.header("location")), (302, Some(location.as_str())));
    assert_eq!(server.get("/v2/").status, 404);
    assert_eq!(server.get("/v2/images/").status, 404);
}

#[test]
fn links_are_those_of_the_public_endpoint() {
    let server = Server::with("public_endpoint = https://images.example/");
    let document = server.get("/versions").json();
    assert_eq!(document["versions"][0]["links"][0]["href"], "https://images.example/v2/");
}

#[test]
fn health() {
    let server = Server::start();
    let answer = server.get("/healthcheck");
    assert_eq!((answer.status, answer.text().as_str()), (200, "OK"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("x-openstack-request-id"), None);
    let answer = server.ask("GET", "/healthcheck", &[("Accept", "application/json")], b"");
    assert_eq!(answer.json(), serde_json::json!({"detailed": false, "reasons": ["OK"]}));
    std::fs::write(server.dir.path().join("out-of-service"), "").unwrap();
    server.get("/healthcheck").refuses(503, "DISABLED BY FILE");
}

#[test]
fn metrics_are_told_by_route() {
    let server = Server::start();
    server.get("/v2/images");
    server.get("/v2/images/11111111-2222-3333-4444-555555555555");
    let text = server.get("/metrics").text();
    assert!(text.contains("larder_http_requests_total{"), "{text}");
    assert!(text.contains(r#"route="/v2/images/{image_id}""#) && !text.contains("11111111"), "{text}");
}
