//! What time does to the fleet's tables.

use crate::catalogue::{
    service::{Fault, Service},
    tables::fleet::{feed, items, jobs},
};
use crate::db::DbError;

/// Jobs worked on in one transaction.
const AT_ONCE: u64 = 20;

impl Service {
    /// Gives up what jobs have left to do after their time, forgets old jobs, and prunes the change feed.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn tend_fleet(&self) -> Result<(), Fault> {
        let settings = self.settings().fleet.clone();
        self.place_all().await?;
        let (age, most) = (settings.change_lifetime.as_secs(), settings.change_limit);
        self.db().write::<_, DbError, _>(move |tx| feed::prune(tx, age, most)).await?;
        while self
            .db()
            .write::<_, DbError, _>(|tx| {
                let overdue = jobs::overdue(tx, AT_ONCE)?;
                for id in &overdue {
                    let end = if items::give_up(tx, id, true)? > 0 { jobs::End::Expired } else { jobs::End::Closed };
                    jobs::end(tx, id, end)?;
                }
                Ok(overdue.len() as u64 == AT_ONCE)
            })
            .await?
        {}
        let kept = settings.job_lifetime.as_secs();
        while self
            .db()
            .write::<_, DbError, _>(move |tx| {
                let stale = jobs::stale(tx, kept, AT_ONCE)?;
                for id in &stale {
                    items::delete(tx, id)?;
                    jobs::delete(tx, id)?;
                }
                Ok(stale.len() as u64 == AT_ONCE)
            })
            .await?
        {}
        Ok(())
    }
}
