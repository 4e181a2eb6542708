//! Answers whether a caller may.

use crate::base::chain;
use crate::identity::{
    Caller,
    policy::{
        Attributes, Check, DEFAULTS, PolicyError, Rules, Settings,
        files::{FileRules, Snapshot},
        later::Unasked,
        parse,
        remote::Remote,
        target::CallerTarget,
    },
};
use futures_util::{StreamExt, stream};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tracing::{error, info, warn};

/// How long the files are not looked at again, milliseconds.
const LOOK_EVERY: u64 = 1000;

/// Questions of one request that other servers are asked at a time.
const AT_ONCE: usize = 8;

/// The rules in force. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Enforcer(Arc<Inner>);

struct Inner {
    settings: Settings,
    rules: RwLock<Arc<Rules>>,
    project_only: HashSet<&'static str>,
    remote: Remote,
    /// The files as they were when they were last tried, good or bad.
    tried: Mutex<Snapshot>,
    origin: Instant,
    /// When the files were last looked at, milliseconds from `origin`.
    looked: AtomicU64,
}

/// May the caller do it to this object?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No, and the caller may not know that there is such an object.
    Hidden,
    /// No.
    Denied,
}

// === impl Enforcer ===

impl Enforcer {
    /// Reads the rules. A rule that makes no sense denies, which is logged with its place; a file that makes no sense
    /// is an error. Blocks.
    pub fn open(settings: Settings) -> Result<Self, PolicyError> {
        let files = Snapshot::take(&settings)?;
        if let Some(remark) = files.remark(&settings) {
            warn!("{remark}");
        }
        let loaded = files.read()?;
        for problem in &loaded.problems {
            error!("a policy rule denies everybody, as it makes no sense: {}", chain(problem));
        }
        let (rules, refused) = assemble(&settings, loaded);
        if !refused.is_empty() {
            error!("some policy rules deny everybody: {}", PolicyError::Circle { rules: refused });
        }
        let project_only = DEFAULTS.iter().filter(|it| it.project_only).map(|it| it.name).collect();
        let inner = Inner {
            remote: Remote::new(settings.remote.clone()),
            settings,
            rules: RwLock::new(Arc::new(rules)),
            project_only,
            tried: Mutex::new(files),
            origin: Instant::now(),
            looked: AtomicU64::new(0),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Whether `caller` may do `rule` to `target`. A rule that does not exist is the default one. Waits for other servers
    /// where rules ask them, and for nothing else.
    pub fn allows<T: Attributes + ?Sized>(&self, rule: &str, target: &T, caller: &Caller) -> bool {
        if self.0.settings.enforce_scope
            && (caller.system.is_some() || caller.domain.is_some())
            && self.0.project_only.contains(rule)
        {
            return false;
        }
        self.rules().holds(rule, target, caller, Some((&self.0.remote, &caller.answers)))
    }

    /// As [`Self::allows`], and whether a refusal must hide the object: `see` is the rule of looking at it, such as
    /// `get_image` (Glance's 404 or 403).
    pub fn decide<T: Attributes + ?Sized>(&self, rule: &str, see: &str, target: &T, caller: &Caller) -> Verdict {
        if self.allows(rule, target, caller) {
            Verdict::Allowed
        } else if rule == see || !self.allows(see, target, caller) {
            Verdict::Hidden
        } else {
            Verdict::Denied
        }
    }

    /// Asks what was put off in the judgements of this request ([`super::without_asking`]); the answers are known to it
    /// from then on.
    pub async fn ask(&self, unasked: Unasked, caller: &Caller) {
        let asking = unasked.0.into_iter().map(|question| {
            let (this, answers) = (self.clone(), caller.answers.clone());
            tokio::task::spawn_blocking(move || this.0.remote.allows(question, &answers))
        });
        let mut asking = stream::iter(asking).buffer_unordered(AT_ONCE);
        while asking.next().await.is_some() {}
    }

    /// What `context_is_admin` says of a caller.
    pub fn is_admin(&self, caller: &Caller) -> bool {
        let remote = Some((&self.0.remote, &caller.answers));
        self.rules().holds("context_is_admin", &CallerTarget(caller), caller, remote)
    }

    /// The rules of this moment, for many questions in a row.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes up changed files; looks at most once a second, and is called before each request is judged.
    pub async fn refresh(&self) {
        let now = u64::try_from(self.0.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.0.looked.load(Ordering::Relaxed);
        if now.saturating_sub(looked) < LOOK_EVERY
            || self.0.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let this = self.clone();
        // It fails only when the program ends.
        let _ = tokio::task::spawn_blocking(move || this.look()).await;
    }

    /// Takes up changed files now; says so in the log. Blocks.
    pub fn look(&self) {
        match self.reload() {
            Ok(false) => {}
            Ok(true) => info!("the policy rules were read again"),
            Err(e) => error!("the policy rules stay as they were: {}", chain(&e)),
        }
    }

    /// True when there are new rules. Files with any mistake change nothing, and are not tried again until they change.
    fn reload(&self) -> Result<bool, PolicyError> {
        let mut tried = self.0.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let files = Snapshot::take(&self.0.settings)?;
        if *tried == files {
            return Ok(false);
        }
        *tried = files.clone();
        let rules = faultless(&self.0.settings, &files)?;
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(true)
    }

    /// The policy files in force, in their order.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        let tried = self.0.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.paths().map(ToOwned::to_owned).collect()
    }
}

/// Whether the files can be taken up by a program that runs. Blocks.
///
/// # Errors
/// [`PolicyError`], of a single rule that makes no sense, too.
pub fn check_files(settings: &Settings) -> Result<(), PolicyError> {
    faultless(settings, &Snapshot::take(settings)?).map(drop)
}

/// The rules of files without any mistake.
fn faultless(settings: &Settings, files: &Snapshot) -> Result<Rules, PolicyError> {
    let mut loaded = files.read()?;
    if !loaded.problems.is_empty() {
        return Err(loaded.problems.swap_remove(0));
    }
    let (rules, refused) = assemble(settings, loaded);
    if refused.is_empty() { Ok(rules) } else { Err(PolicyError::Circle { rules: refused }) }
}

/// The files' rules over the defaults.
fn assemble(settings: &Settings, loaded: FileRules) -> (Rules, Vec<String>) {
    let mut all: BTreeMap<String, Check> = DEFAULTS
        .iter()
        .map(|it| {
            let check = parse(it.rule).check;
            let check = match it.old {
                Some(old) if !settings.enforce_new_defaults && old != it.rule => {
                    Check::Or(vec![check, parse(old).check])
                }
                _ => check,
            };
            (it.name.to_owned(), check)
        })
        .collect();
    all.extend(loaded.checks);
    Rules::new(all, &settings.policy_default_rule)
}
