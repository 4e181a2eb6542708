//! The table `larder_job_nodes`: one image of a job on one node.

use super::{
    clock,
    jobs::action,
    names::{
        LarderJobNodes::{Beat, ChangedAt, ImageId as Image, JobId as Job, Node, State, Table, Why},
        LarderJobs, LarderNodes,
    },
    nodes, odd,
};
use crate::db::{DbError, Tx};
use crate::image::ImageId;
use crate::wire::fleet::{
    Counts, ItemState, JobId, JobItem, MAX_WORK, NewJob, NodeName, Outcome, Selector, Targets, Work, WorkResult,
};
use sea_query::{CaseStatement, Expr, ExprTrait, Order, Query, SelectStatement};
use std::collections::{BTreeMap, HashMap};

const WAITING: &str = "waiting";
const HANDED: &str = "handed";

/// Makes the items of a job: each image on each of its nodes that are there.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn insert(tx: &Tx<'_>, job: &JobId, new: &NewJob) -> Result<(), DbError> {
    for image in &new.images {
        let mut nodes = Query::select();
        nodes.expr(Expr::val(job.as_str())).column((LarderNodes::Table, LarderNodes::Name));
        nodes.expr(Expr::val(image.as_str())).expr(Expr::val(WAITING)).expr(Expr::val(0_i64));
        nodes.expr(clock::seconds(tx)).from(LarderNodes::Table);
        match &new.nodes {
            Targets::Names(names) => {
                let names = names.iter().map(NodeName::as_str);
                nodes.and_where(Expr::col((LarderNodes::Table, LarderNodes::Name)).is_in(names));
            }
            Targets::Selector(selector) => nodes::select_by(&mut nodes, selector),
            Targets::All(_) => nodes::select_by(&mut nodes, &Selector::default()),
        }
        let mut statement = Query::insert();
        statement.into_table(Table).columns([Job, Node, Image, State, Beat, ChangedAt]);
        statement.select_from(nodes).map_err(|error| odd(0, error, "as many values as columns"))?;
        tx.execute(&statement)?;
    }
    Ok(())
}

/// The nodes of a job, for a statement on the nodes.
pub(crate) fn nodes_of(job: &JobId) -> SelectStatement {
    let mut query = Query::select();
    query.column(Node).from(Table).and_where(Expr::col(Job).eq(job.as_str()));
    query
}

/// The names of the nodes of these jobs.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn names(tx: &Tx<'_>, jobs: &[JobId]) -> Result<Vec<(JobId, NodeName)>, DbError> {
    let mut query = Query::select();
    query.distinct().columns([Job, Node]).from(Table);
    query.and_where(Expr::col(Job).is_in(jobs.iter().map(JobId::as_str)));
    let rows = tx.select(&query)?;
    rows.iter()
        .map(|row| {
            let (job, node): (String, String) = (row.get(0)?, row.get(1)?);
            let job = job.parse().map_err(|_| odd(0, job, "a job's id"))?;
            Ok((job, node.parse().map_err(|_| odd(1, node, "a node's name"))?))
        })
        .collect()
}

/// What waits for a node, the most urgent first, and whether there is more of it. Whole jobs only.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn waiting(tx: &Tx<'_>, node: &NodeName) -> Result<(Vec<Work>, bool), DbError> {
    let mut query = select_work(node, WAITING);
    query.limit(MAX_WORK as u64 + 1);
    let mut work = read_work(tx, &query)?;
    let more = work.len() > MAX_WORK;
    if more && let Some(cut) = work.pop().map(|it| it.job) {
        // A job has far fewer images than fit into an answer.
        work.retain(|it| it.job != cut);
    }
    Ok((work, more))
}

/// What the answer to a beat has handed out, and has not come back yet.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn handed(tx: &Tx<'_>, node: &NodeName, beat: u64) -> Result<Vec<Work>, DbError> {
    let mut query = select_work(node, HANDED);
    query.and_where(Expr::col((Table, Beat)).eq(beat));
    read_work(tx, &query)
}

