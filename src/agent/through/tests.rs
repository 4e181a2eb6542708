use super::{
    Settings,
    flight::Flight,
    flights::{Flights, Stage, Turn, settled},
    headers::{is_plain, make_plain, of_request, passing, went_round},
    permit::Head,
    shelf::{NoPlace, Rules, Shelf, clear},
    wanted::Wanted,
};
use crate::agent::plan::fetch::Ledger;
use crate::base::{digest::Algorithm, pieces::PieceHasher};
use crate::image::ImageId;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::{
    fs,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn wanted(size: u64, hash: &str) -> Wanted {
    let hash = (Algorithm::Md5, hash.to_owned());
    Wanted { size, hash, checksum: Some("00ff".to_owned()), disk_format: Some("raw".to_owned()) }
}

#[test]
fn an_address_is_known_by_any_of_its_names() {
    let is_here = |bind: &str, url: &str| {
        let settings = Settings { bind: Some(bind.parse().unwrap()), ..Settings::default() };
        settings.is_here(&url.parse().unwrap())
    };
    for url in ["http://127.0.0.1:9292", "http://localhost:9292/v2", "http://LOCALHOST:9292/", "http://[::1]:9292"] {
        assert!(is_here("127.0.0.1:9292", url) && is_here("0.0.0.0:9292", url), "{url}");
    }
    for url in ["http://127.0.0.1:9393", "http://10.0.0.7:9292", "http://controller:9292", "http://127.0.0.1"] {
        assert!(!is_here("127.0.0.1:9292", url), "{url}");
    }
    assert!(is_here("127.0.0.1:80", "http://127.0.0.1"));
    assert!(!Settings::default().is_here(&"http://127.0.0.1:9292".parse().unwrap()));
    let refused = |bind: &str, allow_remote| {
        Settings { bind: Some(bind.parse().unwrap()), allow_remote, ..Settings::default() }.refused().is_some()
    };
    for bind in ["0.0.0.0:1", "10.0.0.7:1", "[::]:1", "[2001:db8::1]:1"] {
        assert!(refused(bind, false) && !refused(bind, true), "{bind}");
    }
    assert!(!refused("127.0.0.3:1", false) && !refused("[::1]:1", false) && !refused("[::ffff:127.0.0.1]:1", false));
}

#[test]
fn what_is_for_one_connection_does_not_pass() {
    let sent = headers(&[
        ("connection", "close, X-Own"),
        ("x-own", "1"),
        ("transfer-encoding", "chunked"),
        ("te", "trailers"),
        ("keep-alive", "5"),
        ("host", "here"),
        ("expect", "100-continue"),
        ("x-auth-token", "t"),
        ("content-length", "5"),
        ("via", "1.0 squid"),
    ]);
    let via = HeaderValue::from_static("1.1 larder-1");
    let passed = of_request(&sent, &via);
    let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "via", "x-auth-token"]);
    assert!(went_round(&passed, &via) && !went_round(&sent, &via));
    assert!(went_round(&headers(&[("via", "1.0 squid, 1.1 larder-1 , 1.1 x")]), &via));
    assert!(passing(&sent).contains_key("host"), "answers are passed with this too");
    for (name, value) in [("range", "bytes=0-"), ("if-none-match", "*"), ("content-range", "bytes 0-1/2")] {
        let mut asked = headers(&[(name, value), ("accept", "a")]);
        assert!(!is_plain(&asked), "{name}");
        make_plain(&mut asked);
        assert!(is_plain(&asked) && asked.len() == 1, "{name}");
    }
}

