//! What must hold.

use super::{centre::Centre, node::Node, world::World};
use crate::admin::{ImageState, MemberState};
use crate::image::ImageId;
use crate::wire::fleet::{HeldState, ItemState, NodeState, Outcome};
use std::collections::BTreeMap;

/// Those nodes that were up at that time, ms, and are so still, whom the centre has not answered since then.
pub(super) fn not_back(world: &World, since: u64) -> Vec<usize> {
    // It may have lost a call again just now.
    let misses = |it: &Node| it.is_up && it.started <= since && it.answered < since;
    (0..world.nodes.len()).filter(|it| misses(&world.nodes[*it])).collect()
}

/// It is quiet: both sides say the same of everything.
pub(super) async fn agrees(world: &World) -> Result<(), String> {
    world.centre.set_time(world.at);
    if let Some(line) = world.log.first() {
        return Err(format!("{line}, and {} more", world.log.len() - 1));
    }
    let rules = world.centre.rules_version().await;
    let known = world.centre.nodes().await;
    for (number, node) in world.nodes.iter().enumerate() {
        let name = &world.names[number];
        if !node.is_up {
            continue;
        }
        let at_centre = known.iter().find(|it| it.name == *name).ok_or_else(|| format!("{name} is unknown"))?;
        if at_centre.state != NodeState::Up || at_centre.rules_version != rules {
            return Err(format!("{name}: {at_centre:?}, and the rules are {rules}"));
        }
        let is_in = node.course.view().state == MemberState::Connected;
        if !is_in || !node.course.has_told_all() || !node.disk.work.is_empty() {
            return Err(format!("{name} has something to tell still: {:?}; {:?}", node.course.view(), node.disk.work));
        }
        let (held, seen) = (of_node(node), of_centre(&world.centre, number, world).await);
        if held != seen {
            return Err(format!("{name} holds {held:?}\nand the centre says {seen:?}"));
        }
        let figures = (at_centre.summary.total, at_centre.summary.held, at_centre.summary.free);
        let cached = held.values().filter(|it| it.0 == HeldState::Cached).count() as u64;
        if figures != (1 << 30, cached, node.status.room.free) {
            return Err(format!("{name}: {figures:?} of {cached} images"));
        }
    }
    jobs(world).await
}

/// State, pinned, digest of each image.
type Held = BTreeMap<ImageId, (HeldState, bool, bool)>;

fn of_node(node: &Node) -> Held {
    let state = |it: &ImageState| match it {
        ImageState::Cached => HeldState::Cached,
        ImageState::Fetching { .. } => HeldState::Fetching,
        ImageState::Failed { .. } => HeldState::Failed,
        _ => HeldState::Queued,
    };
    let images = node.status.images.iter();
    images.map(|it| (it.id.clone().unwrap(), (state(&it.state), it.pinned, it.state == ImageState::Cached))).collect()
}

async fn of_centre(centre: &Centre, node: usize, world: &World) -> Held {
    let held = centre.holds(&world.names[node]).await.into_iter();
    held.map(|it| (it.image, (it.state, it.pinned, it.digest.is_some()))).collect()
}

/// Each piece of work has the result that the node gave last, once.
async fn jobs(world: &World) -> Result<(), String> {
    for (id, (nodes, images)) in &world.jobs {
        let detail = world.centre.job(id).await;
        let total = (nodes.len() * images.len()) as u64;
        if detail.job.counts.total != total || detail.results.len() as u64 != total {
            return Err(format!("job {id} of {total} pieces of work: {:?}", detail.job.counts));
        }
        for item in &detail.results {
            let number = world.names.iter().position(|it| *it == item.node).unwrap();
            if !nodes.contains(&number) || !images.contains(&item.image) {
                return Err(format!("nobody asked for {item:?}"));
            }
            let said = world.said.get(&(number, (id.clone(), item.image.clone())));
            let right = match item.state {
                ItemState::Done => said == Some(&Outcome::Done),
                ItemState::Existing => said == Some(&Outcome::Existing),
                ItemState::Failed => said == Some(&Outcome::Failed) || was_forgotten(item.why.as_deref()),
                ItemState::NodeDown => !world.nodes[number].is_up,
                _ => false,
            };
            if !right {
                return Err(format!("job {id} has {item:?}, and the node said {said:?}"));
            }
        }
    }
    Ok(())
}

fn was_forgotten(why: Option<&str>) -> bool {
    why == Some("the node was forgotten")
}
