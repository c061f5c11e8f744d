//! One request and its answer.

use bytes::{Bytes, BytesMut};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::{BodyReader, Detour, Fault, host_of};
use crate::cost::{Cost, Outcome};

/// Holds one request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// Most bytes of the answer's body.
    pub(crate) bound: usize,
    /// Who reads the body of a success, if it is not to be held as a whole; then other bodies are left unread.
    pub(crate) reader: Option<BodyReader>,
    /// Where the request is counted.
    pub(crate) cost: Cost,
}

impl Call {
    pub(crate) fn get(url: Url, bound: usize, cost: &Cost) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            bound,
            reader: None,
            cost: cost.clone(),
        }
    }

    /// Has the body read while it arrives; the answer's own is empty then.
    #[must_use]
    pub(crate) fn read_by(self, reader: BodyReader) -> Self {
        Self {
            reader: Some(reader),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// Holds an answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where the answer came from, after redirects.
    pub(crate) url: Url,
}

impl Answer {
    /// Reads a header that is text.
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Counts one request, also where nobody waits for its answer any more.
pub(super) struct Counting<'a> {
    call: &'a Call,
    outcome: Outcome,
}

impl<'a> Counting<'a> {
    pub(super) fn start(call: &'a Call) -> Self {
        let outcome = Outcome::Failed;
        Self { call, outcome }
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        let host = host_of(&self.call.url);
        self.call.cost.request(&host, self.outcome);
    }
}

/// Builds the request that follows a redirect; the login stays behind when the origin changes.
///
/// A server may send to itself by the name that people know it by: that is where the detour leads, and no other origin.
pub(super) fn redirected(
    call: Call,
    location: &str,
    detour: Option<&Detour>,
) -> Result<Call, Fault> {
    let error = |why| Fault::Redirect {
        host: host_of(&call.url),
        why,
    };
    let url = call
        .url
        .join(location)
        .map_err(|_| error("the address cannot be read"))?;
    if call.url.scheme() == "https" && url.scheme() != "https" {
        return Err(error("from https to something weaker"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("the address holds a login"));
    }
    let led = detour.and_then(|it| it.lead(&url));
    let url = led.unwrap_or(url);
    let mut headers = call.headers;
    if url.origin() != call.url.origin() {
        headers.remove(AUTHORIZATION);
    }
    Ok(Call {
        url,
        headers,
        ..call
    })
}

pub(super) async fn read_bounded(
    mut response: reqwest::Response,
    host: &str,
    bound: usize,
) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Fault::reading(host, error))?
    {
        if body.len() + chunk.len() > bound {
            return Err(Fault::TooLarge {
                host: host.to_owned(),
                bound,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
