//! Lists tags, page by page, to the end.

use std::collections::HashSet;
use std::time::Duration;

use http::header::LINK;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::{Error, Problem, Reader};
use crate::sender::{Answer, Call};

/// Tags that we ask for at a time; a registry may give fewer.
const PAGE: usize = 1_000;
/// Most pages and tags of a repository, most bytes of a page, longest time for all.
const PAGES_BOUND: usize = 20_000;
const TAGS_BOUND: usize = 2_000_000;
const BYTES_BOUND: usize = 64 << 20;
const TIME_BOUND: Duration = Duration::from_mins(10);

impl Reader<'_> {
    /// Lists the tags of a repository, each once, in the order the registry gives them.
    ///
    /// Costs one request per page. Pages are followed by `Link`, and by `last` where a full page comes without one.
    ///
    /// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let start = self.url("tags/list").await;
        let end = Instant::now() + TIME_BOUND;
        let mut query = format!("n={PAGE}");
        let (mut asked, mut known, mut tags) = (HashSet::new(), HashSet::new(), Vec::new());
        for _ in 0..PAGES_BOUND {
            let call = Call::get(with_query(&start, &query), BYTES_BOUND, self.cost);
            let fail = |problem| Error::new(self.repository, &call, problem);
            if !asked.insert(query.clone()) {
                return Err(fail(Problem::Pages("go round in circles")));
            }
            if Instant::now() >= end {
                return Err(fail(Problem::Slow(TIME_BOUND)));
            }
            let answer = self.send(call.clone()).await?;
            if !answer.status.is_success() {
                return Err(fail(self.refused(&answer)));
            }
            let page = read(&answer).map_err(fail)?;
            let (count, last, before) = (page.len(), page.last().cloned(), tags.len());
            tags.extend(
                page.into_iter()
                    .filter(|tag| is_tag(tag) && known.insert(tag.clone())),
            );
            if tags.len() > TAGS_BOUND {
                return Err(fail(Problem::Pages("hold more than two million tags")));
            }
            let is_new = tags.len() > before;
            query = match (next_link(&answer), last) {
                (Some(next), _) => next,
                // Some registries cut the list and do not say so; one that gives the same again has no more.
                (None, Some(last)) if count == PAGE && is_new => {
                    format!("n={PAGE}&last={}", encoded(&last))
                }
                (None, _) => return Ok(tags),
            };
        }
        let call = Call::get(start, BYTES_BOUND, self.cost);
        Err(Error::new(
            self.repository,
            &call,
            Problem::Pages("have no end"),
        ))
    }
}

fn read(answer: &Answer) -> Result<Vec<String>, Problem> {
    /// `null` stands for a repository without tags at some registries.
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        tags: Option<Vec<String>>,
    }
    let page: Page = serde_json::from_slice(&answer.body).map_err(|source| Problem::Malformed {
        what: "a list of tags",
        source,
    })?;
    Ok(page.tags.unwrap_or_default())
}

/// Gives the query of the next page. The rest of the address is ours: a server behind a proxy may not know its own.
fn next_link(answer: &Answer) -> Option<String> {
    let links = answer
        .headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok());
    links.flat_map(|value| value.split(',')).find_map(|link| {
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

fn with_query(url: &Url, query: &str) -> Url {
    let mut url = url.clone();
    url.set_query(Some(query));
    url
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Says whether a tag is one by the specification; what is not could not be asked for.
pub(crate) fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    (1..=128).contains(&bytes.len())
        && bytes
            .iter()
            .all(|it| it.is_ascii_alphanumeric() || b"._-".contains(it))
        && !matches!(bytes[0], b'.' | b'-')
}