/// Notes that the answer to this beat hands out all that waits of these jobs.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn hand_out(tx: &Tx<'_>, node: &NodeName, beat: u64, work: &[Work]) -> Result<(), DbError> {
    let mut jobs: Vec<&str> = work.iter().map(|it| it.job.as_str()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    if jobs.is_empty() {
        return Ok(());
    }
    let mut statement = Query::update();
    statement.table(Table).value(State, HANDED).value(Beat, beat).value(ChangedAt, clock::seconds(tx));
    statement.and_where(Expr::col(Node).eq(node.as_str())).and_where(Expr::col(State).eq(WAITING));
    statement.and_where(Expr::col(Job).is_in(jobs));
    tx.execute(&statement).map(drop)
}

/// Has handed out again what a node's last session did not bring to an end.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn take_back(tx: &Tx<'_>, node: &NodeName) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(State, WAITING).value(ChangedAt, clock::seconds(tx));
    statement.and_where(Expr::col(Node).eq(node.as_str())).and_where(Expr::col(State).eq(HANDED));
    tx.execute(&statement).map(drop)
}

/// Takes over what became of work. What belongs to no job any more is passed over.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn finish(tx: &Tx<'_>, node: &NodeName, results: &[WorkResult]) -> Result<(), DbError> {
    let mut alike: BTreeMap<(&str, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for it in results {
        let key = (it.job.as_str(), outcome(it.state), it.why.as_deref());
        alike.entry(key).or_default().push(it.image.as_str());
    }
    for ((job, state, why), images) in alike {
        let mut statement = Query::update();
        statement.table(Table).value(State, state).value(Why, why).value(ChangedAt, clock::seconds(tx));
        statement.and_where(Expr::col(Job).eq(job)).and_where(Expr::col(Node).eq(node.as_str()));
        statement.and_where(Expr::col(Image).is_in(images));
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Gives up what was not handed out of a job; how many items.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn give_up(tx: &Tx<'_>, job: &JobId, expired: bool) -> Result<u64, DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(State, if expired { "expired" } else { "cancelled" });
    statement.value(ChangedAt, clock::seconds(tx));
    statement.and_where(Expr::col(Job).eq(job.as_str())).and_where(Expr::col(State).eq(WAITING));
    tx.execute(&statement)
}

/// Ends all that a node still had to do.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn fail_all(tx: &Tx<'_>, node: &NodeName, why: &str) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(State, "failed").value(Why, why).value(ChangedAt, clock::seconds(tx));
    statement.and_where(Expr::col(Node).eq(node.as_str())).and_where(Expr::col(State).is_in([WAITING, HANDED]));
    tx.execute(&statement).map(drop)
}

/// Removes the items of a job.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn delete(tx: &Tx<'_>, job: &JobId) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(Job).eq(job.as_str()));
    tx.execute(&statement).map(drop)
}

/// The counts of these jobs, in two statements however many they are.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn counts(tx: &Tx<'_>, jobs: &[JobId], patience: u64) -> Result<HashMap<JobId, Counts>, DbError> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = || jobs.iter().map(JobId::as_str);
    let mut query = Query::select();
    query.columns([Job, State]).expr(Expr::col(Image).count()).from(Table).and_where(Expr::col(Job).is_in(ids()));
    query.group_by_columns([Job, State]);
    let mut counts: HashMap<JobId, Counts> = HashMap::new();
    for row in tx.select(&query)? {
        let (job, state, count): (String, String, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let job: JobId = job.parse().map_err(|_| odd(0, job, "a job's id"))?;
        let counts = counts.entry(job).or_default();
        counts.total += count;
        *place(counts, self::state(&state).ok_or_else(|| odd(1, state, "the state of an item"))?) += count;
    }
    let mut query = Query::select();
    query.column((Table, Job)).expr(Expr::col((Table, Image)).count()).from(Table);
    query.inner_join(LarderNodes::Table, Expr::col((LarderNodes::Table, LarderNodes::Name)).equals((Table, Node)));
    query.and_where(Expr::col((Table, Job)).is_in(ids())).and_where(Expr::col((Table, State)).eq(WAITING));
    query.and_where(is_down(tx, patience)).group_by_col((Table, Job));
    for row in tx.select(&query)? {
        let (job, count): (String, u64) = (row.get(0)?, row.get(1)?);
        let job: JobId = job.parse().map_err(|_| odd(0, job, "a job's id"))?;
        let counts = counts.entry(job).or_default();
        counts.node_down += count;
        counts.waiting = counts.waiting.saturating_sub(count);
    }
    Ok(counts)
}

