use super::*;
use crate::base::chain;
use crate::identity::Caller;
use crate::image::{Image, ImageId, Status, Visibility};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::{fs, path::Path};

fn caller(project: &str, roles: &[&str]) -> Caller {
    Caller {
        project: Some(project.to_owned()),
        user: Some("u1".to_owned()),
        roles: roles.iter().map(|it| (*it).to_owned()).collect(),
        ..Caller::default()
    }
}

fn image(owner: &str, visibility: Visibility) -> Image {
    let now = chrono::DateTime::UNIX_EPOCH;
    Image {
        id: "6b5e5b0c-8f0b-4a5e-9a43-9d2a6c1f0e11".parse::<ImageId>().unwrap(),
        name: Some("cirros".to_owned()),
        status: Status::Active,
        visibility,
        owner: Some(owner.to_owned()),
        protected: false,
        hidden: false,
        min_disk: 1,
        min_ram: 0,
        disk_format: None,
        container_format: None,
        size: None,
        virtual_size: None,
        checksum: None,
        os_hash_algo: None,
        os_hash_value: None,
        created_at: now,
        updated_at: now,
        tags: Default::default(),
        properties: [("colour".to_owned(), Some("red".to_owned()))].into(),
        locations: Vec::new(),
    }
}

fn in_folder(folder: &Path) -> Settings {
    Settings { directories: vec![folder.to_owned()], ..Settings::default() }
}

fn holds(rule: &str, target: Json, caller: &Caller) -> bool {
    let parsed = parse(rule);
    assert_eq!(parsed.problem, None, "{rule}");
    let (rules, refused) = Rules::new([("it".to_owned(), parsed.check)], "");
    assert!(refused.is_empty());
    rules.allow("it", target.as_object().unwrap(), caller)
}

