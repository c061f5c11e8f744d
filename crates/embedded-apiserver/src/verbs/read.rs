//! Get and list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::Api;
use crate::failure::{Failure, FieldCause, Subject};
use crate::query::{Query, Revision, RevisionMatch};
use crate::selection::Selection;
use crate::store::PageRequest;
use crate::verbs::{Answer, Call};

impl Api {
    pub(super) fn get(&self, call: &Call) -> Result<Answer, Failure> {
        self.check_revision(&call.query)?;
        let object = self.store.memory().get(&call.key(call.name()));
        object
            .map(Answer::found)
            .ok_or_else(|| Failure::not_found(&call.subject(call.name())))
    }

    pub(super) fn list(&self, call: &Call) -> Result<Answer, Failure> {
        let selection = Selection::parse(call)?;
        self.check_revision(&call.query)?;
        check_match(&call.query)?;
        let token = call
            .query
            .continue_token
            .as_deref()
            .map(Token::parse)
            .transpose()?;
        let exact = match (call.query.revision, call.query.revision_match) {
            (Revision::At(revision), RevisionMatch::Exact) => Some(revision),
            _ => None,
        };
        let request = PageRequest {
            resource: &call.resource,
            namespace: call.target.namespace.as_deref(),
            at: token.as_ref().map(|it| it.revision).or(exact),
            after: token.as_ref().map(|it| it.after.as_str()),
        };
        let mut page = self.store.memory().list(request).map_err(|_| {
            Failure::expired("The provided continue parameter is too old to display a consistent list result. Start a new list without it.")
        })?;
        if !selection.is_everything() {
            page.objects.retain(|it| selection.takes(it));
        }
        let (mut continue_token, mut remaining) = (None, None);
        if let Some(limit) = call.query.limit.filter(|it| *it < page.objects.len()) {
            remaining = selection
                .is_everything()
                .then_some(page.objects.len() - limit);
            page.objects.truncate(limit);
            let after = page
                .objects
                .last()
                .map(|it| it.key.place.to_string())
                .unwrap_or_default();
            continue_token = Some(
                Token {
                    revision: page.revision,
                    after,
                }
                .to_text(),
            );
        }
        Ok(Answer::List {
            page,
            continue_token,
            remaining,
        })
    }

    /// Refuses a revision that has not been yet.
    fn check_revision(&self, query: &Query) -> Result<(), Failure> {
        let current = self.store.memory().revision();
        match query.revision {
            Revision::At(asked) if asked > current => Err(Failure::too_new(asked, current)),
            Revision::At(_) | Revision::Any | Revision::Unset => Ok(()),
        }
    }
}

/// `resourceVersionMatch` goes with a revision, and `Exact` with a real one.
fn check_match(query: &Query) -> Result<(), Failure> {
    let why = match (query.revision_match, query.revision) {
        (RevisionMatch::Unset, _) => return Ok(()),
        _ if query.continue_token.is_some() => {
            "resourceVersionMatch is forbidden when continue is provided"
        }
        (_, Revision::Unset) => {
            "resourceVersionMatch is forbidden unless resourceVersion is provided"
        }
        (RevisionMatch::Exact, Revision::Any) => {
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
        }
        _ => return Ok(()),
    };
    let subject = Subject {
        group: "meta.k8s.io",
        resource: "ListOptions",
        name: "",
    };
    Err(Failure::invalid(
        &subject,
        &[FieldCause::forbidden("resourceVersionMatch", why)],
    ))
}

/// Where a list goes on: as of which revision, and behind which place.
struct Token {
    revision: u64,
    after: String,
}

impl Token {
    fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}", self.revision, self.after))
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|it| String::from_utf8(it).ok());
        let parts = bytes.as_deref().and_then(|it| it.split_once(':'));
        let token = parts.and_then(|(revision, after)| {
            Some(Self {
                revision: revision.parse().ok()?,
                after: after.to_owned(),
            })
        });
        token.ok_or_else(|| Failure::bad_request("continue key is not valid"))
    }
}
