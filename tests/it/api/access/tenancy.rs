//! No project sees or touches another's images, whatever it tries.

use super::{As, trusting};
use crate::api::{Server, is_on_engine};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

/// Images are those of `owner`, and shared, if at all, with `friend`.
const PROJECTS: [&str; 3] = ["owner", "friend", "stranger"];
const ROLES: [&str; 4] = ["", "reader", "member,reader", "admin,member,reader"];
const VISIBILITIES: [&str; 4] = ["private", "shared", "community", "public"];
const ACTIONS: [&str; 16] = [
    "show",
    "download",
    "rename",
    "tag",
    "delete",
    "deactivate",
    "upload",
    "publish",
    "open",
    "give away",
    "members",
    "share",
    "accept",
    "accept for friend",
    "unshare",
    "own locations",
];

#[derive(Clone, Copy, Debug)]
struct Case {
    visibility: &'static str,
    /// What `friend` has answered, when the image was shared with it once.
    friend: Option<&'static str>,
    project: &'static str,
    role: &'static str,
    action: &'static str,
}

impl Case {
    fn is_admin(self) -> bool {
        self.role.starts_with("admin")
    }

    fn reads(self) -> bool {
        self.role.contains("reader")
    }

    fn writes(self) -> bool {
        self.role.contains("member")
    }

    fn owns(self) -> bool {
        self.is_admin() || self.project == "owner"
    }

    fn is_friend(self) -> bool {
        self.project == "friend" && self.friend.is_some() && self.visibility == "shared"
    }

    /// The database finds it for this project.
    fn finds(self) -> bool {
        self.owns() || self.is_friend() || matches!(self.visibility, "community" | "public")
    }

    fn sees(self) -> bool {
        self.is_admin() || (self.finds() && self.reads())
    }

    /// The status, by Glance's rules.
    fn expected(self) -> u16 {
        let shared = self.visibility == "shared";
        let has_friend = self.friend.is_some();
        match self.action {
            _ if !self.sees() => 404,
            "show" => 200,
            "download" => {
                if self.writes() {
                    200
                } else {
                    403
                }
            }
            "own locations" | "publish" | "give away" if !self.is_admin() => 403,
            "members" if shared => 200,
            "share" if shared && self.owns() && self.writes() => 200,
            "members" | "share" => 403,
            "accept" | "accept for friend" | "unshare" if !shared => 403,
            "accept" if self.project != "friend" || !has_friend => 404,
            "accept" => {
                if self.writes() {
                    200
                } else {
                    403
                }
            }
            "accept for friend" | "unshare" if !has_friend => 404,
            "accept for friend" => {
                let own = self.project == "friend" && self.writes();
                if own || self.is_admin() { 200 } else { 403 }
            }
            "unshare" => {
                if self.owns() && self.writes() {
                    204
                } else {
                    403
                }
            }
            _ if !(self.owns() && self.writes()) => 403,
            "tag" | "delete" | "deactivate" => 204,
            "upload" => 409,
            _ => 200,
        }
    }

    /// Makes the image.
    fn set_up(self, server: &Server) -> String {
        let (admin, owner, friend) = (As::admin(), As::member("owner"), As::member("friend"));
        let id = owner.create(server, json!({"name": "theirs", "disk_format": "raw", "container_format": "bare"}));
        assert_eq!(owner.upload(server, &id, b"data of theirs").status, 204);
        if let Some(answer) = self.friend {
            let made = owner.send(server, "POST", &format!("/v2/images/{id}/members"), &json!({"member": "friend"}));
            assert_eq!(made.status, 200, "{made:?}");
            let path = format!("/v2/images/{id}/members/friend");
            assert_eq!(friend.send(server, "PUT", &path, &json!({"status": answer})).status, 200);
        }
        assert_eq!(admin.set(server, &id, "/visibility", &json!(self.visibility)).status, 200);
        id
    }

    fn act(self, server: &Server, id: &str) -> u16 {
        let who = As::new(self.project, self.role);
        let image = format!("/v2/images/{id}");
        let accepted = json!({"status": "accepted"});
        let answer = match self.action {
            "show" => who.get(server, &image),
            "download" => who.get(server, &format!("{image}/file")),
            "rename" => who.set(server, id, "/name", &json!("mine")),
            "tag" => who.ask(server, ("PUT", &format!("{image}/tags/mine")), "", b""),
            "delete" => who.delete(server, &image),
            "deactivate" => who.ask(server, ("POST", &format!("{image}/actions/deactivate")), "", b""),
            "upload" => who.upload(server, id, b"mine"),
            "publish" => who.set(server, id, "/visibility", &json!("public")),
            "open" => who.set(server, id, "/visibility", &json!("community")),
            "give away" => who.set(server, id, "/owner", &json!("elsewhere")),
            "members" => who.get(server, &format!("{image}/members")),
            "share" => who.send(server, "POST", &format!("{image}/members"), &json!({"member": "another"})),
            "accept" => who.send(server, "PUT", &format!("{image}/members/{}", self.project), &accepted),
            "accept for friend" => who.send(server, "PUT", &format!("{image}/members/friend"), &accepted),
            "unshare" => who.delete(server, &format!("{image}/members/friend")),
            "own locations" => who.get(server, &format!("{image}/locations")),
            other => panic!("{other}"),
        };
        answer.status
    }
}

/// All that can be known of it.
fn state(server: &Server, id: &str) -> (String, String, String) {
    let admin = As::admin();
    let of = |path: String| admin.get(server, &path).text();
    (of(format!("/v2/images/{id}")), of(format!("/v2/images/{id}/members")), of(format!("/v2/images/{id}/file")))
}

fn is_listed(server: &Server, case: Case, id: &str, query: &str) -> bool {
    let answer = As::new(case.project, case.role).get(server, &format!("/v2/images?limit=1000&{query}"));
    if !case.reads() {
        assert_eq!(answer.status, 403, "{case:?}");
        return false;
    }
    assert_eq!(answer.status, 200, "{case:?}");
    answer.text().contains(id)
}

#[test]
pub(crate) fn projects_keep_what_is_theirs() {
    let server = trusting("");
    let friend = prop_oneof![Just(None), select(&["pending", "accepted", "rejected"][..]).prop_map(Some)];
    let cases = (select(&VISIBILITIES[..]), friend, select(&PROJECTS[..]), select(&ROLES[..]), select(&ACTIONS[..]))
        .prop_map(|(visibility, friend, project, role, action)| Case { visibility, friend, project, role, action });
    // Which database it is makes little difference to who may do what.
    let count = if is_on_engine() { 60 } else { 400 };
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&cases, |case| {
        let id = case.set_up(&server);
        let listed = match case.visibility {
            _ if case.is_admin() && case.visibility != "community" => true,
            "shared" if case.is_friend() => case.friend == Some("accepted"),
            "public" => true,
            _ => case.project == "owner",
        };
        prop_assert_eq!(is_listed(&server, case, &id, ""), listed && case.reads(), "listed: {:?}", case);
        let all = case.finds() && (!case.is_friend() || case.friend == Some("accepted") || case.is_admin());
        prop_assert_eq!(is_listed(&server, case, &id, "visibility=all"), all && case.reads(), "all: {:?}", case);
        let before = state(&server, &id);
        let status = case.act(&server, &id);
        prop_assert_eq!(status, case.expected(), "{:?}", case);
        if status >= 400 {
            prop_assert_eq!(state(&server, &id), before, "{:?}", case);
        }
        As::admin().delete(&server, &format!("/v2/images/{id}"));
        Ok(())
    });
    outcome.unwrap();
}