#[test]
fn the_language_means_what_oslo_policy_means() {
    let who = caller("p1", &["member", "reader"]);
    let yes = [
        "",
        "@",
        "not !",
        "role:member",
        "role:MEMBER",
        "role:%(role)s",
        "project_id:p1",
        "project_id:%(owner)s",
        "project_id:%%(owner)s or role:reader",
        "'public':%(visibility)s",
        "None:%(nothing)s",
        "True:%(flag)s",
        "7:%(count)s",
        "roles:reader",
        "is_admin:False",
        "(role:member and (project_id:p2 or project_id:p1))",
        "role:nobody or role:member and role:reader",
        "not role:nobody and role:member",
        "NOT role:nobody AND role:member",
        "rule:it2 or @",
        "user_id:u%(count)s or not @ or user_id:u1",
    ];
    let no = [
        "!",
        "not @",
        "role:mem",
        "role:%(missing)s",
        "project_id:%(missing)s",
        "owner:%(owner)s",
        "roles.x:reader",
        "project_id.x:p1",
        "'private':%(visibility)s",
        "rule:it2",
        "role:member and role:nobody or role:nobody",
    ];
    let target =
        json!({"owner": "p1", "visibility": "public", "nothing": null, "flag": true, "count": 7, "role": "Reader"});
    for rule in yes {
        assert!(holds(rule, target.clone(), &who), "{rule}");
    }
    for rule in no {
        assert!(!holds(rule, target.clone(), &who), "{rule}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases = [
        ("role:a and", "at character 11: a check is missing at the end"),
        ("(role:a", "at character 1: '(' without ')'"),
        ("role:a)", "at character 7: ')' without '('"),
        ("role:a role:b", "at character 8: 'and' or 'or' is missing before this"),
        ("and role:a", "at character 1: 'and' without a check before it"),
        ("role:a or ()", "at character 12: ')' without a check before it"),
        ("role:a or admin", "at character 11: 'admin' is no check: it has no ':'"),
        ("'text'", "at character 1: a quoted text alone is no check; it takes 'text':%(attribute)s"),
        ("role:ä or x:%(a", "at character 13: '%' is not followed by '(attribute)s'"),
        ("a..b:c", "at character 1: 'a..b' is neither the name of an attribute nor a literal"),
        ("http://h/%x", "at character 10: '%' is not followed by '(attribute)s'"),
    ];
    for (rule, message) in cases {
        assert_eq!(parse(rule).problem.unwrap().to_string(), message, "{rule}");
    }
    assert!(parse(&"(".repeat(60_000)).problem.is_some());
    assert!(parse(&"not ".repeat(10_000)).problem.is_some());
    assert!(parse(&"x".repeat(100_000)).problem.unwrap().what.contains("longer"));
    // The rest of such a rule counts.
    assert_eq!(parse("role:a or admin").check.to_string(), "(role:a or !)");
}

#[test]
fn lists_of_lists_are_ors_of_ands() {
    let cases = [
        (json!([]), "@"),
        (json!(null), "@"),
        (json!([[]]), "!"),
        (json!(["role:a"]), "role:a"),
        (json!([["role:a", "role:b"], "rule:c"]), "((role:a and role:b) or rule:c)"),
    ];
    for (value, text) in cases {
        let parsed = parse_value(&value);
        assert_eq!((parsed.check.to_string().as_str(), parsed.problem), (text, None), "{value}");
    }
    for value in [json!(1), json!({"a": "b"}), json!([1]), json!([[["role:a"]]])] {
        assert_eq!(parse_value(&value).check, Check::Refused, "{value}");
    }
}

#[test]
fn nested_credentials_and_lists_are_searched() {
    let who = json!({"roles": ["A"], "token": {"project": {"id": "p"}, "groups": [{"id": 1}, {"id": 2}]}});
    let who = who.as_object().unwrap();
    let ask = |rule: &str| {
        let (rules, _) = Rules::new([("it".to_owned(), parse(rule).check)], "");
        rules.allow("it", &NoTarget, who)
    };
    assert!(ask("token.project.id:p") && ask("token.groups.id:2") && ask("role:a") && ask("roles:A"));
    assert!(!ask("token.project:p") && !ask("token.groups.id:3") && !ask("token.groups:1") && !ask("nobody.id:p"));
}

#[test]
fn circles_deny_with_all_that_need_them() {
    let rule = |name: &str, text: &str| (name.to_owned(), parse(text).check);
    let rules = [
        rule("a", "rule:b"),
        rule("b", "not rule:a"),
        rule("c", "not rule:a or @"),
        rule("d", "@"),
        rule("e", "not rule:f"),
        rule("f", "http://h/%"),
    ];
    let (rules, mut refused) = Rules::new(rules, "default");
    refused.sort();
    assert_eq!(refused, ["a", "b", "c", "e", "f"]);
    let allowed: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"]
        .into_iter()
        .filter(|it| rules.allow(it, &NoTarget, &Caller::admin()))
        .collect();
    assert_eq!(allowed, ["d"]);
}

#[test]
fn a_missing_rule_is_the_default_one() {
    let rules = |default: &str| Rules::new([("default".to_owned(), parse("role:admin").check)], default).0;
    assert!(rules("default").allow("missing", &NoTarget, &Caller::admin()));
    assert!(!rules("default").allow("missing", &NoTarget, &caller("p", &["member"])));
    assert!(!rules("other").allow("missing", &NoTarget, &Caller::admin()));
}

#[test]
fn glances_defaults_hold() {
    let folder = tempfile::tempdir().unwrap();
    let enforcer = Enforcer::open(in_folder(folder.path())).unwrap();
    for it in DEFAULTS {
        let problem = parse(it.rule).problem.or(it.old.and_then(|it| parse(it).problem));
        assert_eq!(problem, None, "{}", it.name);
    }
    let (owner, other, reader) =
        (caller("p1", &["member", "reader"]), caller("p2", &["member", "reader"]), caller("p1", &["reader"]));
    let (private, public) = (image("p1", Visibility::Private), image("p1", Visibility::Public));
    let verdict = |rule: &str, image: &Image, who: &Caller| {
        enforcer.decide(rule, "get_image", &ImageTarget::new(image, who), who)
    };
    assert_eq!(verdict("modify_image", &private, &owner), Verdict::Allowed);
    assert_eq!(verdict("modify_image", &private, &other), Verdict::Hidden);
    assert_eq!(verdict("modify_image", &public, &other), Verdict::Denied);
    assert_eq!(verdict("modify_image", &private, &reader), Verdict::Denied);
    assert_eq!(verdict("get_image", &private, &other), Verdict::Hidden);
    assert_eq!(verdict("get_image", &public, &other), Verdict::Allowed);
    assert_eq!(verdict("download_image", &public, &reader), Verdict::Denied);
    assert_eq!(verdict("publicize_image", &private, &owner), Verdict::Denied);
    assert_eq!(verdict("publicize_image", &private, &Caller::admin()), Verdict::Allowed);
    let new = NewImageTarget { owner: Some("p2"), visibility: "private" };
    assert!(!enforcer.allows("add_image", &new, &owner) && enforcer.allows("add_image", &new, &other));
    assert!(enforcer.is_admin(&caller("p", &["admin"])) && !enforcer.is_admin(&owner));
    let system = Caller { system: Some("all".to_owned()), project: None, ..caller("", &["admin", "member", "reader"]) };
    assert!(enforcer.is_admin(&system) && verdict("get_image", &public, &system) == Verdict::Hidden);
    assert!(!enforcer.allows("get_images", &NoTarget, &Caller::anonymous()));
}

#[test]
fn old_defaults_count_where_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), "delete_image: '!'\n").unwrap();
    let settings = Settings { enforce_new_defaults: false, ..in_folder(folder.path()) };
    let enforcer = Enforcer::open(settings).unwrap();
    let who = caller("p1", &["_member_"]);
    let it = image("p1", Visibility::Private);
    assert!(enforcer.allows("get_image", &ImageTarget::new(&it, &who), &who));
    assert!(!enforcer.allows("delete_image", &ImageTarget::new(&it, &who), &who));
    assert!(!enforcer.allows("publicize_image", &ImageTarget::new(&it, &who), &who));
}

