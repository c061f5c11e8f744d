//! What a token looks like, plain or wrapped, and a log of everything that keeps the lines with one.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use testkit::google::TOKEN_PREFIX;
use tracing_subscriber::fmt::MakeWriter;

/// How a JSON Web Token begins, and a registry token of Google's, which is JSON in base64 too.
const JSON_IN_BASE64: &str = "eyJ";

/// Fails where a text shows a token.
pub(crate) fn check(what: &str, text: &str) -> Result<()> {
    let shown = looks().into_iter().find(|it| text.contains(it.as_str()));
    ensure!(shown.is_none(), "{what} shows a token: {text}");
    Ok(())
}

/// The ways to see one: as it is, or in base64 at any place of a longer text.
fn looks() -> Vec<String> {
    let wrapped = (0..3).map(|before| {
        let text = format!("{}{TOKEN_PREFIX}", "-".repeat(before));
        let encoded = BASE64_STANDARD.encode(&text);
        let from = (before * 8).div_ceil(6);
        encoded[from..text.len() * 8 / 6].to_owned()
    });
    let plain = [TOKEN_PREFIX.to_owned(), JSON_IN_BASE64.to_owned()];
    plain.into_iter().chain(wrapped).collect()
}

/// Everything that this process logs, down to the smallest.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    count: usize,
    shown: Vec<String>,
}

impl Watch {
    /// Begins to look at every line.
    pub(crate) fn begin() -> Self {
        let watch = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(watch.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
        watch
    }

    /// Says which lines showed a token, if lines were seen at all.
    pub(crate) fn end(&self) -> Result<()> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(
            lines.count > 1_000,
            "only {} lines were logged",
            lines.count
        );
        ensure!(lines.shown.is_empty(), "shown in logs: {:#?}", lines.shown);
        Ok(())
    }
}

impl io::Write for Watch {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.count += 1;
        if check("a line", &text).is_err() {
            lines.shown.push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Watch {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn a_token_is_seen_plain_and_wrapped() {
    let token = format!("{TOKEN_PREFIX}0123456789abcdef");
    for before in ["", "oauth2accesstoken:", "u:", "ab:"] {
        let text = BASE64_STANDARD.encode(format!("{before}{token}"));
        assert!(check("it", &text).is_err(), "{before}");
    }
    assert!(check("it", &token).is_err());
    assert!(check("it", "serviceAccount:kargo-project-acme@acme-prod").is_ok());
}
