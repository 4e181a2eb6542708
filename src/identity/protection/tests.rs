use super::*;
use crate::identity::{
    Caller, ServiceCaller,
    policy::{self, Enforcer},
};
use proptest::prelude::*;

const FILE: &str = r"
# comment
[^x_owner_.*]
create = admin,member
read = Admin, Member
update = admin,member
delete: admin

[spl_creator]
create = spl_role
read = spl_role
update =
delete = !

[x_all_permitted_[a-z]+]
create = @
read = @
update = @
delete = @

[^(?!closed_).*free]
create = @
read = @
update = !
delete = !
";

fn enforcer(rules: &str) -> (tempfile::TempDir, Enforcer) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), rules).unwrap();
    let settings = policy::Settings { directories: vec![folder.path().to_owned()], ..policy::Settings::default() };
    let enforcer = Enforcer::open(settings).unwrap();
    (folder, enforcer)
}

fn with(roles: &[&str]) -> Caller {
    Caller { roles: roles.iter().map(|it| (*it).to_owned()).collect(), ..Caller::default() }
}

#[test]
fn the_first_section_that_matches_counts() {
    let (_folder, enforcer) = enforcer("");
    let it = Protections::parse(FILE, Format::Roles).unwrap();
    let may = |property: &str, action, roles: &[&str]| it.allow(property, action, &with(roles), &enforcer);
    assert!(may("x_owner_a", Action::Create, &["member"]) && may("x_owner_a", Action::Read, &["member"]));
    assert!(!may("x_owner_a", Action::Delete, &["member"]) && may("x_owner_a", Action::Delete, &["admin"]));
    assert!(!may("my_x_owner_a", Action::Read, &["admin"]), "the pattern is anchored");
    // re.search: anywhere in the name.
    assert!(may("my_spl_creator_too", Action::Read, &["spl_role"]));
    assert!(!may("spl_creator", Action::Update, &["spl_role", "admin"]), "empty is nobody");
    assert!(!may("spl_creator", Action::Delete, &["spl_role", "admin"]));
    assert!(may("x_all_permitted_z", Action::Delete, &[]));
    assert!(may("is_free", Action::Read, &[]) && !may("closed_free", Action::Read, &["admin"]));
    assert!(!may("unknown", Action::Read, &["admin"]), "what nobody names is protected");
    assert!(may("os_glance_import_task", Action::Update, &[]));
    let service = ServiceCaller { roles: vec!["spl_role".to_owned()], ..ServiceCaller::default() };
    let caller = Caller { service: Some(Box::new(service)), ..with(&["member"]) };
    assert!(it.allow("spl_creator", Action::Read, &caller, &enforcer));
    assert!(Protections::default().allow("x", Action::Delete, &with(&[]), &enforcer));
    assert!(Protections::default().is_empty() && !it.is_empty());
}

#[test]
fn values_can_be_policy_rules() {
    let (_folder, enforcer) = enforcer("glance_creator: role:admin or role:spl_role\n");
    let file = "[x]\ncreate = glance_creator\nread = @\nupdate = !\ndelete = context_is_admin\n";
    let it = Protections::parse(file, Format::Policies).unwrap();
    let may = |action, roles: &[&str]| it.allow("x", action, &with(roles), &enforcer);
    assert!(may(Action::Create, &["spl_role"]) && !may(Action::Create, &["member"]));
    assert!(may(Action::Read, &[]) && !may(Action::Update, &["admin"]));
    assert!(may(Action::Delete, &["admin"]) && !may(Action::Delete, &["spl_role"]));
    assert!(it.unknown_rules(&enforcer).is_empty());
    let slip = Protections::parse(&file.replace("glance_creator", "glance_creater"), Format::Policies).unwrap();
    assert_eq!(slip.unknown_rules(&enforcer), ["glance_creater"]);
    let error = Protections::parse(&file.replace("= @", "= a, b"), Format::Policies).unwrap_err().to_string();
    assert!(error.contains("[x] read = a, b: it takes one policy rule"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let whole = "create = a\nread = a\nupdate = a\ndelete = a\n";
    let cases = [
        ("[x]\ncreate = a\n".to_owned(), "section [x] lacks 'read ='"),
        (format!("[x(]\n{whole}"), "section [x(] is not a regular expression"),
        (format!("[x]\n{}", whole.replace("read = a", "read = @,!")), "[x] read = @,!: @ (everybody)"),
        (format!("[x]\n{whole}[x]\n{whole}"), "line 6: section [x] is there twice"),
        (format!("[x]\n{whole}read = b\n"), "line 6: 'read' is there twice"),
        ("read = a\n".to_owned(), "line 1: there is no section before it"),
        ("[x]\nwhat\n".to_owned(), "line 2: it is neither"),
    ];
    for (text, message) in cases {
        let error = Protections::parse(&text, Format::Roles).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let settings = Settings { property_protection_file: Some("/nowhere".into()), ..Settings::default() };
    assert!(matches!(Protections::open(&settings), Err(ProtectionError::Read { .. })));
}

proptest! {
    #[test]
    fn never_panics(text in "(\\[[a-z\\[\\]()*.]{0,6}\\]|[a-z]{0,6} ?[=:]? ?[@!,a-z%]{0,4}| x|#|\\n){0,30}", property in ".{0,40}") {
        let (_folder, enforcer) = enforcer("");
        for format in [Format::Roles, Format::Policies] {
            if let Ok(it) = Protections::parse(&text, format) {
                it.allow(&property, Action::Read, &with(&["a"]), &enforcer);
            }
        }
    }
}
