//! A segment on its way: its bytes go out as they come in.

use super::{
    fault::Fault,
    wire::{Ask, SILENCE, Session},
};
use bytes::Bytes;
use futures_util::stream;
use http::Method;
use reqwest::Body;
use std::{io, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// Pieces between the client and the server, each of at most about 1 MiB.
const WAITING: usize = 4;

/// From the last byte to the answer: the server writes it to its disks first.
const ANSWER: Duration = Duration::from_secs(300);

pub(super) struct Segment {
    sender: mpsc::Sender<Piece>,
    /// None once it is known.
    answer: Option<JoinHandle<Result<(), Fault>>>,
    /// Bytes that are still to come.
    pub(super) left: u64,
}

enum Piece {
    Bytes(Bytes),
    /// Without it the body breaks off, and the server keeps nothing.
    End,
}

// === impl Segment ===

impl Segment {
    pub(super) fn begin(session: Arc<Session>, container: String, name: String, len: u64) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let pieces = stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), receiver)),
                Some(Piece::End) => None,
                None => Some((Err(io::Error::other("the upload is broken off")), receiver)),
            }
        });
        let answer = tokio::spawn(async move {
            let ask = Ask { method: Method::PUT, container: &container, object: &name, ..Ask::default() };
            session.stream(&ask, Body::wrap_stream(pieces)).await
        });
        Self { sender, answer: Some(answer), left: len }
    }

    /// Hands over the next bytes; waits while the server is behind.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), Fault> {
        match timeout(SILENCE, self.sender.send(Piece::Bytes(bytes))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                Err(self.outcome().await.err().unwrap_or_else(|| Fault::new("the server wants no more of it")))
            }
            Err(_) => Err(Fault::new(format!("the server takes nothing for {} s", SILENCE.as_secs()))),
        }
    }

    /// That was all; waits until the server has it.
    pub(super) async fn end(&mut self) -> Result<(), Fault> {
        // Where nobody takes it, the answer says why.
        let _ = timeout(SILENCE, self.sender.send(Piece::End)).await;
        self.outcome().await
    }

    async fn outcome(&mut self) -> Result<(), Fault> {
        let Some(answer) = &mut self.answer else { return Err(Fault::new("the segment is over already")) };
        let outcome = match timeout(ANSWER, &mut *answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Fault::new("the request broke off")),
            Err(_) => {
                answer.abort();
                Err(Fault::new(format!("the server does not answer within {} s", ANSWER.as_secs())))
            }
        };
        self.answer = None;
        outcome
    }

    /// Breaks it off, and waits until nothing of it can come any more.
    pub(super) async fn broken_off(self) {
        let Self { sender, answer, .. } = self;
        drop(sender);
        if let Some(mut answer) = answer
            && timeout(ANSWER, &mut answer).await.is_err()
        {
            answer.abort();
        }
    }
}
