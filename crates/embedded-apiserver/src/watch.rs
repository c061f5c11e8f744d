//! Watches: a stream of events from a revision on, in which objects that enter or leave the selection come and go.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::api::Api;
use crate::failure::{Failure, FieldCause};
use crate::negotiate::Form;
use crate::query::{Revision, RevisionMatch};
use crate::selection::Selection;
use crate::store::{Change, ChangeKind, Feed, Object, PageRequest, frame};
use crate::verbs::{Call, metadata};

/// How often a watch that wants bookmarks gets one while nothing else happens.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// How long a watch lasts whose caller does not say.
const LASTS: Duration = Duration::from_mins(45);

/// How many bytes of events are put into one chunk.
const CHUNK: usize = 64 << 10;

/// One open watch.
struct Watch {
    call: Call,
    selection: Selection,
    feed: Feed,
    ready: VecDeque<Bytes>,
    ends: Instant,
    bookmark: Option<Instant>,
    ended: bool,
}

impl Api {
    /// Opens a watch; what is wrong with its revision is said as an event, as upstream does.
    pub(crate) fn watch(self: Arc<Self>, call: Call) -> Result<Response<Body>, Failure> {
        let selection = Selection::parse(&call)?;
        check_initial_events(&call)?;
        let lasts = call
            .query
            .timeout_seconds
            .filter(|it| *it > 0)
            .map_or(LASTS, Duration::from_secs);
        let now = Instant::now();
        let memory = self.store.memory();
        let (initial, position) = match (call.query.revision, call.query.send_initial_events) {
            (Revision::At(asked), _) if asked > memory.revision() => {
                return Ok(only(&error_frame(&Failure::too_new(
                    asked,
                    memory.revision(),
                ))));
            }
            (Revision::At(revision), None | Some(false)) => (Vec::new(), revision),
            (Revision::Unset | Revision::Any, Some(false)) => (Vec::new(), memory.revision()),
            (Revision::Unset | Revision::Any, None) | (_, Some(true)) => {
                let namespace = call.target.namespace.as_deref();
                let page = memory.list(PageRequest {
                    resource: &call.resource,
                    namespace,
                    at: None,
                    after: None,
                });
                let page = page.map_err(|it| expired(it.asked, it.oldest))?;
                (page.objects, page.revision)
            }
        };
        let feed = match Feed::start(Arc::clone(memory), call.resource.clone(), position) {
            Ok(feed) => feed,
            Err(it) => return Ok(only(&error_frame(&expired(it.asked, it.oldest)))),
        };
        let bookmark = call.query.bookmarks.then(|| now + BOOKMARK_EVERY);
        let mut watch = Watch {
            call,
            selection,
            feed,
            ready: VecDeque::new(),
            ends: now + lasts,
            bookmark,
            ended: false,
        };
        watch.begin(&initial);
        let body = stream::unfold(watch, |mut watch| async move {
            let chunk = watch.next().await?;
            Some((Ok::<_, Infallible>(chunk), watch))
        });
        Ok(streaming(Body::from_stream(body)))
    }
}

impl Watch {
    fn begin(&mut self, initial: &[Arc<Object>]) {
        for object in initial.iter().filter(|it| self.selection.takes(it)) {
            self.ready
                .push_back(frame("ADDED", &self.call.encode(object)));
        }
        if self.call.query.send_initial_events == Some(true) && self.call.query.bookmarks {
            let bookmark = self.bookmark_frame(true);
            self.ready.push_back(bookmark);
        }
    }