#[test]
fn files_count_in_their_order_and_changes_are_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("policy.d")).unwrap();
    write(
        "policy.yaml",
        "# our rules\nget_images: role:a\nadd_image: role:a\nadd_image: role:b # twice\nunknown: '!'\n",
    );
    write("policy.d/20.json", r#"{"get_images": "role:c", "copy_image": [["role:a", "role:b"], "role:c"]}"#);
    write("policy.d/10.yaml", "get_images: role:b\n");
    write("policy.d/.hidden", "get_images: ''\n");
    let enforcer = Enforcer::open(in_folder(folder.path())).unwrap();
    let may = |rule: &str, role: &str| enforcer.allows(rule, &NoTarget, &caller("p", &[role]));
    assert!(may("get_images", "c") && !may("get_images", "a") && !may("get_images", "b"));
    assert!(may("add_image", "b") && !may("add_image", "a") && may("copy_image", "c") && !may("copy_image", "a"));
    assert_eq!(enforcer.files().len(), 3);

    fs::remove_file(folder.path().join("policy.d/20.json")).unwrap();
    enforcer.look();
    assert!(may("get_images", "b") && !may("copy_image", "c"));
    for bad in ["get_images: 'role:a and'\n", "get_images: [\n", "- a\n", "a: rule:b\nb: rule:a\n", "get_images: 5\n"] {
        write("policy.d/10.yaml", bad);
        enforcer.look();
        assert!(may("get_images", "b"), "{bad}");
    }
    write("policy.d/10.yaml", "get_images: role:z\n");
    enforcer.look();
    assert!(may("get_images", "z") && !may("get_images", "b"));
    fs::remove_file(folder.path().join("policy.yaml")).unwrap();
    fs::remove_dir_all(folder.path().join("policy.d")).unwrap();
    enforcer.look();
    assert!(!may("add_image", "b"));
}

