//! The rule engine beside Python's oslo.policy.

use crate::support::{rig, skip};
use larder::identity::policy::{Rules, parse_value};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

const CASES: usize = 20_000;

const RULES: [&str; 6] = ["default", "admin", "owner", "get_image", "a", "b"];

/// Every kind of check, right and wrong ones.
const CHECKS: [&str; 46] = [
    "@",
    "!",
    "role:admin",
    "role:Member",
    "role:%(role)s",
    "role:%(none)s",
    "role:reader",
    "rule:admin",
    "rule:owner",
    "rule:missing",
    "rule:default",
    "project_id:%(project_id)s",
    "project_id:%(owner)s",
    "project_id:%(member_id)s",
    "'public':%(visibility)s",
    "'shared':%(visibility)s",
    "\"private\":%(visibility)s",
    "None:%(owner)s",
    "True:%(protected)s",
    "False:%(protected)s",
    "7:%(min_disk)s",
    "-1:%(min_ram)s",
    "1.5:%(ratio)s",
    "0:0",
    "user_id:u1",
    "user_id:%(missing)s",
    "is_admin:True",
    "is_admin:False",
    "roles:admin",
    "roles:%(role)s",
    "token.project.id:%(project_id)s",
    "token.groups.id:2",
    "token.groups.name:x",
    "token.flag:True",
    "token:x",
    "nobody:x",
    "owner:%(owner)s",
    "project_id:p%%1",
    "project_id:p%(min_disk)s",
    "user_id:",
    "'':%(empty)s",
    "garbage",
    "'quoted'",
    "role:",
    "tags:%(tags)s",
    "token.tags:['a', 'b']",
];

/// Checks that fail in oslo.policy in the middle of a request, where ours refuse the whole rule.
const BROKEN: [&str; 4] = ["a..b:c", "role:%(x", "'a'b':c", "rule:loop"];

#[derive(Clone)]
struct Case {
    rules: Map<String, Value>,
    ask: &'static str,
    target: Map<String, Value>,
    creds: Map<String, Value>,
}

fn rule(random: &mut StdRng, depth: u32) -> String {
    let check = |random: &mut StdRng| {
        let list = if random.random_ratio(1, 80) { &BROKEN[..] } else { &CHECKS[..] };
        // What holds white space is for lists only.
        let fits: Vec<_> = list.iter().filter(|it| !it.contains(' ')).collect();
        (**fits.choose(random).unwrap()).to_owned()
    };
    let word = |random: &mut StdRng, words: [&str; 3]| (*words.choose(random).unwrap()).to_owned();
    let text = match (depth, random.random_range(0..8)) {
        (0, _) | (_, 0 | 1) => check(random),
        (_, 2) => format!("{} {}", word(random, ["not", "NOT", "Not"]), rule(random, depth - 1)),
        (_, 3) => format!("({})", rule(random, depth - 1)),
        (_, 4) => format!("( {} )", rule(random, depth - 1)),
        (_, 5 | 6) => {
            format!("{} {} {}", rule(random, depth - 1), word(random, ["and", "and", "AND"]), rule(random, depth - 1))
        }
        _ => format!("{}  {} {}", rule(random, depth - 1), word(random, ["or", "or", "Or"]), rule(random, depth - 1)),
    };
    // Now and then something that is no rule.
    match random.random_range(0..120) {
        0 => format!("{text} and"),
        1 => format!("{text})"),
        2 => format!("({text}"),
        3 => format!("{text} {text}"),
        _ => text,
    }
}

fn rule_value(random: &mut StdRng) -> Value {
    match random.random_range(0..12) {
        0 => json!(""),
        1 => {
            let inner = |random: &mut StdRng| {
                let count = random.random_range(0..3);
                (0..count).map(|_| json!(CHECKS.choose(random).unwrap())).collect::<Vec<_>>()
            };
            let count = random.random_range(0..4);
            let outer: Vec<Value> = (0..count)
                .map(|_| if random.random() { json!(inner(random)) } else { json!(CHECKS.choose(random).unwrap()) })
                .collect();
            json!(outer)
        }
        _ => json!(rule(random, random.clone().random_range(0..4))),
    }
}

