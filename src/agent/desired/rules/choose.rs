//! Of what was found, what is to be here.

use super::{Finding, Followed, Found, Gate, MOST_IMAGES, Origin, gate};
use crate::base::byte_size::ByteSize;
use crate::image::ImageId;
use crate::wire::fleet::RuleName;
use chrono::{DateTime, Utc};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

/// Images that are named as left out; all are counted.
const MOST_NAMED: usize = 1_000;

/// By what images are chosen.
pub struct Choice<'a> {
    /// In their order.
    pub rules: &'a [Followed],
    /// What there is.
    pub found: &'a Found,
    /// How much this node has used the image of this base lately; 0 for not.
    pub used: &'a dyn Fn(&str) -> f64,
    /// Images that the catalogue has no more, as was seen since.
    pub gone: &'a dyn Fn(&ImageId) -> bool,
    /// The time.
    pub now: DateTime<Utc>,
    /// Windows are in the machine's time zone.
    pub local_time: bool,
}

/// What rules want.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// The images.
    pub images: BTreeMap<ImageId, Wanted>,
    /// What rules find and do not want, the first of it.
    pub left_out: Vec<LeftOut>,
    /// What each rule does, in their order.
    pub reports: Vec<Report>,
    /// When a window opens or shuts next.
    pub changes: Option<DateTime<Utc>>,
}

/// An image that rules want.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The name of its base.
    pub base: String,
    /// The image's name at the centre.
    pub name: Option<String>,
    /// Bytes of its data.
    pub size: u64,
    /// Bytes that its fetch may need.
    pub room: u64,
    /// The rules that want it, the most urgent first; at least one.
    pub claims: Vec<Claim>,
}

/// A rule's wish for an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The rule.
    pub rule: RuleName,
    /// Its priority.
    pub priority: i32,
    /// It pins.
    pub pin: bool,
    /// Whether it may be fetched for this rule now.
    pub gate: Gate,
}

/// An image that a rule finds and does not want.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// The image.
    pub id: ImageId,
    /// Its name at the centre.
    pub name: Option<String>,
    /// Bytes of its data.
    pub size: u64,
    /// The rule.
    pub rule: RuleName,
    /// Why not.
    pub why: String,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its name.
    pub rule: RuleName,
    /// Who made it.
    pub origin: Origin,
    /// It stands in the place of one of the centre's.
    pub replaces: bool,
    /// Images that it wants.
    pub wanted: u64,
    /// Bytes of their data.
    pub bytes: u64,
    /// Images that it finds and does not want: beyond its budget, or too many in all.
    pub left_out: u64,
    /// Its priority.
    pub priority: i32,
    /// It pins.
    pub pin: bool,
    /// Its budget.
    pub budget: Option<u64>,
    /// Whether it may fetch now.
    pub gate: Gate,
}

/// What is to be here.
///
/// Each rule takes, of the images that meet its conditions, the newest so many of each family, of these the so many that
/// were used most; in the order of use, else of age, as many as its budget holds: one that does not fit in what is left of
/// it is passed over.
pub fn choose(by: &Choice<'_>) -> Desired {
    let mut desired = Desired::default();
    let mut of_rule: HashMap<&RuleName, Vec<&Finding>> = HashMap::new();
    for it in by.found.images.iter().filter(|it| !(by.gone)(&it.id)) {
        for name in it.rules.iter().filter_map(|at| by.found.rules.get(usize::from(*at))) {
            of_rule.entry(name).or_default().push(it);
        }
    }
    for it in by.rules {
        let images = of_rule.remove(&it.name).unwrap_or_default();
        let (images, report) = (in_order(images, it, by), report(it, by));
        desired.add(it, &images, report);
    }
    desired.changes = desired.reports.iter().filter_map(|it| it.gate.changes()).filter(|at| *at > by.now).min();
    desired
}

/// The newest first; with a number, so many of each family.
pub(super) fn newest_first(images: &mut Vec<&Finding>, of_family: Option<u32>) {
    images.sort_by_key(|it| (Reverse(it.created_at), &it.id));
    if let Some(most) = of_family {
        let mut count: HashMap<&str, u32> = HashMap::new();
        images.retain(|it| {
            let Some(family) = &it.family else { return false };
            let so_far = count.entry(family).or_default();
            *so_far += 1;
            *so_far <= most
        });
    }
}

