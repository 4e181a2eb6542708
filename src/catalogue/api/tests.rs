use super::{
    refusal::Refusal,
    render::{Form, form, quality, render},
    versions::{Target, base_url, negotiate},
};
use crate::http::Forwarded;
use crate::wire::versions::Abilities;
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::BodyExt;

fn target(path: &str, accept: Option<&str>) -> Target {
    negotiate(&path.parse::<Uri>().unwrap(), accept, Abilities::default())
}

fn api(path: &str) -> Target {
    Target::Api(path.parse().unwrap())
}

#[test]
fn versions_are_found_in_the_path() {
    for prefix in ["/v2", "/v2.0", "/v2.7", "/v2.9", "/v2.15", "/v2.17", "//v2"] {
        assert_eq!(target(&format!("{prefix}/images?a=b"), None), api("/v2/images?a=b"), "{prefix}");
    }
    assert_eq!(target("/v2", None), Target::Moved);
    assert_eq!(target("/v2/", None), api("/v2/"));
    for path in ["/versions", "/versions/"] {
        assert_eq!(target(path, None), Target::Versions(StatusCode::OK));
    }
    for path in ["/", "/v1/images", "/v3", "/v2.8/images", "/v2.14/cache", "/foo", "/V2/images", "/v2x", "/images"] {
        assert_eq!(target(path, None), Target::Versions(StatusCode::MULTIPLE_CHOICES), "{path}");
    }
}

#[test]
fn versions_are_found_in_accept() {
    assert_eq!(target("/images", Some("application/vnd.openstack.images-v2")), api("/v2/images"));
    let unknown = Some("application/vnd.openstack.images-v9");
    assert_eq!(target("/v2/images", unknown), Target::Versions(StatusCode::MULTIPLE_CHOICES));
}

#[test]
fn links_begin_with_the_host_that_was_asked() {
    let uri = Uri::from_static("/v2/images");
    let mut headers = HeaderMap::new();
    let base = |headers: &HeaderMap, endpoint| base_url(headers, &uri, endpoint, &Forwarded::default());
    assert_eq!(base(&headers, None), "http://localhost");
    headers.insert("host", "images.example:9292".parse().unwrap());
    assert_eq!(base(&headers, None), "http://images.example:9292");
    assert_eq!(base(&headers, Some("https://front/")), "https://front");
    let proxy = Forwarded { scheme: Some("https"), prefix: "/image".to_owned(), ..Forwarded::default() };
    assert_eq!(base_url(&headers, &uri, None, &proxy), "https://images.example:9292/image");
    for (host, scheme, link) in
        [("a:80", "http", "http://a"), ("a:443", "https", "https://a"), ("a:80", "https", "https://a:80")]
    {
        let proxy = Forwarded { scheme: Some(scheme), host: Some(host.to_owned()), ..Forwarded::default() };
        assert_eq!(base_url(&headers, &uri, None, &proxy), link);
    }
    headers.insert("host", "a\"><b".parse().unwrap());
    assert_eq!(base(&headers, None), "http://localhost");
}

#[test]
fn forms_follow_accept() {
    for (accept, wanted) in [
        ("", Form::Plain),
        ("text/plain", Form::Plain),
        ("*/*", Form::Html),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Form::Html),
        ("application/json", Form::Json),
        ("application/*", Form::Json),
        ("application/json, text/html;q=0.5", Form::Json),
        ("text/html;q=0", Form::Plain),
        ("nonsense;q=x,,", Form::Html),
    ] {
        assert_eq!(form(accept), wanted, "{accept}");
    }
    assert!(quality("*/*;q=0.1, text/html", "text", "html") > 0.9);
}

#[tokio::test]
async fn errors_look_as_webob_prints_them() {
    let refused = || Refusal::new(StatusCode::NOT_FOUND, "No image <x>").into_response();
    let html = "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  \
        No image &lt;x&gt;<br /><br />\n\n\n\n </body>\n</html>";
    let json = r#"{"message":"No image <x><br /><br />\n\n\n","code":"404 Not Found","title":"Not Found"}"#;
    for (accept, kind, wanted) in [
        (None, "text/plain; charset=UTF-8", "404 Not Found\n\nNo image <x>\n\n   "),
        (Some("*/*"), "text/html; charset=UTF-8", html),
        (Some("application/json"), "application/json", json),
    ] {
        let response = render(refused(), accept);
        assert_eq!(
            (response.status(), response.headers()["content-type"].to_str().unwrap()),
            (StatusCode::NOT_FOUND, kind)
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(String::from_utf8_lossy(&body), wanted);
    }
}
