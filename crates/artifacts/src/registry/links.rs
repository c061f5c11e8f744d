//! Pages that name the next one by `Link`, and pages that are full and name none.
//!
//! A full page without a link may be the last one, or be cut by a registry that does not say so. Where a page of the same
//! repository was linked before, this one would have been; another at the same host may be passed on from elsewhere.

use http::HeaderMap;
use http::header::LINK;
use moka::sync::Cache;

use super::Repository;
use crate::sender::Answer;

/// Most repositories of which it is known.
const BOUND: u64 = 10_000;

/// Remembers whether the pages of a repository are linked, by its path.
#[derive(Debug)]
pub(super) struct Links {
    are_given: Cache<String, bool>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            are_given: Cache::new(BOUND),
        }
    }
}

impl Links {
    /// Says whether a page without a link is the last; nothing where nobody knows.
    pub(super) fn are_given(&self, repository: &Repository) -> Option<bool> {
        self.are_given.get(&repository.path)
    }

    /// Takes note of a page that came, is not the last, and had a link or not.
    pub(super) fn learn(&self, repository: &Repository, is_linked: bool) {
        if is_linked || self.are_given(repository).is_none() {
            self.are_given.insert(repository.path.clone(), is_linked);
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
