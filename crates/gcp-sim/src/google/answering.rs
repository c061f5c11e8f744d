//! What is out of joint while a request is answered: Google's clock, and how far changes of policies have spread.
//!
//! A fault of this kind hits a request as a whole: it is counted once, and holds from the beginning to the end. What it
//! does not hit knows nothing of it, so nothing is left over once it has hit as often as it does, or its time is over.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderValue, header};
use jiff::SignedDuration;

use super::Google;
use crate::evaluate::Propagation;
use crate::faults::{Effect, Occasion};

tokio::task_local! {
    static PRESENT: Present;
}

/// What holds for one request.
#[derive(Debug, Clone, Default)]
struct Present {
    /// What Google is ahead of the clock that everybody else looks at.
    skew: SignedDuration,
    propagation: Propagation,
    request: Arc<Request>,
}

/// The request itself, as far as faults may ask: those that strike deep within look at it too.
#[derive(Debug, Default)]
struct Request {
    service: String,
    method: String,
    principal: Option<String>,
    path: String,
    about: Vec<String>,
}

impl Request {
    fn of(occasion: &Occasion<'_>) -> Self {
        let Occasion {
            service,
            method,
            principal,
            path,
            about,
        } = *occasion;
        Self {
            service: service.to_owned(),
            method: method.to_owned(),
            principal: principal.map(str::to_owned),
            path: path.to_owned(),
            about: about.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    fn about(&self) -> Vec<&str> {
        self.about.iter().map(String::as_str).collect()
    }

    fn occasion<'a>(&'a self, about: &'a [&'a str]) -> Occasion<'a> {
        Occasion {
            service: &self.service,
            method: &self.method,
            principal: self.principal.as_deref(),
            path: &self.path,
            about,
        }
    }
}

/// The request that is being answered; one without a name outside of any.
fn request() -> Arc<Request> {
    PRESENT
        .try_with(|it| it.request.clone())
        .unwrap_or_default()
}

/// What Google is ahead of its clock in the request that is being answered; nothing outside of one.
pub(super) fn skew() -> SignedDuration {
    PRESENT.try_with(|it| it.skew).unwrap_or_default()
}

/// How long changes of policies take to count in the request that is being answered.
pub(super) fn propagation() -> Propagation {
    PRESENT.try_with(|it| it.propagation).unwrap_or_default()
}

impl Google {
    /// Answers a request under the faults that hit it as a whole, and dates the answer.
    pub(crate) fn answering(
        &self,
        occasion: &Occasion<'_>,
        answer: impl Future<Output = Response>,
    ) -> impl Future<Output = Response> {
        let dated = async {
            self.end_operations();
            let mut response = answer.await;
            if let Some(date) = self.date() {
                response.headers_mut().insert(header::DATE, date);
            }
            response
        };
        // On the heap, as it is carried through several more.
        PRESENT.scope(self.present(occasion), Box::pin(dated))
    }

    /// Finds a fault of a wanted kind that hits the request that is being answered, and counts the hit.
    ///
    /// `about` is what the request comes to, which its path need not name: an account, a resource, an audience.
    pub(crate) fn fault_about(
        &self,
        about: &str,
        wanted: impl Fn(&Effect) -> bool,
    ) -> Option<Effect> {
        let request = request();
        let mut all = request.about();
        all.push(about);
        self.fault(&request.occasion(&all), wanted)
    }

    /// The same for what another service does on account of the request, such as to publish a message.
    pub(crate) fn fault_in(
        &self,
        (service, method): (&str, &str),
        about: &[&str],
        wanted: impl Fn(&Effect) -> bool,
    ) -> Option<Effect> {
        let request = request();
        let mut all = request.about();
        all.extend(about);
        let occasion = Occasion {
            service,
            method,
            ..request.occasion(&all)
        };
        self.fault(&occasion, wanted)
    }

    /// Says what time it is, as a header does.
    pub(crate) fn date(&self) -> Option<HeaderValue> {
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.now())
            .ok()?;
        HeaderValue::from_str(&date).ok()
    }

    fn present(&self, occasion: &Occasion<'_>) -> Present {
        let skewed = |effect: &Effect| matches!(effect, Effect::ClockSkew { .. });
        let skew = match self.fault(occasion, skewed) {
            Some(Effect::ClockSkew { seconds }) => SignedDuration::from_secs(seconds),
            // A request that is made on account of another happens at the same time.
            _ => skew(),
        };
        let slow = |effect: &Effect| matches!(effect, Effect::PropagationDelay { .. });
        let propagation = match self.fault(occasion, slow) {
            Some(Effect::PropagationDelay {
                grant_seconds,
                revoke_seconds,
                flapping,
            }) => Propagation {
                grant: SignedDuration::from_secs(grant_seconds.into()),
                revoke: SignedDuration::from_secs(revoke_seconds.into()),
                replicas: if flapping { 2 } else { 1 },
            },
            _ => propagation(),
        };
        let request = Arc::new(Request::of(occasion));
        Present {
            skew,
            propagation,
            request,
        }
    }
}
