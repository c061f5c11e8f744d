//! A token as a service gives it, before it is said whose it is.

use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::Deserialize;

use crate::TokenError;
use crate::error::Problem;
use crate::http::Answer;
use crate::token::{Identity, Token};

#[derive(Debug)]
pub(crate) struct Granted {
    access_token: Secret<String>,
    expires: Timestamp,
}

/// What services answer that count a token's life in seconds: the metadata server, STS, OAuth.
#[derive(Deserialize)]
struct Wire {
    access_token: String,
    /// STS leaves it out where next to nothing is left.
    #[serde(default)]
    expires_in: i64,
}

/// Reads a token whose life is counted from when it was asked for, by our own clock: a skewed one does no harm.
pub(crate) fn read_granted(answer: &Answer, asked_at: Timestamp) -> Result<Granted, TokenError> {
    let wire: Wire = answer.json()?;
    let life = SignedDuration::from_secs(wire.expires_in);
    Granted::new(answer, wire.access_token, asked_at, life)
}

impl Granted {
    pub(crate) fn new(
        answer: &Answer,
        access_token: String,
        asked_at: Timestamp,
        life: SignedDuration,
    ) -> Result<Self, TokenError> {
        let access_token = Secret::new(access_token);
        if access_token.expose().is_empty() {
            return Err(answer.malformed(Problem::Empty));
        }
        if life <= SignedDuration::ZERO {
            return Err(answer.malformed(Problem::Expired));
        }
        // A day is more than any token lives, and keeps the sum in range.
        let expires = asked_at + life.min(SignedDuration::from_hours(24));
        Ok(Self {
            access_token,
            expires,
        })
    }

    pub(crate) fn of(self, identity: Identity) -> Token {
        Token {
            access_token: self.access_token,
            identity,
            expires: self.expires,
            doubt: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<i64, String> {
        let now = Timestamp::UNIX_EPOCH;
        match read_granted(&Answer::of(200, &[], body), now) {
            Ok(granted) => Ok(granted.expires.as_second()),
            Err(TokenError::Malformed { problem, .. }) => Err(problem.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_lives_from_when_it_was_asked_for() {
        let body = |life: i64| format!(r#"{{"access_token":"ya29.x","expires_in":{life}}}"#);
        assert_eq!(read(&body(3_599)), Ok(3_599));
        assert_eq!(read(&body(1)), Ok(1));
        assert_eq!(read(&body(i64::MAX)), Ok(86_400));
        for life in [0, -1, i64::MIN] {
            assert_eq!(read(&body(life)), Err("the token has expired".to_owned()));
        }
    }

    #[test]
    fn what_is_no_token_is_said_without_showing_it() {
        for (body, problem) in [
            ("null", "JSON null"),
            ("<!doctype html>", "a web page"),
            (
                r#"{"access_token":"","expires_in":9}"#,
                "the token is empty",
            ),
            (r#"{"access_token":"ya29.x"}"#, "the token has expired"),
            (
                r#"{"expires_in":9}"#,
                "JSON of another shape, at line 1, column 16",
            ),
            (
                r#"{"access_token":{"a":1},"expires_in":"ya29.x"}"#,
                "JSON of another shape, at line 1, column 16",
            ),
            (
                r#"{"access_token":"ya29."#,
                "not JSON, at line 1, column 22",
            ),
            ("", "not JSON, at line 1, column 0"),
        ] {
            assert_eq!(read(body), Err(problem.to_owned()), "{body}");
        }
    }
}
