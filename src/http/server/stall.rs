//! Ends connections whose client does nothing, or does it too slowly.
//!
//! ```text
//! idle (keep_alive_timeout) ── first byte ──→ head (header_timeout) ── handler called ──→ busy ── answer sent ──→ idle
//! ```
//!
//! While busy, reading is the body's own matter ([`crate::http::body`]); an answer that the client does not take is
//! timed here, piece by piece.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Counts the turns between idle (even) and busy (odd) of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<AtomicU64>);

/// While it lives, the connection is busy with a request.
#[derive(Debug)]
pub(super) struct Busy(Turns);

/// A stream with time limits.
pub(super) struct StallGuard<S> {
    stream: S,
    turns: Turns,
    seen: u64,
    limits: Limits,
    wait: Option<(Wait, Pin<Box<Sleep>>)>,
    write: Option<Pin<Box<Sleep>>>,
    /// What is still read after our side is closed.
    linger: Option<Linger>,
}

/// A client that is still sending a header that was refused would get a reset in place of the answer that says why.
struct Linger {
    left: usize,
    end: Pin<Box<Sleep>>,
}

/// How long, and how many bytes, such a client may go on.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 4 << 20);

/// The time limits of a [`StallGuard`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) idle: Duration,
    pub(super) head: Duration,
    pub(super) write: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Idle,
    Head,
}

// === impl Turns ===

impl Turns {
    pub(super) fn busy(&self) -> Busy {
        self.0.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }

    /// Which pause between requests this is; none while there is a request.
    pub(super) fn idle(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|it| it % 2 == 0)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

// === impl StallGuard ===

impl<S> StallGuard<S> {
    pub(super) fn new(stream: S, turns: Turns, limits: Limits) -> Self {
        Self { stream, turns, seen: 0, limits, wait: None, write: None, linger: None }
    }

    /// Times a write that does not proceed; any progress starts anew.
    fn timed_write<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write = None;
            return poll;
        }
        let limit = self.limits.write;
        let sleep = self.write.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take the answer")))
    }
}

impl<S: AsyncRead + Unpin> StallGuard<S> {
    /// Reads on until the client closes, or has gone on for too long.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(linger) = &mut self.linger else { return Poll::Ready(()) };
        let mut space = [0; 16 << 10];
        while linger.left > 0 && linger.end.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    linger.left = linger.left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let turn = this.turns.0.load(Ordering::Acquire);
        if turn != this.seen {
            this.seen = turn;
            this.wait = None;
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(cx, buf);
        if turn % 2 == 1 {
            return poll;
        }
        let wanted = match &poll {
            Poll::Ready(Ok(())) if buf.filled().len() > before => Wait::Head,
            Poll::Ready(_) => return poll,
            Poll::Pending => this.wait.as_ref().map_or(Wait::Idle, |(wait, _)| *wait),
        };
        if this.wait.as_ref().is_none_or(|(wait, _)| *wait != wanted) {
            let limit = if wanted == Wait::Head { this.limits.head } else { this.limits.idle };
            this.wait = Some((wanted, Box::pin(sleep_until(Instant::now() + limit))));
        }
        if this.wait.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends no whole request")));
        }
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.timed_write(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.timed_write(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.timed_write(cx, poll))?;
            let is_reading_head = self.turns.idle() == Some(self.seen) && matches!(self.wait, Some((Wait::Head, _)));
            if !is_reading_head {
                return Poll::Ready(Ok(()));
            }
            self.linger = Some(Linger { left: LINGER.1, end: Box::pin(sleep_until(Instant::now() + LINGER.0)) });
        }
        self.poll_linger(cx).map(Ok)
    }
}
