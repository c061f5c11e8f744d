//! Hands out the body of an answer while it arrives, to whoever reads it on a thread of their own.
//!
//! What is too large to hold is read piece by piece. Each answer that is a success opens a body of its own, so a request
//! that is repeated since its body broke off starts afresh; a body that broke off never looks as if it had ended.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::Fault;

/// Pieces that wait for their reader.
const WAITING: usize = 16;

/// Starts whoever reads a body: once for each answer that is a success.
#[derive(Clone)]
pub(crate) struct BodyReader {
    start: Arc<dyn Fn(Body) + Send + Sync>,
    /// Longest wait for the whole of a body.
    pub(super) timeout: Duration,
}

impl BodyReader {
    /// Reads bodies that arrive within `timeout` by `start`, which has to return at once.
    pub(crate) fn new(timeout: Duration, start: impl Fn(Body) + Send + Sync + 'static) -> Self {
        let start = Arc::new(start);
        Self { start, timeout }
    }

    /// Passes a body on as far as somebody reads it.
    pub(super) async fn pass(
        &self,
        mut response: reqwest::Response,
        host: &str,
        bound: usize,
    ) -> Result<(), Fault> {
        let (tx, rx) = mpsc::channel(WAITING);
        (self.start)(Body {
            rx,
            left: Bytes::new(),
            is_over: false,
        });
        let mut length = 0_usize;
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| Fault::reading(host, error))?
        {
            length = length.saturating_add(chunk.len());
            if length > bound {
                let host = host.to_owned();
                return Err(Fault::TooLarge { host, bound });
            }
            if tx.send(Piece::Bytes(chunk)).await.is_err() {
                return Ok(());
            }
        }
        // Whoever has stopped to read does not need the end either.
        tx.send(Piece::End).await.ok();
        Ok(())
    }
}

impl fmt::Debug for BodyReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BodyReader")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

enum Piece {
    Bytes(Bytes),
    End,
}

/// The body of one answer. Reading it waits for the network, so it is not for async code.
pub(crate) struct Body {
    rx: mpsc::Receiver<Piece>,
    left: Bytes,
    is_over: bool,
}

impl io::Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() && !self.is_over {
            match self.rx.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.left = bytes,
                Some(Piece::End) => self.is_over = true,
                None => return Err(io::Error::other("the answer broke off")),
            }
        }
        let length = self.left.len().min(buffer.len());
        self.left.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
