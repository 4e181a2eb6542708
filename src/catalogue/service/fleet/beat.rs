//! Heartbeats.

use super::{no_node, nodes::hash};
use crate::catalogue::{
    Fleet,
    service::{Fault, Service},
    tables::fleet::{
        counters::{self, Counter},
        inventory, items, nodes,
    },
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::wire::fleet::{Heartbeat, HeartbeatAnswer, NodeName};

impl Service {
    /// Takes a beat in, and says what the node is to do. One that brings nothing and gets nothing costs one statement.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`; `NotFound`: the node is not registered; `Conflict`: the session is over.
    pub async fn heartbeat(&self, caller: &Caller, name: &NodeName, beat: Heartbeat) -> Result<HeartbeatAnswer, Fault> {
        self.may_as_agent(caller)?;
        beat.check()?;
        let (name, settings) = (name.clone(), self.settings().fleet.clone());
        self.db()
            .write(move |tx| {
                let session = hash(&beat.session);
                let quiet = beat.changes.is_empty() && beat.results.is_empty() && !beat.full;
                if quiet && nodes::quick_beat(tx, &name, &beat, &session)? {
                    return Ok(answer(&settings, &beat, beat.rules_version));
                }
                take(tx, &settings, &name, &beat, &session)
            })
            .await
    }
}

fn take(
    tx: &Tx<'_>,
    settings: &Fleet,
    name: &NodeName,
    beat: &Heartbeat,
    session: &str,
) -> Result<HeartbeatAnswer, Fault> {
    let known = nodes::session(tx, name, settings.patience())?.ok_or_else(|| no_node(name))?;
    if known.hash != session {
        return Err(Fault::Conflict(format!("The session of node {name} is over: register it again.")));
    }
    let rules = counters::get(tx, Counter::Rules)?;
    if beat.sequence == known.beat {
        // Its answer was lost: it was done, and is answered again.
        nodes::touch(tx, name)?;
        let work = items::handed(tx, name, beat.sequence)?;
        return Ok(HeartbeatAnswer { work, ..answer(settings, beat, rules) });
    }
    if beat.sequence != known.beat + 1 || !(known.ready || beat.full) {
        nodes::touch(tx, name)?;
        let sequence = known.beat;
        return Ok(HeartbeatAnswer { resync: true, sequence, ..answer(settings, beat, rules) });
    }
    if beat.full {
        inventory::forget(tx, name)?;
    }
    inventory::change(tx, name, &beat.changes)?;
    items::finish(tx, name, &beat.results)?;
    Ok(hand_out(tx, settings, name, beat, rules)?)
}

fn hand_out(
    tx: &Tx<'_>,
    settings: &Fleet,
    name: &NodeName,
    beat: &Heartbeat,
    rules: u64,
) -> Result<HeartbeatAnswer, DbError> {
    let (work, more) = items::waiting(tx, name)?;
    items::hand_out(tx, name, beat.sequence, &work)?;
    // Until the node has said that it has the rules of now, each of its beats is looked at.
    nodes::beat(tx, name, beat, more || beat.rules_version != rules)?;
    Ok(HeartbeatAnswer { work, more, ..answer(settings, beat, rules) })
}

fn answer(settings: &Fleet, beat: &Heartbeat, rules_version: u64) -> HeartbeatAnswer {
    let (sequence, heartbeat_interval) = (beat.sequence, settings.interval());
    HeartbeatAnswer { sequence, rules_version, heartbeat_interval, ..HeartbeatAnswer::default() }
}
