//! What came back: bounded, and read without showing more of it than is safe.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::de::DeserializeOwned;

use super::connect;
use crate::TokenError;
use crate::error::Problem;

/// Most bytes of an answer that are read.
const BOUND: usize = 256 * 1024;
/// Longest wait that is believed, whatever an answer asks for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(crate) struct Answer {
    /// Who answered, for messages.
    pub(crate) host: String,
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

/// A body may hold a token, so it prints its length only.
struct Body(Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} bytes", self.0.len())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Answer {
    pub(super) async fn read(host: String, mut response: Response) -> Result<Self, TokenError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Body(Vec::new());
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| connect::fault(&host, error))?
        {
            if body.0.len() + chunk.len() > BOUND {
                let problem = Problem::TooLarge { bound: BOUND };
                return Err(TokenError::Malformed { host, problem });
            }
            body.0.extend_from_slice(&chunk);
        }
        Ok(Self {
            host,
            status,
            headers,
            body,
        })
    }

    /// Makes an answer without a server, to show how it is read.
    #[cfg(test)]
    pub(crate) fn of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.parse().expect("a header");
            (HeaderName::from_static(name), value)
        });
        Self {
            host: "google".to_owned(),
            status: StatusCode::from_u16(status).expect("a status"),
            headers: headers.collect(),
            body: Body(body.as_bytes().to_vec()),
        }
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn has_metadata_flavor(&self) -> bool {
        let flavor = self.headers.get("metadata-flavor");
        flavor.is_some_and(|flavor| flavor == "Google")
    }

    /// Says how long to wait, where the answer says so in seconds or by a date: an hour at most.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.header(&RETRY_AFTER)?.trim();
        if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
            // More digits than a number has are very long too.
            let seconds = text.parse().unwrap_or(u64::MAX);
            return Some(believed(Duration::from_secs(seconds)));
        }
        let wait = parse_date(text)?.duration_since(self.date()?);
        Duration::try_from(wait).ok().map(believed)
    }

    /// Says what time it is where the answer comes from.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        parse_date(self.header(&DATE)?)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body.0).trim().to_owned()
    }

    /// Reads the body as JSON; a problem says where it is, never what is there.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, TokenError> {
        let problem = match serde_json::from_slice::<Option<T>>(&self.body.0) {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => Problem::Null,
            Err(_) if self.is_web_page() => Problem::WebPage,
            Err(error) if error.is_data() => Problem::Shape {
                line: error.line(),
                column: error.column(),
            },
            Err(error) => Problem::Json {
                line: error.line(),
                column: error.column(),
            },
        };
        Err(self.malformed(problem))
    }

    pub(crate) fn malformed(&self, problem: Problem) -> TokenError {
        TokenError::Malformed {
            host: self.host.clone(),
            problem,
        }
    }

    fn is_web_page(&self) -> bool {
        let kind = self.header(&CONTENT_TYPE).unwrap_or_default();
        kind.starts_with("text/html") || self.body.0.trim_ascii_start().starts_with(b"<")
    }
}

/// Shortens a wait that Google asks for to what is believed.
pub(crate) fn believed(wait: Duration) -> Duration {
    wait.min(LONGEST_WAIT)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    // HTTP writes the zone as a name.
    let text = text
        .strip_suffix("GMT")
        .map(|date| format!("{date}+0000"))?;
    DateTimeParser::new().parse_timestamp(&text).ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Number {
        #[expect(dead_code, reason = "only its shape is looked at")]
        number: u64,
    }

    fn problem(headers: &[(&'static str, &str)], body: &str) -> Problem {
        match Answer::of(200, headers, body).json::<Number>() {
            Err(TokenError::Malformed { problem, .. }) => problem,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_without_showing_it() {
        assert_eq!(problem(&[], "null"), Problem::Null);
        assert_eq!(problem(&[], "<html>"), Problem::WebPage);
        let html = [("content-type", "text/html; charset=UTF-8")];
        assert_eq!(problem(&html, "Error 502"), Problem::WebPage);
        assert!(matches!(
            problem(&[], r#"{"number":"#),
            Problem::Json { .. }
        ));
        assert!(matches!(problem(&[], ""), Problem::Json { .. }));
        let shape = problem(&[], r#"{"number":"ya29.secret"}"#);
        assert!(!shape.to_string().contains("ya29"), "{shape}");
        assert!(matches!(shape, Problem::Shape { .. }));
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        let after = |headers: &[_]| Answer::of(429, headers, "").retry_after();
        assert_eq!(after(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        let endless = ["3601", "18446744073709551615", "99999999999999999999999"];
        for endless in endless {
            let hour = Some(Duration::from_hours(1));
            assert_eq!(after(&[("retry-after", endless)]), hour, "{endless}");
        }
        let date = ("date", "Sun, 29 Nov 2026 10:00:00 GMT");
        assert_eq!(
            after(&[date, ("retry-after", "Sun, 29 Nov 2026 10:00:30 GMT")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            after(&[date, ("retry-after", "Sun, 29 Nov 2026 09:00:00 GMT")]),
            None
        );
        assert_eq!(
            after(&[date, ("retry-after", "Mon, 29 Nov 2027 10:00:00 GMT")]),
            Some(Duration::from_hours(1))
        );
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn an_answer_does_not_print_its_body() {
        let answer = Answer::of(200, &[], r#"{"access_token":"ya29.secret"}"#);
        assert!(!format!("{answer:?}").contains("ya29"));
    }
}