#[test]
fn files_that_stand_there_for_nothing_are_remarked() {
    let folder = tempfile::tempdir().unwrap();
    let remark = |policy_file: &Path| {
        let settings = Settings { policy_file: policy_file.to_owned(), ..in_folder(folder.path()) };
        files::Snapshot::take(&settings).unwrap().remark(&settings).unwrap_or_default()
    };
    let (usual, other) = (Path::new("policy.yaml"), folder.path().join("other.yaml"));
    assert_eq!(remark(usual), "");
    assert_eq!(remark(&other), format!("there is no policy file {}: the shipped rules hold", other.display()));
    fs::write(folder.path().join("policy.json"), "{}").unwrap();
    for path in [usual, &other] {
        assert!(remark(path).contains("policy.json is not read: name it in [oslo_policy] policy_file"), "{path:?}");
    }
    assert_eq!(remark(Path::new("policy.json")), "");
    fs::write(folder.path().join("policy.yaml"), "").unwrap();
    assert_eq!(remark(usual), "");
}

#[test]
fn errors_name_file_rule_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(folder.path().join("policy.yaml"), text).unwrap();
    let path = folder.path().join("policy.yaml").display().to_string();
    write("\nget_images: \"role:a and\"\n");
    // At the start a rule without sense denies, as it does in Glance.
    let enforcer = Enforcer::open(in_folder(folder.path())).unwrap();
    assert!(!enforcer.allows("get_images", &NoTarget, &Caller::admin()));
    let problem = files::Snapshot::take(&in_folder(folder.path())).unwrap().read().unwrap().problems.remove(0);
    let message = chain(&problem).to_string();
    assert_eq!(message, format!("{path}:2: rule 'get_images': at character 11: a check is missing at the end"));
    write("a: [\n");
    let message = chain(&Enforcer::open(in_folder(folder.path())).err().unwrap()).to_string();
    assert!(
        message.starts_with(&format!("the policy file {path} is not a mapping of rule names to rules: ")),
        "{message}"
    );
    write("");
    assert!(Enforcer::open(in_folder(folder.path())).is_ok());
}

#[tokio::test]
async fn files_are_looked_at_once_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let opened = std::time::Instant::now();
    let enforcer = Enforcer::open(in_folder(folder.path())).unwrap();
    fs::write(folder.path().join("policy.yaml"), "get_images: '@'\n").unwrap();
    enforcer.refresh().await;
    let early = enforcer.allows("get_images", &NoTarget, &caller("p", &[]));
    assert!(!early || opened.elapsed() >= std::time::Duration::from_secs(1));
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    enforcer.refresh().await;
    assert!(enforcer.allows("get_images", &NoTarget, &caller("p", &[])));
}

/// Checks as people and machines write them.
fn checks() -> impl Strategy<Value = Check> {
    let leaf = prop_oneof![
        "(role|rule|project_id|a\\.b_c|'text'|None|-?[1-9][0-9]{0,3}):[a-z]{0,3}(%\\([a-z]{1,3}\\)s)?(%%[a-z])?",
        Just("@".to_owned()),
        Just("!".to_owned()),
    ];
    leaf.prop_map(|it| parse(&it).check).prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|it| Check::Not(Box::new(it))),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Check::And),
            proptest::collection::vec(inner, 2..4).prop_map(Check::Or),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(check in checks()) {
        let text = check.to_string();
        let parsed = parse(&text);
        prop_assert_eq!(&parsed.problem, &None, "{}", text);
        prop_assert_eq!(parsed.check, check);
    }

    #[test]
    fn the_parser_never_panics(text in "[ -~\\t]{0,60}", any in ".{0,60}", words in "([()]{0,2}(not|and|or|role:x|'a':%\\(b\\)s|%|é:)[()]{0,2} ?){0,12}") {
        for text in [text, any, words] {
            let parsed = parse(&text);
            let again = parse(&parsed.check.to_string());
            if parsed.problem.is_none() {
                prop_assert_eq!(again, parsed);
            }
        }
    }
}
