//! A thousand nodes and their centre on a clock of its own: the agent's [`course`](crate::agent::fleet::course) over the
//! catalogue's [`Service`](crate::catalogue::service::Service) on SQLite, and between them a network that loses, delays
//! and repeats. The same seed is the same run.
//!
//! ```text
//! script: jobs, rules, deletes, faults ─┐
//! nodes: course + loop + disk ──────────┼─→ the queue of events, by virtual time ─→ the service, at that time
//! network: lost, late, twice ───────────┘                                           └─→ answers, the feed ─→ nodes
//! ```
//!
//! `LARDER_SIMULATION=7` goes on for seven rounds of all that can happen, `LARDER_SIMULATION_SEED` repeats a run.

#![cfg(all(feature = "agent", feature = "catalogue"))]

mod centre;
mod chance;
mod law;
mod node;
mod script;
mod world;

use script::Script;
use std::time::Duration;
use world::World;

/// Nodes in the fleet.
const NODES: usize = 1000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| it.parse().unwrap())
}

fn block_on(work: impl Future<Output = Result<String, String>>, seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = std::time::Instant::now();
    match runtime.block_on(work) {
        Ok(report) => println!("seed {seed}, {:.1} s: {report}", began.elapsed().as_secs_f64()),
        Err(why) => panic!("{why}\nagain: LARDER_SIMULATION_SEED={seed}"),
    }
}

#[test]
fn a_thousand_nodes_and_their_centre_agree_whatever_happens() {
    let (rounds, seed) = (number("LARDER_SIMULATION").unwrap_or(1), number("LARDER_SIMULATION_SEED").unwrap_or(4));
    let run = async {
        let mut world = World::new(NODES, seed).await;
        for round in 0..rounds {
            Script::of_everything(round).run(&mut world).await?;
        }
        Ok(world.report())
    };
    block_on(run, seed);
}

#[test]
fn a_few_nodes_are_back_at_once_after_days_without_the_centre() {
    let seed = number("LARDER_SIMULATION_SEED").unwrap_or(5);
    let run = async {
        let mut world = World::new(4, seed).await;
        Script::of_an_outage(Duration::from_secs(2 * 86_400)).run(&mut world).await?;
        Ok(world.report())
    };
    block_on(run, seed);
}
