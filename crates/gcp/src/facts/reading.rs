//! One thing that was looked at: what was seen, or why nothing was.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::denial::Denial;

/// What was asked, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<T> {
    pub source: Source,
    pub seen: Seen<T>,
}

/// Where a fact comes from; never with a token or a header.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// For example `GET https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one`.
    pub request: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// When it was answered, where the answer may tell how things were some time before that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    Known(T),
    Denied(Denial),
    Absent,
    Unreachable {
        why: String,
    },
    /// Nobody asked, as this place cannot or was told not to.
    Skipped,
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub source: Source,
    pub why: String,
    /// Whether nobody asked, rather than asked in vain.
    pub skipped: bool,
}

impl<T> Seen<T> {
    /// Carries over why there is no value, to a reading of something else.
    fn and_then<U>(self, then: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Self::Known(value) => then(value),
            Self::Denied(denial) => Seen::Denied(denial),
            Self::Absent => Seen::Absent,
            Self::Unreachable { why } => Seen::Unreachable { why },
            Self::Skipped => Seen::Skipped,
        }
    }
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        Self {
            source: Source::default(),
            seen: Seen::Skipped,
        }
    }
}

impl<T> Reading<T> {
    pub fn known_from(request: &str, value: T) -> Self {
        Self {
            source: Source::new(request, Some(200)),
            seen: Seen::Known(value),
        }
    }

    pub fn absent(request: &str) -> Self {
        Self {
            source: Source::new(request, Some(404)),
            seen: Seen::Absent,
        }
    }

    pub fn unreachable(request: &str, why: &str) -> Self {
        Self {
            source: Source::new(request, None),
            seen: Seen::Unreachable {
                why: why.to_owned(),
            },
        }
    }

    /// Judges an answer that is not a success, by its status and the structure of its body.
    ///
    /// A 404 counts as absent only with a body in Google's or a registry's form: anything else may be a proxy's.
    pub fn of_refusal(request: &str, status: u16, body: &str) -> Self {
        let denial = Denial::parse(body);
        let seen = match (status, denial) {
            (404, Some(_)) => Seen::Absent,
            (400 | 401 | 403 | 412, Some(denial)) => Seen::Denied(denial),
            (401 | 403, None) => Seen::Denied(Denial::of_text(body)),
            (_, denial) => Seen::Unreachable {
                why: denial.map_or_else(|| format!("HTTP {status}"), |it| it.message),
            },
        };
        Self {
            source: Source::new(request, Some(status)),
            seen,
        }
    }

    /// Borrows what was seen.
    pub fn as_ref(&self) -> Reading<&T> {
        let seen = match &self.seen {
            Seen::Known(value) => Seen::Known(value),
            Seen::Denied(denial) => Seen::Denied(denial.clone()),
            Seen::Absent => Seen::Absent,
            Seen::Unreachable { why } => Seen::Unreachable { why: why.clone() },
            Seen::Skipped => Seen::Skipped,
        };
        Reading {
            source: self.source.clone(),
            seen,
        }
    }

    /// Makes something else of what was seen.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Reading<U> {
        Reading {
            source: self.source,
            seen: self.seen.and_then(|value| Seen::Known(map(value))),
        }
    }

    /// Makes something else of what was seen, unless that cannot be used.
    pub fn try_map<U, E: fmt::Display>(self, map: impl FnOnce(T) -> Result<U, E>) -> Reading<U> {
        let seen = self.seen.and_then(|value| match map(value) {
            Ok(value) => Seen::Known(value),
            Err(error) => Seen::Unreachable {
                why: error.to_string(),
            },
        });
        Reading {
            source: self.source,
            seen,
        }
    }

    /// Gives what was seen, or says why it is not known.
    pub fn known(&self) -> Result<&T, Gap> {
        match &self.seen {
            Seen::Known(value) => Ok(value),
            Seen::Denied(denial) => Err(self.gap(denial.says())),
            Seen::Absent => Err(self.gap("it does not exist".to_owned())),
            Seen::Unreachable { why } => Err(self.gap(why.clone())),
            Seen::Skipped => Err(Gap {
                skipped: true,
                ..self.gap("it was not looked at from here".to_owned())
            }),
        }
    }

    /// Like [`Reading::known`], where absence is an answer.
    pub fn found(&self) -> Result<Option<&T>, Gap> {
        match &self.seen {
            Seen::Absent => Ok(None),
            _ => self.known().map(Some),
        }
    }

    fn gap(&self, why: String) -> Gap {
        Gap {
            source: self.source.clone(),
            why,
            skipped: false,
        }
    }
}

impl Source {
    pub fn new(request: &str, status: Option<u16>) -> Self {
        Self {
            request: request.to_owned(),
            status,
            at: None,
        }
    }

    /// Notes when it was answered: what was asked lags behind.
    #[must_use]
    pub fn lagging(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reason;
    use super::*;

    const REQUEST: &str = "GET https://iam.googleapis.com/v1/x";

    fn refused(status: u16, body: &str) -> Seen<()> {
        Reading::of_refusal(REQUEST, status, body).seen
    }

    #[test]
    fn a_missing_thing_is_absent_only_if_google_says_so() {
        let body =
            r#"{"error":{"code":404,"message":"Unknown service account","status":"NOT_FOUND"}}"#;
        assert_eq!(refused(404, body), Seen::Absent);
        assert!(matches!(
            refused(404, "<html>not found</html>"),
            Seen::Unreachable { .. }
        ));
    }

    #[test]
    fn a_refusal_carries_its_reason() {
        let body = r#"{"errors":[{"code":"DENIED","message":"Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"x\" (or it may not exist)"}]}"#;
        let Seen::Denied(denial) = refused(403, body) else {
            panic!("it was refused");
        };
        assert_eq!(denial.reason, Reason::MissingPermission);
        assert!(matches!(refused(401, "nothing"), Seen::Denied(_)));
    }

    #[test]
    fn trouble_at_the_other_end_is_no_refusal() {
        let body =
            r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(
            refused(429, body),
            Seen::Unreachable {
                why: "Quota exceeded".to_owned()
            }
        );
        assert_eq!(
            refused(502, "<html>"),
            Seen::Unreachable {
                why: "HTTP 502".to_owned()
            }
        );
    }

    #[test]
    fn a_gap_says_whether_anybody_asked() {
        let skipped = Reading::<()>::default()
            .known()
            .expect_err("nothing is known");
        assert!(skipped.skipped);
        let absent = Reading::<()>::absent(REQUEST)
            .known()
            .expect_err("nothing is known");
        assert!(!absent.skipped);
        assert_eq!(absent.source.status, Some(404));
    }
}
