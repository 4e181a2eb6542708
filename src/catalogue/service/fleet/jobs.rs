//! Jobs.

use super::{Bounds, no_job, unknown_marker};
use crate::catalogue::{
    service::{Fault, Service},
    tables::fleet::{feed, items, jobs, nodes},
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::image::ImageId;
use crate::wire::fleet::{Job, JobDetail, JobId, JobPage, JobState, MAX_ITEMS, NewJob, NodeName, Selector, Targets};

impl Service {
    /// Asks nodes to do something with images. Nodes that are down do it when they come back.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: also a node that is not there, or no node has these labels; `TooLarge`.
    pub async fn make_job(&self, caller: &Caller, new: NewJob) -> Result<Job, Fault> {
        self.make_job_as(caller, JobId::from_random(rand::random()), new).await
    }

    /// The same, under this id.
    pub(crate) async fn make_job_as(&self, caller: &Caller, id: JobId, new: NewJob) -> Result<Job, Fault> {
        self.may_steer(caller)?;
        new.check()?;
        let (settings, user) = (self.settings().fleet.clone(), caller.user.clone());
        let job = self.db().write(move |tx| {
            may_come_to(tx, &new)?;
            jobs::insert(tx, &id, &new, user.as_deref(), settings.job_lifetime.as_secs())?;
            items::insert(tx, &id, &new)?;
            nodes::give_notice(tx, Some(items::nodes_of(&id)))?;
            let only = match &new.nodes {
                Targets::Names(names) if names.len() == 1 => names.first(),
                _ => None,
            };
            feed::work(tx, &id, only)?;
            let job = jobs::find(tx, &id)?.ok_or_else(|| no_job(&id))?;
            Ok::<_, Fault>(counted(tx, vec![job], settings.patience())?)
        });
        let job = job.await?.pop().ok_or_else(|| Fault::internal(DbError::BrokeOff))?;
        tracing::info!(job = %job.id, action = %job.action, items = job.counts.total, "nodes are asked to do something");
        Ok(job)
    }

    /// A page of jobs, the newest first.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: the marker.
    pub async fn jobs(&self, caller: &Caller, bounds: Bounds) -> Result<JobPage, Fault> {
        self.may_look(caller)?;
        let (after, most, patience) = (bounds.marker::<JobId>()?, bounds.most(), self.settings().fleet.patience());
        let found = self.db().read(move |tx| {
            let after = after.as_ref().map(|it| jobs::find(tx, it)?.ok_or_else(|| unknown_marker(it.as_str())));
            let page = jobs::page(tx, after.transpose()?.as_ref(), most)?;
            Ok::<_, Fault>(counted(tx, page, patience)?)
        });
        let (jobs, next) = bounds.page(found.await?, |it| it.id.to_string());
        Ok(JobPage { jobs, next })
    }

    /// A job with a page of its results.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Invalid`: the marker.
    pub async fn job(&self, caller: &Caller, id: &JobId, bounds: Bounds) -> Result<JobDetail, Fault> {
        self.may_look(caller)?;
        let (id, most, patience) = (id.clone(), bounds.most(), self.settings().fleet.patience());
        let after = bounds.marker.as_deref().map(item_marker).transpose()?;
        let found = self.db().read(move |tx| {
            let job = jobs::find(tx, &id)?.ok_or_else(|| no_job(&id))?;
            let items = items::page(tx, &id, after.as_ref(), most, patience)?;
            let job = counted(tx, vec![job], patience)?.pop().ok_or_else(|| no_job(&id))?;
            Ok::<_, Fault>((job, items))
        });
        let (job, items) = found.await?;
        let (results, next) = bounds.page(items, |it| format!("{}/{}", it.node, it.image));
        Ok(JobDetail { job, results, next })
    }

    /// Gives up what nodes have not taken over of a job. One that is over stays as it is.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn cancel_job(&self, caller: &Caller, id: &JobId) -> Result<Job, Fault> {
        self.may_steer(caller)?;
        let (id, patience) = (id.clone(), self.settings().fleet.patience());
        let job = self.db().write(move |tx| {
            let job = jobs::find(tx, &id)?.ok_or_else(|| no_job(&id))?;
            if job.state == JobState::Running && items::give_up(tx, &id, false)? > 0 {
                jobs::end(tx, &id, jobs::End::Cancelled)?;
            }
            let job = jobs::find(tx, &id)?.ok_or_else(|| no_job(&id))?;
            Ok::<_, Fault>(counted(tx, vec![job], patience)?)
        });
        job.await?.pop().ok_or_else(|| Fault::internal(DbError::BrokeOff))
    }
}

/// Whether the nodes are there, and not too many.
fn may_come_to(tx: &Tx<'_>, new: &NewJob) -> Result<(), Fault> {
    let nodes = match &new.nodes {
        Targets::Names(names) => {
            let known = nodes::known(tx, names)?;
            let unknown: Vec<&str> =
                names.iter().map(NodeName::as_str).filter(|it| !known.iter().any(|known| known == it)).collect();
            if let Some(first) = unknown.first() {
                let others =
                    if unknown.len() > 1 { format!(", nor {} others", unknown.len() - 1) } else { String::new() };
                return Err(Fault::Invalid(format!(
                    "There is no node {first}{others}; nothing was asked of any node."
                )));
            }
            known.len() as u64
        }
        Targets::Selector(selector) => match nodes::count(tx, selector)? {
            0 => return Err(Fault::Invalid(format!("No node has the labels {selector}."))),
            count => count,
        },
        Targets::All(_) => match nodes::count(tx, &Selector::default())? {
            0 => return Err(Fault::Invalid("There are no nodes.".to_owned())),
            count => count,
        },
    };
    let items = nodes.saturating_mul(new.images.len() as u64);
    if items > MAX_ITEMS as u64 {
        return Err(Fault::TooLarge(format!(
            "{} images on {nodes} nodes are {items} pieces of work, and {MAX_ITEMS} is the most of one job: ask for fewer \
             images or nodes at a time.",
            new.images.len()
        )));
    }
    Ok(())
}

fn counted(tx: &Tx<'_>, found: Vec<Job>, patience: u64) -> Result<Vec<Job>, DbError> {
    let ids: Vec<JobId> = found.iter().map(|it| it.id.clone()).collect();
    let mut counts = items::counts(tx, &ids, patience)?;
    Ok(found
        .into_iter()
        .map(|job| {
            let its = counts.remove(&job.id).unwrap_or_default();
            jobs::counted(job, its)
        })
        .collect())
}

fn item_marker(text: &str) -> Result<(NodeName, ImageId), Fault> {
    let parts = text.split_once('/').and_then(|(node, image)| Some((node.parse().ok()?, image.parse().ok()?)));
    parts.ok_or_else(|| unknown_marker(text))
}