    /// The next events as one chunk; none when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.take_chunk() {
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            match self.feed.take() {
                Ok(changes) if changes.is_empty() => self.wait().await,
                Ok(changes) => {
                    let events: Vec<Bytes> =
                        changes.iter().filter_map(|it| self.event(it)).collect();
                    self.ready.extend(events);
                }
                Err(it) => {
                    self.ready
                        .push_back(error_frame(&expired(it.asked, it.oldest)));
                    self.ended = true;
                }
            }
        }
    }

    fn take_chunk(&mut self) -> Option<Bytes> {
        let first = self.ready.pop_front()?;
        if self.ready.is_empty() {
            return Some(first);
        }
        let mut chunk = BytesMut::from(first);
        while chunk.len() < CHUNK
            && let Some(next) = self.ready.pop_front()
        {
            chunk.extend_from_slice(&next);
        }
        Some(chunk.freeze())
    }

    /// Waits for a change, the next bookmark or the end.
    async fn wait(&mut self) {
        let wakes = self.bookmark.map_or(self.ends, |it| it.min(self.ends));
        tokio::select! {
            open = self.feed.wait() => self.ended = !open,
            () = sleep_until(wakes) => {
                let now = Instant::now();
                self.ended = now >= self.ends;
                if self.bookmark.is_some() {
                    self.bookmark = Some(now + BOOKMARK_EVERY);
                    let bookmark = self.bookmark_frame(false);
                    self.ready.push_back(bookmark);
                }
            }
        }
    }

    /// What a change means to this watch.
    fn event(&self, change: &Change) -> Option<Bytes> {
        if self
            .selection
            .namespace()
            .is_some_and(|it| it != change.object.key.namespace())
        {
            return None;
        }
        if self.selection.is_everything() && self.is_plain(&change.object) {
            return Some(change.frame());
        }
        let before = change.before.as_ref().filter(|it| self.selection.takes(it));
        let after = change.kind != ChangeKind::Deleted && self.selection.takes(&change.object);
        match (before, after) {
            (None, false) => None,
            (None, true) => Some(frame("ADDED", &self.call.encode(&change.object))),
            (Some(_), true) => Some(frame("MODIFIED", &self.call.encode(&change.object))),
            (Some(_), false) if change.kind == ChangeKind::Deleted => {
                Some(frame("DELETED", &self.call.encode(&change.object)))
            }
            (Some(before), false) => {
                let mut left = self.call.read(before);
                metadata::of(&mut left).insert(
                    "resourceVersion".to_owned(),
                    change.revision().to_string().into(),
                );
                Some(frame("DELETED", &self.call.encode_value(&left)))
            }
        }
    }

    /// Says whether an object goes out as it is stored.
    fn is_plain(&self, object: &Object) -> bool {
        self.call.form == Form::Whole && *object.api_version == *self.call.kind.api_version()
    }

    fn bookmark_frame(&self, initial_events_end: bool) -> Bytes {
        let mut metadata =
            json!({"resourceVersion": self.feed.position().to_string(), "creationTimestamp": null});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"apiVersion": self.call.kind.api_version(), "kind": self.call.kind.kind, "metadata": metadata});
        frame("BOOKMARK", object.to_string().as_bytes())
    }
}

/// `sendInitialEvents` goes with `resourceVersionMatch=NotOlderThan` and with nothing else.
fn check_initial_events(call: &Call) -> Result<(), Failure> {
    let query = &call.query;
    let subject = crate::failure::Subject {
        group: "meta.k8s.io",
        resource: "ListOptions",
        name: "",
    };
    let refused = |cause: FieldCause| Err(Failure::invalid(&subject, &[cause]));
    match (query.send_initial_events, query.revision_match) {
        (Some(_), RevisionMatch::NotOlderThan) | (None, RevisionMatch::Unset) => Ok(()),
        (Some(_), _) => {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            refused(FieldCause::forbidden("resourceVersionMatch", why))
        }
        (None, _) => {
            let why =
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            refused(FieldCause::forbidden("resourceVersionMatch", why))
        }
    }
}

fn expired(asked: u64, oldest: u64) -> Failure {
    Failure::expired(format!("too old resource version: {asked} ({oldest})"))
}

fn error_frame(failure: &Failure) -> Bytes {
    let status: Value = failure.to_value();
    frame("ERROR", status.to_string().as_bytes())
}

fn only(frame: &Bytes) -> Response<Body> {
    streaming(Body::from(frame.clone()))
}

fn streaming(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
