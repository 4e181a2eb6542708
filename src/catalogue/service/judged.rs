//! Transactions in which the policy judges.

use crate::catalogue::service::{Fault, Service, access::Access};
use crate::db::{DbError, Tx};
use crate::identity::policy::{self, Unasked};
use std::sync::Arc;

/// How often a transaction is begun anew with more that is known. Each time there is more to ask only because of what was
/// answered, or because somebody changed the image meanwhile.
const MOST_ATTEMPTS: usize = 50;

/// Why a transaction is taken back.
enum Stop {
    Fault(Fault),
    Ask(Unasked),
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl Service {
    /// As [`Db::read`](crate::db::Db::read), for work in which `access` judges. Other servers that the policy asks are
    /// asked between two transactions, which would hold others up for as long as the servers take.
    pub(super) async fn read_judged<T, W>(&self, access: &Access, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        for _ in 0..MOST_ATTEMPTS {
            match self.db().read(attempt(&work)).await {
                Err(Stop::Ask(unasked)) => access.enforcer.ask(unasked, &access.caller).await,
                Err(Stop::Fault(fault)) => return Err(fault),
                Ok(done) => return Ok(done),
            }
        }
        Err(undecided())
    }

    /// Likewise, [`Db::write`](crate::db::Db::write).
    pub(super) async fn write_judged<T, W>(&self, access: &Access, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        for _ in 0..MOST_ATTEMPTS {
            match self.db().write(attempt(&work)).await {
                Err(Stop::Ask(unasked)) => access.enforcer.ask(unasked, &access.caller).await,
                Err(Stop::Fault(fault)) => return Err(fault),
                Ok(done) => return Ok(done),
            }
        }
        Err(undecided())
    }
}

/// The work, which is taken back when there is something to ask first.
fn attempt<T, W>(work: &Arc<W>) -> impl Fn(&Tx<'_>) -> Result<T, Stop> + Send + 'static
where
    T: Send + 'static,
    W: Fn(&Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
{
    let work = Arc::clone(work);
    move |tx| {
        let (done, unasked) = policy::without_asking(|| work(tx));
        if unasked.is_empty() { done.map_err(Stop::Fault) } else { Err(Stop::Ask(unasked)) }
    }
}

fn undecided() -> Fault {
    Fault::Unavailable("What the policy asks other servers changes all the time; try again.".to_owned())
}
