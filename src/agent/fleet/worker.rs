//! Hands a piece of work to the loop.

use super::journal::Step;
use crate::admin::{
    ImageState, Priority,
    server::{Fault, Handler},
};
use crate::agent::{control::Control, index::Taken};
use crate::wire::fleet::{Action, Outcome};
use chrono::{TimeDelta, Utc};

/// What is in the way may go away within this time.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);

/// Begins it; what is fetched goes on beside.
pub(super) async fn begin(control: &Control, it: &Taken) -> Step {
    let done = match it.action {
        Action::Queue => {
            let priority = Priority::try_from(it.priority).unwrap_or_default();
            control.queue_unasked(&it.image, priority).await.map(|()| Step::UnderWay)
        }
        Action::Remove => remove(control, it).await,
        Action::Pin => control.pin_unasked(&it.image).await.map(|()| Step::UnderWay),
        Action::Unpin => match control.unpin(&it.image).await {
            Ok(()) => Ok(Step::Ended(Outcome::Done, None)),
            Err(Fault::NotFound(_)) => Ok(existing(it)),
            Err(fault) => Err(fault),
        },
    };
    match done {
        Ok(step) => step,
        Err(Fault::Unavailable(_)) if is_young(it) => Step::Later,
        Err(fault) => Step::Ended(Outcome::Failed, Some(fault.to_string())),
    }
}

fn is_young(it: &Taken) -> bool {
    it.begun_at.is_none_or(|at| Utc::now() - at < PATIENCE)
}

async fn remove(control: &Control, it: &Taken) -> Result<Step, Fault> {
    match control.delete_queued(&it.image).await {
        Ok(()) | Err(Fault::NotFound(_)) => {}
        Err(fault) => return Err(fault),
    }
    match control.delete_cached(&it.image).await {
        Ok(()) => Ok(Step::Ended(Outcome::Done, None)),
        Err(Fault::NotFound(_)) => Ok(existing(it)),
        // A fetch that was stopped takes a moment to end.
        Err(Fault::Conflict(_)) if is_in_work(control, it) && is_young(it) => Ok(Step::Later),
        Err(fault) => Err(fault),
    }
}

/// There is nothing to do: since a crash interrupted what has done it, or since nothing ever was.
fn existing(it: &Taken) -> Step {
    Step::Ended(if it.existed { Outcome::Done } else { Outcome::Existing }, None)
}

fn is_in_work(control: &Control, it: &Taken) -> bool {
    let status = control.status();
    let state = status.images.iter().find(|image| image.id.as_ref() == Some(&it.image)).map(|it| &it.state);
    !matches!(state, Some(ImageState::Cached) | None)
        || !status.bases.iter().any(|base| base.id.as_ref() == Some(&it.image))
}