fn case(random: &mut StdRng) -> Case {
    let mut rules = Map::new();
    for name in RULES {
        if random.random_ratio(2, 3) {
            rules.insert(name.to_owned(), rule_value(random));
        }
    }
    if random.random_ratio(1, 50) {
        rules.insert("loop".to_owned(), json!("rule:loop or role:admin"));
    }
    let some = |random: &mut StdRng, of: &[Value]| of.choose(random).unwrap().clone();
    let project = [json!("p1"), json!("p2"), json!("p%1"), json!("p7"), json!(null)];
    let target = json!({
        "project_id": some(random, &project), "owner": some(random, &project), "member_id": some(random, &project),
        "visibility": some(random, &[json!("public"), json!("shared"), json!("private"), json!(null)]),
        "protected": some(random, &[json!(true), json!(false), json!("True")]),
        "min_disk": some(random, &[json!(7), json!(0), json!("7")]), "min_ram": some(random, &[json!(-1), json!(1)]),
        "ratio": 1.5, "role": some(random, &[json!("ADMIN"), json!("member"), json!(null)]), "empty": "",
        "tags": ["a", "it's"],
    });
    let mut target = target.as_object().unwrap().clone();
    target.retain(|_, _| random.random_ratio(5, 6));
    let roles = [json!([]), json!(["admin"]), json!(["Member", "reader"]), json!(["reader"]), json!(["None"])];
    let creds = json!({
        "project_id": some(random, &project), "user_id": some(random, &[json!("u1"), json!("u2"), json!(""), json!(null)]),
        "roles": some(random, &roles), "is_admin": some(random, &[json!(true), json!(false)]),
        "tags": ["['a', \"it's\"]", "x"],
        "token": {"project": {"id": some(random, &project)}, "groups": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}],
                  "flag": true, "tags": [["a", "b"], "c"]},
    });
    let mut creds = creds.as_object().unwrap().clone();
    creds.retain(|_, _| random.random_ratio(8, 9));
    Case { rules, ask: RULES.choose(random).unwrap(), target, creds }
}

/// The answer, and whether some rule was refused whole.
fn ours(case: &Case) -> (bool, bool) {
    let rules = case.rules.iter().map(|(name, value)| (name.clone(), parse_value(value).check));
    let (rules, refused) = Rules::new(rules, "default");
    (rules.allow(case.ask, &case.target, &case.creds), !refused.is_empty())
}

#[test]
fn decides_as_oslo_policy_does() {
    let Some(venv) = rig::venv() else {
        skip("tests/setup has not been run: no oslo.policy to compare with");
        return;
    };
    let seed = std::env::var("LARDER_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(20_261_120);
    let mut random = StdRng::seed_from_u64(seed);
    let cases: Vec<Case> = (0..CASES).map(|_| case(&mut random)).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/identity/ask_policy.py");
    let mut python =
        Command::new(venv.join("bin/python")).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = python.stdin.take().unwrap();
    let lines = cases.clone();
    let writer = std::thread::spawn(move || {
        for it in lines {
            let line = json!({"rules": it.rules, "ask": it.ask, "target": it.target, "creds": it.creds});
            writeln!(input, "{line}").unwrap();
        }
    });
    let answers: Vec<String> = BufReader::new(python.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    writer.join().unwrap();
    assert!(python.wait().unwrap().success());
    assert_eq!(answers.len(), CASES, "oslo.policy answered everything");

    let (mut allowed, mut failed, mut stricter) = (0, 0, 0);
    for (case, theirs) in cases.iter().zip(&answers) {
        let (ours, refused) = ours(case);
        let shown = || format!("{:?}\nask {}\ntarget {:?}\ncreds {:?}", case.rules, case.ask, case.target, case.creds);
        match theirs.as_str() {
            "True" => {
                // What they would run into later, we refuse at once.
                stricter += usize::from(!ours);
                allowed += usize::from(ours);
                assert!(ours || refused, "theirs True, ours False\n{}", shown());
            }
            "False" => assert!(!ours, "theirs False, ours True\n{}", shown()),
            error => {
                failed += 1;
                assert!(!ours, "theirs {error}, ours True\n{}", shown());
            }
        }
    }
    eprintln!("{CASES} rules: {allowed} allowed by both, {failed} fail there, {stricter} refused here only");
    assert!(allowed > CASES / 10 && stricter < CASES / 20 && failed < CASES / 10, "the cases are worth asking");
}