/// A page of the items of a job, in the order of nodes and images.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn page(
    tx: &Tx<'_>,
    job: &JobId,
    after: Option<&(NodeName, ImageId)>,
    most: u64,
    patience: u64,
) -> Result<Vec<JobItem>, DbError> {
    let mut query = Query::select();
    query.columns([Node, Image, State, Why, ChangedAt].map(|it| (Table, it)));
    query.expr(CaseStatement::new().case(is_down(tx, patience), Expr::val(1_i64)).finally(Expr::val(0_i64)));
    query.from(Table);
    let on = Expr::col((LarderNodes::Table, LarderNodes::Name)).equals((Table, Node));
    query.left_join(LarderNodes::Table, on).and_where(Expr::col((Table, Job)).eq(job.as_str()));
    if let Some((node, image)) = after {
        let (node, image) = (node.as_str(), image.as_str());
        let same = Expr::col((Table, Node)).eq(node).and(Expr::col((Table, Image)).gt(image));
        query.and_where(Expr::col((Table, Node)).gt(node).or(same));
    }
    query.order_by((Table, Node), Order::Asc).order_by((Table, Image), Order::Asc).limit(most);
    let rows = tx.select(&query)?;
    rows.iter()
        .map(|row| {
            let (node, image, state): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let state = self::state(&state).ok_or_else(|| odd(2, state, "the state of an item"))?;
            let down = row.get::<i64>(5)? == 1;
            Ok(JobItem {
                node: node.parse().map_err(|_| odd(0, node, "a node's name"))?,
                image: image.parse().map_err(|_| odd(1, image, "an image id"))?,
                state: if state == ItemState::Waiting && down { ItemState::NodeDown } else { state },
                why: row.get(3)?,
                changed_at: clock::time(row.get(4)?),
            })
        })
        .collect()
}

fn is_down(tx: &Tx<'_>, patience: u64) -> Expr {
    Expr::col((LarderNodes::Table, LarderNodes::BeatAt)).lt(clock::seconds(tx).sub(patience))
}

fn select_work(node: &NodeName, state: &str) -> SelectStatement {
    let mut query = Query::select();
    query.columns([(Table, Job), (Table, Image)]);
    query.columns([(LarderJobs::Table, LarderJobs::Action), (LarderJobs::Table, LarderJobs::Priority)]).from(Table);
    query.inner_join(LarderJobs::Table, Expr::col((LarderJobs::Table, LarderJobs::Id)).equals((Table, Job)));
    query.and_where(Expr::col((Table, Node)).eq(node.as_str())).and_where(Expr::col((Table, State)).eq(state));
    query.order_by((LarderJobs::Table, LarderJobs::Priority), Order::Desc);
    query.order_by((LarderJobs::Table, LarderJobs::CreatedAt), Order::Asc);
    query.order_by((Table, Job), Order::Asc).order_by((Table, Image), Order::Asc);
    query
}

fn read_work(tx: &Tx<'_>, query: &SelectStatement) -> Result<Vec<Work>, DbError> {
    let rows = tx.select(query)?;
    rows.iter()
        .map(|row| {
            let (job, image, verb): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Work {
                job: job.parse().map_err(|_| odd(0, job, "a job's id"))?,
                image: image.parse().map_err(|_| odd(1, image, "an image id"))?,
                action: action(&verb).ok_or_else(|| odd(2, verb, "an action"))?,
                priority: row.get(3)?,
            })
        })
        .collect()
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Existing => "existing",
        Outcome::Failed => "failed",
    }
}

fn state(word: &str) -> Option<ItemState> {
    Some(match word {
        WAITING => ItemState::Waiting,
        HANDED => ItemState::Handed,
        "done" => ItemState::Done,
        "existing" => ItemState::Existing,
        "failed" => ItemState::Failed,
        "cancelled" => ItemState::Cancelled,
        "expired" => ItemState::Expired,
        _ => return None,
    })
}

fn place(counts: &mut Counts, state: ItemState) -> &mut u64 {
    match state {
        ItemState::Waiting => &mut counts.waiting,
        ItemState::NodeDown => &mut counts.node_down,
        ItemState::Handed => &mut counts.handed,
        ItemState::Done => &mut counts.done,
        ItemState::Existing => &mut counts.existing,
        ItemState::Failed => &mut counts.failed,
        ItemState::Cancelled => &mut counts.cancelled,
        ItemState::Expired => &mut counts.expired,
    }
}
