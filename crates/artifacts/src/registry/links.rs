//! Pages that name the next one by `Link`, and pages that are full and name none.
//!
//! A full page without a link may be the last one, or be cut by a registry that does not say so. One that has linked a page
//! before would have linked this one.

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use http::header::LINK;

use crate::sender::Answer;

/// Remembers whether a registry links its pages.
#[derive(Debug, Default)]
pub(super) struct Links {
    are_given: AtomicBool,
    /// It was tried whether they are.
    are_tried: AtomicBool,
}

impl Links {
    /// Says that a page without a link is the last.
    pub(super) fn are_given(&self) -> bool {
        self.are_given.load(Ordering::Relaxed)
    }

    /// Says that nobody knows.
    pub(super) fn are_unknown(&self) -> bool {
        !self.are_given() && !self.are_tried.load(Ordering::Relaxed)
    }

    /// Takes note of a page that is not the last, and had a link or not.
    pub(super) fn learn(&self, is_linked: bool) {
        self.are_tried.store(true, Ordering::Relaxed);
        if is_linked {
            self.are_given.store(true, Ordering::Relaxed);
        }
    }
}

/// Gives the query of the next page. The rest of the address is ours: a server behind a proxy may not know its own.
pub(super) fn next_page(answer: &Answer) -> Option<String> {
    links(&answer.headers).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|it| {
            let it = it.trim();
            it.get(..4)
                .is_some_and(|name| name.eq_ignore_ascii_case("rel="))
                && it[4..].trim_matches('"').eq_ignore_ascii_case("next")
        });
        let query = answer.url.join(target).ok()?.query()?.to_owned();
        is_next.then_some(query)
    })
}

fn links(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(LINK).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
}
