//! A page of 25 among 10,000 images.

use crate::{
    client::Client,
    report::{best, bound},
    support::daemon::Catalogue,
};
use std::path::Path;

pub(crate) fn bench(dir: &Path) {
    let catalogue = Catalogue::start(dir, "");
    let mut client = Client::connect(catalogue.port);
    for n in 0..10_000 {
        let body = format!(
            r#"{{"name":"image-{n}","disk_format":"raw","container_format":"bare","tags":["t{}","all"],"os_distro":"debian","build":"{n}"}}"#,
            n % 10
        );
        assert_eq!(client.call("POST", "/v2/images", Some(&body)).0, 201);
    }
    let mut page = |what: &str, path: &str| {
        let time = best(50, || {
            let (status, body) = client.call("GET", path, None);
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        });
        bound(what, time.as_secs_f64() * 1e3, 3.0, "ms");
    };
    page("list 25 of 10,000", "/v2/images?limit=25");
    page("list 25 of 10,000 by name", "/v2/images?limit=25&sort=name:asc");
    page("list 25 of 10,000 with a tag", "/v2/images?limit=25&tag=t3");
    page("list 25 of 10,000 by a property", "/v2/images?limit=25&build=77");
}