#[test]
fn only_an_answer_with_this_data_is_a_yes() {
    let head = |status: u16, lines: &[(&'static str, &str)]| {
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        *answer.headers_mut() = headers(lines);
        Head::of(&answer, &wanted(100, ""))
            .map(|it| (it.range, it.headers["content-length"].to_str().unwrap().to_owned()))
    };
    assert_eq!(head(200, &[("content-length", "100"), ("content-md5", "00FF")]), Some((0..100, "100".to_owned())));
    assert_eq!(head(200, &[]), Some((0..100, "100".to_owned())));
    assert_eq!(head(206, &[("content-range", "bytes 5-9/100")]), Some((5..10, "5".to_owned())));
    for (status, lines) in [
        (200, [("content-length", "99")]),
        (200, [("content-length", "101")]),
        (200, [("content-md5", "00fe")]),
        (204, [("content-length", "0")]),
        (206, [("content-range", "bytes 5-9/200")]),
        (206, [("content-range", "bytes 5-100/100")]),
        (206, [("content-range", "bytes 9-5/100")]),
        (206, [("content-range", "bytes 5-9/*")]),
        (206, [("content-length", "100")]),
        (304, [("content-length", "100")]),
        (403, [("content-length", "100")]),
    ] {
        assert_eq!(head(status, &lines), None, "{status} {lines:?}");
    }
}

fn rules(limit: u64) -> Rules {
    Rules { limit, min_free: 0, until_free: 0, max_age: None }
}

fn shelf(folder: &Path, limit: u64) -> Arc<Shelf> {
    Arc::new(Shelf::open(folder.to_owned(), rules(limit), Ledger::default()).unwrap())
}

/// Keeps so many bytes under the id.
fn keep(shelf: &Arc<Shelf>, id: &ImageId, size: u64) -> Result<(), NoPlace> {
    let draft = shelf.begin(id, size)?;
    let data = vec![7; usize::try_from(size).unwrap()];
    draft.file().write_all_at(&data, 0).unwrap();
    let mut pieces = PieceHasher::default();
    pieces.update(&data);
    draft.keep(pieces.finish(), &(Algorithm::Md5, "h".to_owned())).unwrap();
    Ok(())
}

#[test]
fn the_shelf_is_bounded_and_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("originals");
    let [a, b, c] = [1, 2, 3].map(ImageId::from_random);
    let on = shelf(&folder, 1000);
    keep(&on, &a, 400).unwrap();
    keep(&on, &b, 500).unwrap();
    assert!(on.take(&a, &wanted(400, "h")).is_some());
    assert!(matches!(on.begin(&c, 1001), Err(NoPlace::Limit { need: 1001, limit: 1000 })));
    assert_eq!(on.contents(), (2, 900), "nothing goes for what does not fit even so");
    let draft = on.begin(&c, 300).unwrap();
    assert_eq!(on.contents(), (1, 400), "the least recently used has gone");
    assert!(matches!(on.begin(&b, 701), Err(NoPlace::Limit { need: 1001, .. })));
    assert!(on.begin(&b, 700).is_ok());
    assert_eq!(on.contents(), (0, 0));
    drop(draft);
    keep(&on, &a, 400).unwrap();
    assert!(on.take(&a, &wanted(400, "other")).is_none(), "another image's");
    assert!(on.take(&a, &wanted(400, "h")).is_none(), "and gone with that");
    keep(&on, &a, 400).unwrap();
    keep(&on, &b, 500).unwrap();
    drop(on);

    fs::remove_file(folder.join(format!("{b}.pieces"))).unwrap();
    fs::write(folder.join(format!(".{c}.1.part")), "cut").unwrap();
    fs::write(folder.join(format!("{c}.pieces")), "?").unwrap();
    fs::write(folder.join("notes.txt"), "an operator's").unwrap();
    let on = shelf(&folder, 1000);
    assert_eq!(on.contents(), (1, 400));
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [format!("{a}.original"), format!("{a}.pieces"), "notes.txt".to_owned()]);
    assert_eq!(on.give(1), 400);
    assert_eq!(on.give(1), 0);
    keep(&on, &a, 400).unwrap();
    drop(on);
    clear(&folder);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn what_nobody_uses_goes() {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules { max_age: Some(Duration::from_secs(3600)), ..rules(1000) };
    let on = Arc::new(Shelf::open(dir.path().to_owned(), rules, Ledger::default()).unwrap());
    keep(&on, &ImageId::from_random(1), 400).unwrap();
    on.tidy(SystemTime::now() + Duration::from_secs(3500));
    assert_eq!(on.contents(), (1, 400));
    on.tidy(SystemTime::now() + Duration::from_secs(3700));
    assert_eq!(on.contents(), (0, 0));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_disk_without_room_takes_no_download() {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules { min_free: u64::MAX / 2, ..rules(1000) };
    let on = Arc::new(Shelf::open(dir.path().to_owned(), rules, Ledger::default()).unwrap());
    assert!(matches!(on.begin(&ImageId::from_random(1), 400), Err(NoPlace::Room(_))));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn one_leads_and_the_others_hear_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let on = shelf(dir.path(), 1000);
    let (flights, id) = (Flights::default(), ImageId::from_random(1));
    let it = wanted(400, "h");
    let Turn::Lead(seat) = flights.turn(&id, &it) else { panic!("nobody leads") };
    let Turn::Follow(first) = flights.turn(&id, &it) else { panic!("two lead") };
    assert!(matches!(flights.turn(&id, &wanted(400, "other")), Turn::Other));
    assert!(flights.flying().is_empty());
    // The first one was refused: the next one leads.
    drop(seat);
    assert!(matches!(settled(first).await, Stage::Over));
    let Turn::Lead(seat) = flights.turn(&id, &it) else { panic!("nobody leads") };
    let Turn::Follow(second) = flights.turn(&id, &it) else { panic!("two lead") };
    let flight = Arc::new(Flight::new(&on.begin(&id, 400).unwrap(), 400));
    seat.fly(flight);
    assert!(matches!(settled(second).await, Stage::Flying(_)));
    assert_eq!(flights.flying().len(), 1);
    drop(seat);
    assert!(flights.flying().is_empty());
    let Turn::Lead(seat) = flights.turn(&id, &it) else { panic!("nobody leads") };
    let Turn::Follow(third) = flights.turn(&id, &it) else { panic!("two lead") };
    seat.leave_alone();
    assert!(matches!(settled(third).await, Stage::Alone));
    assert!(matches!(flights.turn(&id, &it), Turn::Lead(_)));
}
