//! One pass over all images that are due.

use crate::base::chain;
use crate::catalogue::{
    scrub::{Failure, Report, ScrubError, Scrubbed, Scrubber},
    tables::{
        is_sealed,
        locations::{self, Leftover},
        pending::{self, Due},
    },
};
use crate::db::DbError;
use crate::store::StoreError;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

/// Images that are read at a time.
const PAGE: u64 = 100;

/// What became of an image.
enum Outcome {
    Gone(Scrubbed),
    Left(Vec<Failure>),
    /// Somebody else works on it, or brought it back.
    Others,
    Stopped,
}

impl Scrubber {
    /// Removes the data of all images that are due. What cannot be removed stands in the report, and does not keep the
    /// rest from going. After `shutdown` what is begun is finished.
    ///
    /// # Errors
    /// [`ScrubError`]: the database does not say which images are due.
    pub async fn pass(&self, shutdown: &CancellationToken) -> Result<Report, ScrubError> {
        let until = self.until();
        let (due, waiting) = self.db.read::<_, DbError, _>(move |tx| pending::count(tx, until)).await?;
        let mut report = Report { waiting, ..Report::default() };
        if due > 0 {
            tracing::info!(due, waiting, "scrubbing");
        }
        let mut after = String::new();
        while !report.stopped {
            let from = after.clone();
            let page = self.db.read::<_, DbError, _>(move |tx| pending::due(tx, until, &from, PAGE)).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            let mut work =
                stream::iter(page).map(|image| self.scrub(image, until, shutdown)).buffer_unordered(self.pool);
            while let Some(outcome) = work.next().await {
                match outcome {
                    Outcome::Gone(image) => report.done(image),
                    Outcome::Left(failures) => report.failed(failures),
                    Outcome::Others => {}
                    Outcome::Stopped => report.stopped = true,
                }
            }
        }
        Ok(report)
    }

    /// What a pass would do now.
    ///
    /// # Errors
    /// [`ScrubError`].
    pub async fn rehearse(&self) -> Result<Report, ScrubError> {
        let until = self.until();
        let (_, waiting) = self.db.read::<_, DbError, _>(move |tx| pending::count(tx, until)).await?;
        let mut report = Report { dry_run: true, waiting, ..Report::default() };
        let mut after = String::new();
        loop {
            let (from, cipher) = (after.clone(), self.cipher.clone());
            let page = self.db.read::<_, DbError, _>(move |tx| {
                let page = pending::due(tx, until, &from, PAGE)?;
                let ids: Vec<&str> = page.iter().map(|it| it.id.as_str()).collect();
                Ok((pending::locations(tx, &cipher, &ids)?, page))
            });
            let (locations, page) = page.await?;
            let Some(last) = page.last() else { return Ok(report) };
            after.clone_from(&last.id);
            for image in page {
                let found: Vec<&Leftover> = locations.iter().filter(|it| it.image == image.id).collect();
                let failures: Vec<Failure> = found.iter().filter_map(|it| Some(failure(it, sealed(it)?))).collect();
                if failures.is_empty() {
                    report.done(scrubbed(image, found.len()));
                } else {
                    report.failed(failures);
                }
            }
        }
    }

    async fn scrub(&self, image: Due, until: DateTime<Utc>, shutdown: &CancellationToken) -> Outcome {
        if shutdown.is_cancelled() {
            return Outcome::Stopped;
        }
        let id = image.id.clone();
        match self.remove_data(image, until).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let why = chain(&error).to_string();
                tracing::error!(image.id = id, error = why, "an image could not be scrubbed; it comes again");
                Outcome::Left(vec![Failure { image: id, location: None, why }])
            }
        }
    }

    async fn remove_data(&self, image: Due, until: DateTime<Utc>) -> Result<Outcome, DbError> {
        let (id, cipher, now, begun) = (image.id.clone(), self.cipher.clone(), self.now(), image.begun);
        let claimed = self.db.write::<_, DbError, _>(move |tx| {
            if !begun && !pending::claim(tx, &id, until, now)? {
                return Ok(None);
            }
            pending::locations(tx, &cipher, &[&id]).map(Some)
        });
        let Some(found) = claimed.await? else { return Ok(Outcome::Others) };
        let count = found.len();
        if image.begun && count == 0 {
            return Ok(Outcome::Others);
        }
        let mut failures = Vec::new();
        for location in found {
            match self.remove(&location).await {
                Ok(()) => {
                    let (row, now) = (location.row, self.now());
                    self.db.write::<_, DbError, _>(move |tx| locations::removed(tx, &[row], now)).await?;
                }
                Err(why) => {
                    tracing::error!(image.id = image.id, location = location.row, error = why, "data is not removed");
                    failures.push(failure(&location, why));
                }
            }
        }
        if failures.is_empty() {
            tracing::info!(image.id = image.id, locations = count, size = image.size, "image scrubbed");
            return Ok(Outcome::Gone(scrubbed(image, count)));
        }
        if !image.begun {
            let (id, now) = (image.id, self.now());
            self.db.write::<_, DbError, _>(move |tx| pending::give_back(tx, &id, now)).await?;
        }
        Ok(Outcome::Left(failures))
    }

    async fn remove(&self, location: &Leftover) -> Result<(), String> {
        if let Some(why) = sealed(location) {
            return Err(why);
        }
        match self.stores.remove(&location.location).await {
            Ok(()) => Ok(()),
            Err(StoreError::NotFound { .. }) => {
                tracing::info!(image.id = location.image, location = location.row, "data was gone already");
                Ok(())
            }
            // Of a web server, which this one only reads from.
            Err(StoreError::ReadOnly { .. }) => Ok(()),
            // The URL may hold a password.
            Err(StoreError::Foreign { why, .. }) => Err(format!(
                "its data ({}) is not in this server's store: {why}",
                without_password(&location.location.url)
            )),
            Err(error) => Err(chain(&error).to_string()),
        }
    }
}

fn scrubbed(image: Due, locations: usize) -> Scrubbed {
    Scrubbed { id: image.id, deleted_at: image.deleted_at, size: image.size, locations }
}

fn failure(location: &Leftover, why: String) -> Failure {
    Failure { image: location.image.clone(), location: Some(location.row), why }
}

fn sealed(location: &Leftover) -> Option<String> {
    is_sealed(&location.location.url).then(|| "metadata_encryption_key does not open it".to_owned())
}

/// A URL for a message: without what stands before the host, and not too long.
pub(super) fn without_password(url: &str) -> String {
    let shown = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit_once('@').map_or(host.to_owned(), |it| format!("***@{}", it.1));
            format!("{scheme}://{host}{}", path.map_or(String::new(), |it| format!("/{it}")))
        }
        None => url.to_owned(),
    };
    shown.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn messages_show_no_passwords() {
        for (url, shown) in [
            ("file:///var/images/a@b", "file:///var/images/a@b"),
            ("swift+https://user:pass@auth.example/v1/c/o@2", "swift+https://***@auth.example/v1/c/o@2"),
            ("s3://key:sec@ret@host", "s3://***@host"),
            ("rbd://fsid/pool/image/snap", "rbd://fsid/pool/image/snap"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