fn in_order<'a>(mut images: Vec<&'a Finding>, it: &Followed, by: &Choice<'_>) -> Vec<&'a Finding> {
    newest_first(&mut images, it.rule.images.newest);
    let Some(most) = it.rule.images.most_used else { return images };
    let scored = images.into_iter().map(|it| ((by.used)(&it.id.base_name()), it)).filter(|(score, _)| *score > 0.0);
    let mut scored: Vec<(f64, &Finding)> = scored.collect();
    // A stable sort: among equals the newest first.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.truncate(most as usize);
    scored.into_iter().map(|(_, it)| it).collect()
}

fn report(it: &Followed, by: &Choice<'_>) -> Report {
    Report {
        rule: it.name.clone(),
        origin: it.origin,
        replaces: it.replaces,
        wanted: 0,
        bytes: 0,
        left_out: 0,
        priority: it.rule.priority,
        pin: it.rule.pin,
        budget: it.rule.budget,
        gate: gate(it.rule.window.as_ref(), by.now, by.local_time),
    }
}

// === impl Desired ===

impl Desired {
    fn add(&mut self, it: &Followed, images: &[&Finding], mut report: Report) {
        for found in images {
            let left = it.rule.budget.map(|it| it.saturating_sub(report.bytes));
            let why = if let Some(left) = left.filter(|it| found.size > *it) {
                let budget = ByteSize(it.rule.budget.unwrap_or(0));
                Some(format!(
                    "it has {}, and {} of the rule's budget of {budget} are left",
                    ByteSize(found.size),
                    ByteSize(left)
                ))
            } else if self.images.len() >= MOST_IMAGES && !self.images.contains_key(&found.id) {
                Some(format!("rules want {MOST_IMAGES} images already, which is the most"))
            } else {
                None
            };
            match why {
                Some(why) => {
                    report.left_out += 1;
                    if self.left_out.len() < MOST_NAMED {
                        let (id, name) = (found.id.clone(), found.name.clone());
                        self.left_out.push(LeftOut { id, name, size: found.size, rule: it.name.clone(), why });
                    }
                }
                None => {
                    report.wanted += 1;
                    report.bytes = report.bytes.saturating_add(found.size);
                    self.claim(it, found, report.gate);
                }
            }
        }
        self.reports.push(report);
    }

    fn claim(&mut self, it: &Followed, found: &Finding, gate: Gate) {
        let claim = Claim { rule: it.name.clone(), priority: it.rule.priority, pin: it.rule.pin, gate };
        let wanted = self.images.entry(found.id.clone()).or_insert_with(|| Wanted {
            base: found.id.base_name(),
            name: found.name.clone(),
            size: found.size,
            room: found.room,
            claims: Vec::with_capacity(1),
        });
        wanted.claims.push(claim);
    }
}

// === impl Wanted ===

impl Wanted {
    /// Whether a rule pins it.
    pub fn is_pinned(&self) -> bool {
        self.claims.iter().any(|it| it.pin)
    }

    /// By the most urgent rule that may fetch now; by the most urgent one when none may.
    pub fn priority(&self) -> i32 {
        let open = self.claims.iter().find(|it| matches!(it.gate, Gate::Open(_)));
        open.or(self.claims.first()).map_or(0, |it| it.priority)
    }

    /// The rule whose window opens next, and when, if no rule may fetch it now; never for none.
    pub fn waits(&self) -> Option<(&RuleName, Option<DateTime<Utc>>)> {
        let opens = |it: &Claim| match it.gate {
            Gate::Open(_) => None,
            Gate::Shut(at) => Some(at),
        };
        let shut: Option<Vec<_>> = self.claims.iter().map(|it| Some((&it.rule, opens(it)?))).collect();
        shut?.into_iter().min_by_key(|(_, at)| at.unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    /// The names of the rules.
    pub fn rules(&self) -> Vec<String> {
        self.claims.iter().map(|it| it.rule.to_string()).collect()
    }

    /// `rule golden`, `rules golden and lts`.
    pub fn by_rules(&self) -> String {
        let names = self.rules();
        match names.as_slice() {
            [one] => format!("rule {one}"),
            more => format!("rules {}", more.join(" and ")),
        }
    }
}
