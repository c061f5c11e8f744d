//! What a token or a private key looks like, plain or wrapped, and a log of everything that keeps the lines with one.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use testkit::google::TOKEN_PREFIX;
use tracing_subscriber::fmt::MakeWriter;

/// How a JSON Web Token begins, and a registry token of Google's, which is JSON in base64 too.
const JSON_IN_BASE64: &str = "eyJ";

/// How a private key begins and ends in PEM.
const KEY_IN_PEM: &str = "PRIVATE KEY-----";
/// How much of a key's text is enough to know it by.
const PIECE: usize = 30;

/// Who tells the crate `log` of each connection.
const OTHER_CRATE: &str = "reqwest::connect";

/// What must not be seen.
static LOOKS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Fails where a text shows a token or a private key.
pub(crate) fn check(what: &str, text: &str) -> Result<()> {
    let looks = LOOKS.read().unwrap_or_else(PoisonError::into_inner);
    let shown = looks.iter().find(|it| text.contains(it.as_str()));
    ensure!(shown.is_none(), "{what} shows a secret: {text}");
    Ok(())
}

/// Begins to look for tokens and for keys of any kind.
pub(crate) fn look_for_all_kinds() {
    let mut looks = LOOKS.write().unwrap_or_else(PoisonError::into_inner);
    looks.push(JSON_IN_BASE64.to_owned());
    for text in [TOKEN_PREFIX, KEY_IN_PEM] {
        looks.push(text.to_owned());
        looks.extend(wrapped(text));
    }
}

/// Begins to look for pieces of this key too, which is in PEM.
pub(crate) fn also(key: &str) {
    let mut looks = LOOKS.write().unwrap_or_else(PoisonError::into_inner);
    for line in key
        .lines()
        .filter(|it| it.len() > PIECE && !it.contains('-'))
    {
        looks.push(line[..PIECE].to_owned());
        looks.extend(wrapped(&line[..PIECE]));
    }
}

/// How a text looks in base64, at any place of a longer one.
fn wrapped(text: &str) -> impl Iterator<Item = String> {
    (0..3).map(move |before| {
        let text = format!("{}{text}", "-".repeat(before));
        let encoded = BASE64_STANDARD.encode(&text);
        let from = (before * 8).div_ceil(6);
        encoded[from..text.len() * 8 / 6].to_owned()
    })
}

/// Everything that this process logs, down to the smallest.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    count: usize,
    /// Whether there was one of a library that tells of itself by the crate `log`.
    has_other_crates: bool,
    shown: Vec<String>,
}

impl Watch {
    /// Begins to look at every line.
    pub(crate) fn begin() -> Self {
        look_for_all_kinds();
        let watch = Self::default();
        // As the program itself does, so that what libraries tell the crate `log` is seen too.
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(watch.clone())
            .try_init()
            .expect("nobody else listens");
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
        ensure!(lines.has_other_crates, "no line of {OTHER_CRATE}");
        ensure!(lines.shown.is_empty(), "shown in logs: {:#?}", lines.shown);
        Ok(())
    }
}

impl io::Write for Watch {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.count += 1;
        lines.has_other_crates |= text.contains(OTHER_CRATE);
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
fn a_token_and_a_key_are_seen_plain_and_wrapped() {
    look_for_all_kinds();
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    also(&key);
    for text in [&key, body, &body[..PIECE]] {
        assert!(check("it", text).is_err(), "{text}");
        for before in ["", "a", "ab"] {
            let text = BASE64_STANDARD.encode(format!("{before}{text}"));
            assert!(check("it", &text).is_err(), "{text}");
        }
    }
    let token = format!("{TOKEN_PREFIX}0123456789abcdef");
    for before in ["", "oauth2accesstoken:", "u:", "ab:"] {
        let text = BASE64_STANDARD.encode(format!("{before}{token}"));
        assert!(check("it", &text).is_err(), "{before}");
    }
    assert!(check("it", &token).is_err());
    assert!(check("it", "serviceAccount:kargo-project-acme@acme-prod").is_ok());
}
