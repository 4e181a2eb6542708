//! The bytes of an image, picked up again after a cut, verified at the end.

use super::{
    TransferError,
    fetcher::{Limits, Work},
    landing::Landing,
    resume,
    sink::Sink,
};
use crate::agent::{execute::staged::Staged, lists::Lists, plan::fetch::Order};
use crate::base::{chain, digest::Algorithm, pieces::Pieces, sparse::Cache};
use crate::image::signature::Signer;
use crate::remote::Catalogue;
use futures_util::StreamExt;
use std::{path::PathBuf, time::Duration};
use tokio::time::{sleep, timeout};

/// The wait before a transfer is picked up again; doubled each time, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a transfer works with.
pub(super) struct Transfer<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) lists: &'a Lists,
    pub(super) order: &'a Order,
    pub(super) limits: &'a Limits,
    /// Who must have signed it.
    pub(super) signer: Option<&'a Signer>,
    pub(super) work: &'a Work<'a>,
}

/// How one pull ended.
enum Pulled {
    All,
    /// It may go on; the error says why it did not.
    Cut(TransferError),
}

// === impl Transfer ===

impl Transfer<'_> {
    /// Brings all bytes into a file at `path`; what it gives back has the length and the hash of the record.
    ///
    /// When it fails in a way that may pass, what has come stays there for the next try.
    pub(super) async fn run(&self, path: PathBuf, cache: Cache) -> Result<(Staged, Pieces), TransferError> {
        let (staged, start) = resume::begin(path, self.order, self.lists, self.work.cancel).await?;
        let mut sink = Sink::new(start, self.order, cache, Landing::new(self.work, self.limits));
        self.work.place.fetching(sink.taken(), self.order.size);
        let (outcome, of_use) = match self.pull_all(&mut sink).await {
            Ok(()) => (self.verify(sink, &staged).await, false),
            Err(error) => {
                let of_use = sink.abandon().await && error.may_go_on();
                (Err(error), of_use)
            }
        };
        match outcome {
            Ok(pieces) => Ok((staged, pieces)),
            Err(error) if of_use => {
                staged.keep();
                Err(error)
            }
            Err(error) => {
                staged.discard().await;
                Err(error)
            }
        }
    }

    async fn pull_all(&self, sink: &mut Sink) -> Result<(), TransferError> {
        let mut cuts = 0;
        loop {
            let before = sink.taken();
            let pulled = tokio::select! {
                biased;
                () = self.work.cancel.cancelled() => return Err(TransferError::Cancelled),
                pulled = self.pull(sink) => pulled?,
            };
            let Pulled::Cut(mut error) = pulled else { return Ok(()) };
            cuts = if sink.taken() > before { 1 } else { cuts + 1 };
            if let TransferError::Remote { cuts: said, .. } = &mut error {
                *said = cuts;
            }
            if cuts > self.limits.cuts {
                return Err(error);
            }
            tracing::info!(
                image.id = %self.order.id, got = sink.taken(), error = %chain(&error),
                "the transfer was cut, it goes on from there"
            );
            metrics::counter!("larder_fetch_cuts_total").increment(1);
            let pause = PAUSE.saturating_mul(2_u32.saturating_pow((cuts - 1).min(16))).min(LONGEST_PAUSE);
            tokio::select! {
                () = self.work.cancel.cancelled() => return Err(TransferError::Cancelled),
                () = sleep(pause) => {}
            }
        }
    }

    /// One download, from where the last one ended.
    async fn pull(&self, sink: &mut Sink) -> Result<Pulled, TransferError> {
        let patience = self.limits.patience;
        let start = sink.taken();
        if start > 0 && self.order.size == Some(start) {
            return Ok(Pulled::All);
        }
        let cut = |got, source| TransferError::Remote { got, cuts: 0, source };
        let answer = match timeout(patience, self.catalogue.download(&self.order.id, start)).await {
            Err(_) => return Ok(Pulled::Cut(TransferError::Stalled { got: start, patience })),
            Ok(Err(error)) if error.is_transient() => return Ok(Pulled::Cut(cut(start, error))),
            Ok(Err(error)) => return Err(cut(start, error)),
            Ok(Ok(answer)) => answer,
        };
        if let Some((got, expected)) = answer.total.zip(self.order.size).filter(|(got, expected)| got != expected) {
            return Err(TransferError::Length { got, expected });
        }
        // A server that cannot start in the middle sends what is here already once more.
        let mut again = start.saturating_sub(answer.start);
        let mut body = answer.body;
        let mut gate = self.work.gate.clone();
        loop {
            let mut bytes = match timeout(patience, body.next()).await {
                Err(_) => return Ok(Pulled::Cut(TransferError::Stalled { got: sink.taken(), patience })),
                Ok(None) => break,
                Ok(Some(Err(error))) if error.is_transient() => return Ok(Pulled::Cut(cut(sink.taken(), error))),
                Ok(Some(Err(error))) => return Err(cut(sink.taken(), error)),
                Ok(Some(Ok(bytes))) => bytes,
            };
            let known = again.min(bytes.len() as u64);
            again -= known;
            let bytes = bytes.split_off(known as usize);
            let len = bytes.len() as u64;
            let got = sink.taken() + len;
            if let Some(expected) = self.order.size.filter(|it| got > *it) {
                return Err(TransferError::Length { got, expected });
            }
            gate.pass(len, &self.work.place).await;
            if !sink.take(bytes).await {
                // Writing has failed; the sink tells why at its end.
                return Ok(Pulled::All);
            }
            metrics::counter!("larder_fetched_bytes_total").increment(len);
            self.work.place.fetching(sink.taken(), self.order.size.or(answer.total));
        }
        match self.order.size {
            // An unframed body that ended early looks like one that is complete.
            Some(expected) if sink.taken() < expected => {
                Ok(Pulled::Cut(TransferError::Length { got: sink.taken(), expected }))
            }
            _ => Ok(Pulled::All),
        }
    }

    async fn verify(&self, sink: Sink, staged: &Staged) -> Result<Pieces, TransferError> {
        self.work.place.set(crate::admin::ImageState::Verifying);
        let got = sink.taken();
        let (hashes, pieces) = sink.finish(staged, self.order).await?;
        if let Some(expected) = self.order.size.filter(|it| *it != got) {
            return Err(TransferError::Length { got, expected });
        }
        let hash = |of: Algorithm| hashes.iter().find(|(it, _)| *it == of).map_or("", |(_, hash)| hash);
        if let Some((algorithm, expected)) = self.order.digest.as_ref().filter(|(it, hex)| hash(*it) != hex) {
            let (got, expected) = (hash(*algorithm).to_owned(), expected.clone());
            return Err(TransferError::Hash { algorithm: *algorithm, got, expected });
        }
        if let Some(signer) = self.signer {
            signer.verify(hash(signer.signature().hash())).map_err(TransferError::Signature)?;
        }
        Ok(pieces)
    }
}
