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

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Mutex;

    use axum::Router;
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::super::{Call, Limits, Sender, Tls};
    use super::*;
    use crate::Cost;
    use crate::egress::Policy;

    /// Asks a server for ten bytes of which `bound` are read, and gives what came of it.
    async fn read(bound: usize) -> (Result<usize, Fault>, io::Result<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().fallback(|| std::future::ready("0123456789"));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let reading: Arc<Mutex<Option<JoinHandle<io::Result<String>>>>> = Arc::default();
        let last = Arc::clone(&reading);
        let reader = BodyReader::new(Duration::from_secs(10), move |mut body| {
            let task = tokio::task::spawn_blocking(move || {
                let mut text = String::new();
                body.read_to_string(&mut text).map(|_| text)
            });
            *last.lock().expect("nobody panicked") = Some(task);
        });
        let policy = Arc::new(Policy::new().with_loopback());
        let sender = Sender::new(policy, Arc::<Tls>::default(), false, Limits::default());
        let url = format!("http://{address}/").parse().expect("a URL");
        let call = Call::get(url, bound, &Cost::default()).read_by(reader);
        let answer = sender.send_paced(&call).await;
        server.abort();
        let task = reading.lock().expect("nobody panicked").take();
        let text = task.expect("a body").await.expect("nobody panicked");
        (answer.map(|it| it.body.len()), text)
    }

    #[tokio::test]
    async fn a_body_is_handed_out_up_to_its_bound() {
        let (answer, text) = read(10).await;
        assert_eq!(answer.expect("an answer"), 0, "it is not held as well");
        assert_eq!(text.expect("the whole body"), "0123456789");

        let (answer, text) = read(9).await;
        let fault = answer.expect_err("a larger body");
        assert!(matches!(fault, Fault::TooLarge { bound: 9, .. }), "{fault}");
        text.expect_err("it must not look as if it had ended");
    }
}
