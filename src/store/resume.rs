//! Reads that go on where they break off: one range request, and another one for the rest.

use crate::base::chain;
use crate::store::{Blocks, StoreError};
use async_stream::try_stream;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use std::{ops::Range, time::Duration};

/// Requests in a row that may fail without this much coming in between, bytes.
pub(super) const FAILURES: u32 = 6;
const PROGRESS: u64 = 1 << 20;

/// Requests for one read in all.
const REQUESTS: u32 = 1000;

/// The pause after the first failure; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Why an answer came to nothing, or broke off.
pub(super) struct Broken {
    pub(super) error: StoreError,
    /// Another request may fare better.
    pub(super) again: bool,
}

/// An answer's bytes as they come.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, Broken>>;

/// Data that a server gives ranges of.
pub(super) trait Ranged: Send + Sync + 'static {
    /// Asks once for a range, which is not empty. Whoever answers bounds every wait, and gives nothing but these bytes;
    /// that there are fewer of them is found out here.
    fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Pieces, Broken>>;

    /// The URL for messages: nothing of keys.
    fn shown(&self) -> String;

    /// Requests in a row that may fail.
    fn failures(&self) -> u32 {
        FAILURES
    }
}

/// Where a read stands.
struct Reading<R> {
    source: R,
    left: Range<u64>,
    /// None until it is asked for, and when it has broken off.
    open: Option<Pieces>,
    failures: u32,
    requests: u32,
    /// The first byte after the last failure.
    since: u64,
}

/// The bytes of `range`.
pub(super) async fn read(source: impl Ranged, range: Range<u64>) -> Result<Blocks, StoreError> {
    if range.is_empty() {
        return Ok(stream::empty().boxed());
    }
    let mut reading = Reading { source, since: range.start, left: range, open: None, failures: 0, requests: 0 };
    // The first bytes are waited for, so that a server that gives none is an error before anything is sent on.
    let first = reading.next().await?;
    let blocks = try_stream! {
        yield first;
        while !reading.left.is_empty() {
            yield reading.next().await?;
        }
    };
    Ok(blocks.boxed())
}

/// The pause, and up to half of it more: many wait for the same server.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause + pause.mul_f64(rand::random::<f64>() / 2.0)
}

// === impl Reading ===

impl<R: Ranged> Reading<R> {
    /// The next bytes; never none.
    async fn next(&mut self) -> Result<Bytes, StoreError> {
        loop {
            match self.piece().await {
                Ok(mut piece) if !piece.is_empty() => {
                    piece.truncate(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
                    self.left.start += piece.len() as u64;
                    if self.left.start - self.since >= PROGRESS {
                        self.failures = 0;
                    }
                    return Ok(piece);
                }
                Ok(_) => {
                    let error = self.remote("the data ends before its end");
                    self.failed(Broken { error, again: true }).await?;
                }
                Err(broken) => self.failed(broken).await?,
            }
        }
    }

    /// Empty at the end of an answer.
    async fn piece(&mut self) -> Result<Bytes, Broken> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                self.requests += 1;
                let pieces = self.source.ask(self.left.clone()).await?;
                self.open.insert(pieces)
            }
        };
        open.next().await.unwrap_or(Ok(Bytes::new()))
    }

    /// Waits before the next request, or says that there is none.
    async fn failed(&mut self, Broken { error, again }: Broken) -> Result<(), StoreError> {
        self.open = None;
        self.failures += 1;
        self.since = self.left.start;
        if !again || self.failures >= self.source.failures() || self.requests >= REQUESTS {
            return Err(match error {
                // It was there when the first bytes came.
                StoreError::NotFound { .. } if self.requests > 1 => self.remote("it is not there any more"),
                other => other,
            });
        }
        tracing::debug!(
            url = self.source.shown(),
            at = self.left.start,
            error = %chain(&error),
            "reading goes on with another request"
        );
        tokio::time::sleep(jittered(FIRST_PAUSE * 2_u32.pow(self.failures.min(10) - 1))).await;
        Ok(())
    }

    fn remote(&self, what: &str) -> StoreError {
        StoreError::Remote { step: "read", url: self.source.shown(), what: what.to_owned(), source: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, TryStreamExt};
    use std::sync::{Arc, Mutex};

    /// What a server gives to each request in turn: so many bytes, and then an end or an error.
    struct Server {
        data: Vec<u8>,
        answers: Mutex<Vec<(usize, Option<Broken>)>>,
        asked: Arc<Mutex<Vec<Range<u64>>>>,
    }

    impl Ranged for Server {
        fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Pieces, Broken>> {
            self.asked.lock().unwrap().push(range.clone());
            let (bytes, end) = self.answers.lock().unwrap().remove(0);
            let from = usize::try_from(range.start).unwrap();
            let piece = Bytes::copy_from_slice(&self.data[from..(from + bytes).min(self.data.len())]);
            let pieces = [Some(Ok(piece)).filter(|_| bytes > 0), end.map(Err)];
            std::future::ready(Ok(stream::iter(pieces.into_iter().flatten()).boxed())).boxed()
        }

        fn shown(&self) -> String {
            "x://data".to_owned()
        }
    }

    fn broken(again: bool) -> Option<Broken> {
        Some(Broken { error: StoreError::NotFound { url: "x://data".to_owned() }, again })
    }

    /// What is read of 100 bytes, and the ranges that were asked for.
    async fn get(answers: Vec<(usize, Option<Broken>)>) -> (Result<Vec<u8>, StoreError>, Vec<Range<u64>>) {
        let asked = Arc::default();
        let server = Server { data: (0..120).collect(), answers: answers.into(), asked: Arc::clone(&asked) };
        let read = async { read(server, 10..100).await?.try_collect::<Vec<Bytes>>().await };
        let read = read.await.map(|it| it.concat());
        let asked = asked.lock().unwrap().clone();
        (read, asked)
    }

    #[tokio::test]
    async fn what_breaks_off_goes_on_where_it_was() {
        let whole: Vec<u8> = (10..100).collect();
        let (read, asked) = get(vec![(90, None)]).await;
        assert_eq!((read.unwrap(), asked.len()), (whole.clone(), 1));
        // Early ends, errors, answers of nothing, and one that gives too much.
        let (read, asked) = get(vec![(40, None), (0, None), (30, broken(true)), (0, broken(true)), (40, None)]).await;
        assert_eq!(read.unwrap(), whole);
        assert_eq!(asked, [10..100, 50..100, 50..100, 80..100, 80..100]);
    }

    #[tokio::test]
    async fn there_is_an_end_of_trying() {
        let nothing = get((0..10).map(|_| (0, None)).collect());
        // A few bytes each time are no progress.
        let little = get((0..10).map(|_| (1, broken(true))).collect());
        let ((nothing, asked), (little, asked_again)) = tokio::join!(nothing, little);
        assert!(matches!(nothing.unwrap_err(), StoreError::Remote { .. }) && little.is_err());
        assert_eq!([asked.len(), asked_again.len()], [FAILURES as usize; 2]);
        let (read, asked) = get(vec![(0, broken(false))]).await;
        assert!(matches!(read.unwrap_err(), StoreError::NotFound { .. }) && asked.len() == 1);
        // It was there when it was begun.
        let (read, _) = get(vec![(5, broken(true)), (0, broken(false))]).await;
        assert!(matches!(read.unwrap_err(), StoreError::Remote { .. }));
    }
}
