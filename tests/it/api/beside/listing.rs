//! `GET /v2/images`: filters, operators, order, pages and links, on the same images.

use super::{JSON, Pair, SHOWING, TRUSTING, address};
use crate::{
    api::{Answer, Server, access::As},
    support::rig,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What images there are: owner, day of making, bytes (none while queued), fields.
fn images() -> Vec<(&'static str, u32, Option<usize>, Value)> {
    let (bare, ovf) = ("bare", "ovf");
    vec![
        (
            "p",
            1,
            Some(100),
            json!({"name": "a", "visibility": "public", "disk_format": "raw", "container_format": bare}),
        ),
        (
            "p",
            2,
            Some(300),
            json!({"name": "B", "visibility": "private", "disk_format": "raw", "container_format": bare}),
        ),
        (
            "p",
            2,
            Some(200),
            json!({"name": "b", "visibility": "shared", "disk_format": "ami", "container_format": "ami"}),
        ),
        ("p", 3, None, json!({"name": "c", "visibility": "shared", "tags": ["x", "y"], "min_disk": 5, "min_ram": 512})),
        ("p", 4, None, json!({"name": "c", "visibility": "shared", "tags": ["x"], "disk_format": "iso"})),
        (
            "p",
            5,
            Some(100),
            json!({"name": "one, two", "visibility": "community", "disk_format": "raw", "container_format": bare}),
        ),
        ("p", 6, None, json!({"name": "hidden", "visibility": "public", "os_hidden": true})),
        ("p", 7, None, json!({"name": "held", "visibility": "private", "protected": true, "os_distro": "debian"})),
        ("q", 8, None, json!({"name": "of q", "visibility": "private", "os_distro": "debian", "os_version": "12"})),
        (
            "q",
            9,
            Some(400),
            json!({"name": "é &+%=?", "visibility": "shared", "disk_format": "raw", "container_format": ovf}),
        ),
        ("q", 10, None, json!({"name": "with \"quotes\"", "visibility": "community", "tags": ["X", "a b"]})),
        ("q", 11, None, json!({"visibility": "public", "os_distro": "Debian", "is_public": "True", "empty": ""})),
        ("r", 12, None, json!({"name": "z", "visibility": "shared", "container_format": "docker", "min_disk": 5})),
        (
            "r",
            12,
            None,
            json!({"name": "in:a", "visibility": "public", "container_format": "bare", "sort": "x", "size_class": "9"}),
        ),
        ("r", 13, Some(0), json!({"name": "", "visibility": "public", "disk_format": "raw", "container_format": bare})),
        ("admins", 14, None, json!({"name": "mine", "visibility": "private", "tags": ["x", "y", "z"]})),
    ]
}

fn id(index: usize) -> String {
    // Not in the order of the times.
    format!("{:08x}-0000-4000-8000-{index:012x}", (index * 7 + 3) % 16)
}

/// Both servers (none when Glance has failed) with the images and members; their times are set, so that no clock decides.
fn site() -> Option<Pair> {
    // In files, which this test can set the times in; one request at a time is no trouble for Glance's SQLite.
    let glance = rig::trusting_glance_on_sqlite("listing")?;
    let pair = Pair::of(Server::with(&format!("{SHOWING}{TRUSTING}")), address(&glance));
    let admin = As::admin();
    for (index, (owner, _, size, mut fields)) in images().into_iter().enumerate() {
        fields["id"] = id(index).into();
        fields["owner"] = owner.into();
        // Freely: Glance gives tags in any order.
        let made = pair.ask_freely(&admin, ("POST", "/v2/images"), JSON, fields.to_string().as_bytes());
        if made.glance.status != 201 {
            pair.lose(&format!("says {} to a new image", made.glance.status));
            return None;
        }
        assert_eq!((made.glance.status, made.larder.status), (201, 201), "{}", made.print());
        if let Some(size) = size {
            let data = vec![index as u8; size];
            let path = format!("/v2/images/{}/file", id(index));
            pair.ask(&admin, ("PUT", &path), "application/octet-stream", &data);
        }
    }
    for (index, member, status) in
        [(2, "q", "accepted"), (3, "q", "pending"), (4, "q", "rejected"), (9, "p", "accepted"), (12, "p", "pending")]
    {
        let path = format!("/v2/images/{}/members", id(index));
        pair.send(&admin, "POST", &path, &json!({"member": member}));
        pair.send(&admin, "PUT", &format!("{path}/{member}"), &json!({"status": status}));
    }
    if pair.lost.get() {
        return None;
    }
    for database in [glance.images.with_file_name("glance.db"), pair.larder.dir.path().join("catalogue.sqlite")] {
        let raw = rusqlite::Connection::open(database).unwrap();
        raw.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        for (index, (_, day, ..)) in images().into_iter().enumerate() {
            let set = "UPDATE images SET created_at = ?1, updated_at = ?2 WHERE id = ?3";
            let time = |month: u32| format!("2026-{month:02}-{day:02} 10:00:00.000000");
            assert_eq!(raw.execute(set, [time(1), time(15 % (day % 12 + 1) + 1), id(index)]).unwrap(), 1);
        }
    }
    Some(pair)
}

/// Which images, in their order, and the links.
fn page(answer: &Answer) -> Value {
    let page = answer.json();
    let names: Vec<usize> = page["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| usize::from_str_radix(&it["id"].as_str().unwrap()[24..], 16).unwrap())
        .collect();
    json!({"images": names, "first": page["first"], "next": page["next"], "schema": page["schema"]})
}

/// A link without the order of its parameters.
fn link(link: &Value) -> BTreeMap<String, String> {
    let (path, query) =
        link.as_str().unwrap_or_default().split_once('?').unwrap_or((link.as_str().unwrap_or_default(), ""));
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    query.chain([(String::new(), path.to_owned())]).collect()
}

/// Asks both for one page; the paths of the next ones.
fn compare(pair: &Pair, who: &As, paths: (&str, &str)) -> Option<(String, String)> {
    let both = pair.ask_each(who, paths);
    let said = |what: &str| pair.note(format!("{who:?} {paths:?}: {what}\n{}", both.print()));
    if both.glance.status >= 500 {
        // A query that Glance fails at; so long as Larder does not.
        if both.larder.status >= 500 {
            said("failure");
        }
        return None;
    }
    if both.glance.status == 403 && both.larder.status == 400 && paths.1.contains("marker=") {
        // Glance tells everybody that there is such an image.
        return None;
    }
    if both.glance.status != both.larder.status {
        said("status");
        return None;
    }
    if both.glance.status != 200 {
        return None;
    }
    let (glance, larder) = (page(&both.glance), page(&both.larder));
    if glance["images"] != larder["images"] || glance["schema"] != larder["schema"] {
        pair.note(format!("{who:?} {paths:?}\n  Glance {glance}\n  Larder {larder}"));
        return None;
    }
    let names: Vec<&str> = paths.1.split(['?', '&']).filter_map(|it| Some(it.split_once('=')?.0)).collect();
    let repeats = names.iter().enumerate().any(|(index, it)| names[..index].contains(it));
    for name in ["first", "next"] {
        // Glance forgets what is repeated, and the next page is one of another list.
        if glance[name].is_null() != larder[name].is_null() || !repeats && link(&glance[name]) != link(&larder[name]) {
            pair.note(format!("{who:?} {paths:?} {name}\n  Glance {glance}\n  Larder {larder}"));
        }
    }
    let next = |page: &Value| page["next"].as_str().map(str::to_owned);
    next(&glance).zip(next(&larder))
}

fn callers() -> Vec<As> {
    vec![As::admin(), As::member("p"), As::reader("q"), As::member("nobody"), As::new("p", ""), As::new("q", "service")]
}

// Not here, since Glance's ways are no use to anybody: a name in `in:` with an escaped quote (it looks for the backslash,
// too), `tags=xy` (images with the tags x and y), ranges of what has no numbers (`name_min=5`; 500 for what is no column),
// a second `sort` (it becomes a property's filter), `;` for `&`, NUL (PostgreSQL cannot hold it), quotes as they are in a
// URL (they are not allowed there), markers without a value in the sort key (it loses the rest of the list).
const FILTERS: &str = r#"
name=a name=b name=B name=none name= name=eq:a name=in:a name=in:a,c name=in:a, name=in:,a name=in:, name=in:a\%22b name=in:%22%22 name=in:%22a%22, name=in:%22%22,a name=in:a,,c name=in: name=in:%22one,+two%22,a name=in:%22a%22,%22b%22
name=in:%22a name=in:a%22b%22 name=in:%22a%22b name=in:%22with+%22 name=in:%22in:a%22 name=eq:in:a name=gt:a name=neq:a name=x:y name=one,+two
name=%C3%A9+%26%2B%25%3D%3F name=eq: name=:a name=a: name=in:a&name=b name=b&name=in:a,c
status=queued status=active status=in:queued,active status=in:active status=none status=deleted status=killed status=neq:active
container_format=bare container_format=in:bare,ovf container_format=eq:docker container_format=none container_format=
disk_format=raw disk_format=in:raw,iso disk_format=eq:ami disk_format=gt:raw
id={0} id=in:{0},{3} id=eq:{2} id=x id=in:x,{1} id=neq:{0}
created_at=2026-01-02T10:00:00Z created_at=gt:2026-01-02T10:00:00Z created_at=gte:2026-01-02T10:00:00Z
created_at=lt:2026-01-05T10:00:00Z created_at=lte:2026-01-05T10:00:00Z created_at=eq:2026-01-05T10:00:00Z
created_at=neq:2026-01-05T10:00:00Z created_at=gt:2026-01-05T12:00:00%2B02:00 created_at=gt:2026-01-05T12:00:00+02:00
created_at=gt:2026-01-05 created_at=2026-01-05 created_at=lt:20260105T100000Z created_at=gt:2026-01-05T10:00 created_at=gt:2026-01-05+10:00:00
created_at=gt:2026 created_at=gt:2026-01 created_at=gt:10:00 created_at=gt:2026-W02 created_at=gt:2026-01-05T10Z created_at=gt:2026-1-5 created_at=gt:2026-005
created_at=gt:2026-01-05T10:00:00,5Z created_at=gt:2026-01-05T24:00:00Z created_at=gt:2026-01-05T10:00:60Z created_at=gt:2026-01-05T10:00:00.123456789Z
created_at=gt:1767607200 created_at=gt:2026-01-05T10:00:00-0530 created_at=gt:2026-01-05T10:00:00z created_at=gt:2026-01-05t10:00:00Z created_at=gt:0001-01-01T00:00:00%2B01:00
created_at=gt:x created_at= created_at=gt: created_at=in:2026-01-05T10:00:00Z created_at=x:2026-01-05T10:00:00Z created_at=2026-13-45T10:00:00Z
created_at=gt:2026-01-02T10:00:00Z&created_at=lt:2026-01-05T10:00:00Z
updated_at=gt:2026-01-05T10:00:00Z updated_at=lt:2026-02-01T00:00:00Z updated_at=neq:2026-01-05T10:00:00Z updated_at=x updated_at=GT:2026-01-05T10:00:00Z
size=100 size=0 size=x size= size=eq:100 size=+100 size_min=200 size_max=200 size_min=100&size_max=200 size_min=x size_max= size_min=-5 size_min=1.5 size_min=+100
size_min=1_000 size_min=99999999999999999999999
min_ram=512 min_ram_min=1 min_ram_max=0 min_disk=5 min_disk_min=5 min_disk_max=4 min_disk=x virtual_size=100 virtual_size_min=1 virtual_size_max=1000
nothing_min=5 properties= properties=x locations=x members=x metadata=x
visibility=public visibility=private visibility=shared visibility=community visibility=all visibility= visibility=x visibility=Public visibility=in:public,private
visibility=shared&member_status=all visibility=shared&member_status=pending visibility=shared&member_status=rejected
visibility=all&member_status=all member_status=accepted member_status=pending member_status=rejected member_status=all member_status= member_status=x member_status=Pending
protected=true protected=false protected=True protected=1 protected= protected=x
os_hidden=true os_hidden=false os_hidden=True os_hidden=TRUE os_hidden=x os_hidden= os_hidden=1 os_hidden=all os_hidden=true&visibility=all
tag=x tag=y tag=x&tag=y tag=y&tag=x tag=x&tag=none tag=none tag= tag=X tag=+x+ tag=a+b tag=x&tag=x tag=in:x,y
owner=p owner=q owner=none owner= owner=in:p,q owner=p&visibility=all
checksum=6d0bb00954ceb7fbee436bb55a8397a9 checksum=x checksum= os_hash_algo=sha512 os_hash_algo=md5 os_hash_algo= os_hash_value=x os_hash_value=
os_distro=debian os_distro=Debian os_distro=none os_distro= os_distro=in:debian,x os_distro=debian&os_version=12 empty= is_public=True is_public=x is_public=
nothing=x =x x size_class=9 deleted=true deleted=x deleted_at=x deleted_at= changes-since=2026-01-01 changes-since= schema=x self=x file=x
os_glance_importing_to_stores=x limit_=1 Name=a NAME=a %20name=a na%6De=a name=%F0%9F%98%80 name=%FF tag=%F0%9F%98%80
"#;

const ORDERS: &str = "
sort_key=name sort_key=name&sort_dir=asc sort_key=name&sort_dir=desc sort_dir=asc sort_dir=desc sort_key=size&sort_dir=asc sort_key=size
sort_key=status&sort_dir=asc sort_key=container_format sort_key=container_format&sort_dir=asc sort_key=disk_format&sort_dir=asc sort_key=id sort_key=id&sort_dir=asc
sort_key=created_at&sort_dir=asc sort_key=updated_at&sort_dir=asc sort_key=updated_at
sort_key=status&sort_key=name&sort_dir=asc sort_key=status&sort_dir=asc&sort_key=name&sort_dir=desc sort_key=status&sort_key=name&sort_dir=desc&sort_dir=asc
sort_key=size&sort_key=name sort_key=size&sort_dir=asc&sort_dir=desc sort_key=size&sort_key=name&sort_key=id&sort_dir=asc&sort_dir=desc sort_dir=asc&sort_dir=desc
sort_key=name&sort_key=name&sort_dir=asc sort_key=owner sort_key=visibility sort_key=min_ram sort_key= sort_key=x sort_dir=x sort_dir= sort_dir=ASC sort_key=Name sort_key=+name+&sort_dir=+asc+
sort=name sort=name:asc sort=name:desc sort=status:asc,name:desc sort=status,name:asc sort=size:asc,name sort=id sort=id:asc sort=created_at:asc
sort=updated_at,created_at:asc sort=+name+:+asc+ sort=name:asc, sort= sort=, sort=: sort=name: sort=:asc sort=x sort=name:x sort=name:asc:desc sort=name,name:asc
sort=name&sort_key=name sort=name&sort_dir=asc
sort=disk_format:asc,container_format:desc sort=container_format:asc sort=size:asc sort=size:desc
";

const LIMITS: &str = "
limit=0 limit=1 limit=5 limit=100 limit=99999 limit=-1 limit=x limit= limit=1.5 limit=+3 limit=%203%20 limit=0x5 limit=1e1 limit=03 limit=1_0
limit=99999999999999999999999999 limit=-99999999999999999999 limit=-0 limit=%2B3 limit=3&name=c limit=3&visibility=all
marker={0} marker={3} marker={15} marker={8} marker={5} marker={1}&limit=2 marker={1}&sort_key=name marker={1}&sort=size:asc marker={6} marker=x marker=
marker=11111111-2222-3333-4444-555555555555 marker={12}&limit=3&sort=name:asc marker={0}&name=c marker={10} marker={11}&sort=name marker={11}&sort=name:asc
marker={14}&sort=name marker={14}&sort=name:asc marker={0}&limit=0
";

fn queries(text: &str) -> Vec<String> {
    let ids =
        |query: &str| (0..16).fold(query.to_owned(), |text, index| text.replace(&format!("{{{index}}}"), &id(index)));
    text.split_whitespace().map(ids).collect()
}

#[test]
fn filters_orders_and_pages_are_glances() {
    let Some(pair) = site() else { return };
    for who in callers() {
        compare(&pair, &who, ("/v2/images", "/v2/images"));
        for query in [FILTERS, ORDERS, LIMITS].into_iter().flat_map(queries) {
            let path = format!("/v2/images?{query}");
            compare(&pair, &who, (&path, &path));
        }
    }
    for who in callers() {
        for query in [
            "limit=1",
            "limit=3&sort=name:asc",
            "limit=4&visibility=all&sort_key=size&sort_dir=asc&status=active",
            "limit=2&sort=status:asc,created_at:desc",
            "limit=3&visibility=all&name=in:%22one,+two%22,a,b,c,%C3%A9+%26%2B%25%3D%3F",
            "limit=2&tag=x",
            "limit=2&os_distro=debian&sort_dir=asc",
        ] {
            let path = format!("/v2/images?{query}");
            let mut at = (path.clone(), path);
            for _ in 0..20 {
                match compare(&pair, &who, (&at.0, &at.1)) {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
    }
    pair.end();
}
