//! At every system call that changes a file, while the agent starts, publishes, prunes, replaces a damaged base and a
//! damaged index: SIGKILL, and errors of the disk; errors of reads, too. Then it starts again, and nothing is lost.
//!
//! `LARDER_FAULTS=all` tries every call, each of the others a few (`sample`, the default). `LARDER_FAULTS_FROM` begins
//! at a later one.

mod index;
mod prune;
mod publish;
mod scrub;
mod world;

use crate::support::tracer::{Call, Then};
use nix::errno::Errno;
use rand::Rng;
use std::time::Instant;
use world::World;

/// What is done to a node, so that its calls can be disturbed.
trait Deed {
    /// For messages.
    const NAME: &'static str;
    /// Calls count from the start of the agent on, not from when it answers.
    const FROM_START: bool;
    /// The target's base is damaged when the deed begins.
    const DAMAGES: bool = false;

    /// Makes the node ready, by an agent that nobody disturbs; it is stopped afterwards.
    fn prepare(&mut self, world: &mut World);

    /// Asks the disturbed agent, which may be killed or refuse; within its patience it answers.
    fn act(&self, world: &World);

    /// After a start that nobody disturbs: what must be so at once.
    fn check(&self, world: &World);

    /// What must be so in the end; leaves the node ready to be prepared again.
    fn settle(&self, world: &World);
}

fn changes(call: &Call) -> bool {
    !matches!(call.name, "open" | "read")
}

fn opens(call: &Call) -> bool {
    matches!(call.name, "open" | "create")
}

fn writes(call: &Call) -> bool {
    changes(call) && call.name != "lock"
}

/// Reads of what larder reads by itself: SQLite reads its own file a lot, and that has its own deed.
fn reads(call: &Call) -> bool {
    call.name == "read"
}

/// A name, which calls count, and what happens at one of them.
type Kind = (&'static str, fn(&Call) -> bool, Then);

/// Kills and errors at the calls of one deed.
fn disturb<D: Deed>(mut deed: D, kinds: &[Kind]) {
    let Some(mut world) = World::new() else { return };
    let all = std::env::var("LARDER_FAULTS").is_ok_and(|it| it == "all");
    let from: usize = std::env::var("LARDER_FAULTS_FROM").ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    for (kind, which, then) in kinds {
        let began = Instant::now();
        // Nothing happens in the first round: how many calls there are.
        let calls = world.round(&mut deed, (*which, *then, 0)).len();
        assert!(calls > 0, "{}: no call to disturb by {kind}", D::NAME);
        let step = if all { 1 } else { calls.div_ceil(SAMPLE) };
        let first = if all { from } else { rand::rng().random_range(1..=step) };
        let (mut tried, mut missed) = (0, 0);
        for at in (first..).step_by(step) {
            // There may be some more calls than in the first round, or fewer.
            let reached = world.round(&mut deed, (*which, *then, at)).len() >= at;
            tried += usize::from(reached);
            missed = if reached { 0 } else { missed + 1 };
            if missed > MISSED || !reached && !all {
                break;
            }
        }
        let took = began.elapsed().as_secs();
        eprintln!("{}: {kind} at {tried} of about {calls} calls, in {took} s", D::NAME);
    }
}

/// Calls of one kind that are tried, unless all are.
const SAMPLE: usize = 5;

/// So many rounds in a row without that many calls are the end.
const MISSED: usize = 4;

const KILL: Kind = ("SIGKILL", changes, Then::Kill);
const EIO: Kind = ("EIO", writes, Then::Fail(Errno::EIO));
const ENOSPC: Kind = ("ENOSPC", writes, Then::Fail(Errno::ENOSPC));
const UNREADABLE: Kind = ("EIO of reads", reads, Then::Fail(Errno::EIO));
const UNOPENED: Kind = ("EIO of opens", opens, Then::Fail(Errno::EIO));
