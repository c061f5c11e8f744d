//! Follows the pages of a list of tags to the end, and holds none of them.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::selection::Listed;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio::time::Instant;
use url::Url;

use super::links::next_page;
use super::listing::Dialect;
use super::{Error, Problem, Reader};
use crate::sender::Call;

/// Most pages and tags of a repository, most bytes of a page, longest time for all.
const PAGES_BOUND: usize = 20_000;
const TAGS_BOUND: usize = 2_000_000;
const BYTES_BOUND: usize = 32 << 20;
const TIME_BOUND: Duration = Duration::from_mins(10);
/// Most pages on end that lead to another and hold nothing.
const EMPTY_BOUND: usize = 20;

/// What a list holds.
pub(super) enum Row {
    Tag(Listed),
    /// An image without a tag, such as one of an index.
    Untagged {
        digest: String,
        built_at: Option<Timestamp>,
    },
}

/// Says how a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There are no more.
    Last,
    /// It names the next one.
    Linked,
    /// It is full, and whether there is another is to be found out.
    Full,
}

/// Goes from page to page.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    reader: &'a Reader<'a>,
    dialect: Dialect,
    start: Url,
    query: String,
    until: Instant,
    /// What was asked and what came, as hashes: neither comes twice in a list that has an end.
    asked: HashSet<u64>,
    came: HashSet<u64>,
    /// The first tag of the last page, as a hash: one that begins again with it holds nothing new.
    first: Option<u64>,
    empty: usize,
    tags: usize,
    /// Whether the last page was full and named no other.
    is_cut: bool,
    /// Whether it was tried to find out if pages are linked.
    has_tried: bool,
}

impl Reader<'_> {
    /// Gives the tags of a repository to `offer`, in the order in which the registry lists them, and holds none of them.
    ///
    /// A tag may come twice where pages overlap. Costs one request per page.
    pub async fn each_tag(&self, offer: &mut (dyn FnMut(&str) + Send)) -> Result<(), Error> {
        let mut pages = Pages::start(self, Dialect::of(self.repository)).await;
        let mut take = |row| match row {
            Row::Tag(listed) => offer(&listed.tag),
            Row::Untagged { .. } => {}
        };
        while pages.next(&mut take).await? != End::Last {}
        Ok(())
    }
}

impl<'a> Pages<'a> {
    pub(super) async fn start(reader: &'a Reader<'a>, dialect: Dialect) -> Self {
        Self {
            reader,
            start: reader.url("tags/list").await,
            query: first_query(&dialect),
            dialect,
            until: Instant::now() + TIME_BOUND,
            asked: HashSet::new(),
            came: HashSet::new(),
            first: None,
            empty: 0,
            tags: 0,
            is_cut: false,
            has_tried: false,
        }
    }

    /// Asks for the next page and gives what it holds to `offer`.
    ///
    /// Pages are followed by `Link`, and by `last` where a full page comes without one. A registry that refuses our
    /// question in its own dialect is asked in the standard's.
    ///
    /// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>
    pub(super) async fn next(&mut self, offer: &mut (dyn FnMut(Row) + Send)) -> Result<End, Error> {
        let reader = self.reader;
        if self.is_cut && self.is_over().await? {
            return Ok(End::Last);
        }
        let mut call = self.call();
        if !self.asked.insert(hash_of(&self.query)) {
            let problem = Problem::Pages("go round in circles");
            return Err(Error::new(reader.repository, &call, problem));
        }
        let mut answer = reader.send(call.clone()).await?;
        if is_misunderstood(answer.status) && self.dialect != Dialect::Standard {
            self.dialect = Dialect::Standard;
            self.query = first_query(&self.dialect);
            self.asked = HashSet::from([hash_of(&self.query)]);
            call = self.call();
            answer = reader.send(call.clone()).await?;
        }
        let fail = |problem| Error::new(reader.repository, &call, problem);
        if !answer.status.is_success() {
            return Err(fail(reader.refused(&answer)));
        }
        let mut page = Page::new(offer, TAGS_BOUND - self.tags);
        page.before = self.first;
        self.dialect.read(&answer.body, &mut page).map_err(fail)?;
        let Page {
            count, last, hash, ..
        } = page;
        self.first = page.first;
        self.tags += count;
        self.empty = if count == 0 { self.empty + 1 } else { 0 };
        let is_new = count == 0 || self.came.insert(hash.finish());
        let (query, end) = match next_page(&answer) {
            Some(_) if !is_new => return Err(fail(Problem::Pages("go round in circles"))),
            Some(next) => (next, End::Linked),
            // Some registries cut the list and do not say so; one that gives the same again has no more.
            None if is_new && count >= self.dialect.page_size() => {
                let query = format!("n={}&last={}", self.dialect.page_size(), encoded(&last));
                (query, End::Full)
            }
            None => return Ok(End::Last),
        };
        self.query = query;
        self.is_cut = end == End::Full;
        if end == End::Linked {
            reader.client.links.learn(reader.repository, true);
        }
        if self.asked.len() >= PAGES_BOUND || self.empty > EMPTY_BOUND {
            return Err(fail(Problem::Pages("have no end")));
        }
        if Instant::now() >= self.until {
            return Err(fail(Problem::Slow(TIME_BOUND)));
        }
        Ok(end)
    }

    /// Says whether a full page without a link was the last of a repository whose pages are linked.
    ///
    /// Costs a request where nobody knows yet whether they are: the first tag of so many has to come with a link. An
    /// answer that is no list says nothing.
    async fn is_over(&mut self) -> Result<bool, Error> {
        let (links, repository) = (&self.reader.client.links, self.reader.repository);
        if self.dialect == Dialect::Standard {
            return Ok(false);
        }
        if links.are_given(repository).is_none() && !self.has_tried {
            self.has_tried = true;
            let mut call = self.call();
            call.url.set_query(Some("n=1"));
            let answer = self.reader.send(call).await?;
            if answer.status.is_success() {
                links.learn(repository, next_page(&answer).is_some());
            }
        }
        Ok(links.are_given(repository).unwrap_or(false))
    }

    /// Says that no page was asked for so far.
    pub(super) fn is_first(&self) -> bool {
        self.asked.is_empty()
    }

    fn call(&self) -> Call {
        let mut url = self.start.clone();
        url.set_query(Some(&self.query));
        Call::get(url, BYTES_BOUND, self.reader.cost)
    }
}

/// Says that a registry does not know what was asked, rather than that it may not be asked.
fn is_misunderstood(status: StatusCode) -> bool {
    let is_known = matches!(status.as_u16(), 401 | 403 | 404 | 408 | 429);
    status.is_client_error() && !is_known
}

fn first_query(dialect: &Dialect) -> String {
    format!("n={}", dialect.page_size())
}

/// Takes what is read of one page.
pub(super) struct Page<'o> {
    offer: &'o mut (dyn FnMut(Row) + Send),
    room: usize,
    count: usize,
    /// The first tags of this page and of the one before, as hashes.
    first: Option<u64>,
    before: Option<u64>,
    last: String,
    hash: DefaultHasher,
}

/// Says that a list holds more tags than any repository.
#[derive(Debug)]
pub(super) struct TooMany;

impl<'o> Page<'o> {
    pub(super) fn new(offer: &'o mut (dyn FnMut(Row) + Send), room: usize) -> Self {
        Self {
            offer,
            room,
            count: 0,
            first: None,
            before: None,
            last: String::new(),
            hash: DefaultHasher::new(),
        }
    }

    /// Takes a tag; what is none by the specification could not be asked for, and is passed over.
    pub(super) fn tag(&mut self, listed: Listed) -> Result<(), TooMany> {
        self.count += 1;
        self.last.clone_from(&listed.tag);
        listed.tag.hash(&mut self.hash);
        if self.count > self.room {
            return Err(TooMany);
        }
        let first = *self.first.get_or_insert_with(|| hash_of(&listed.tag));
        if is_tag(&listed.tag) && self.before != Some(first) {
            (self.offer)(Row::Tag(listed));
        }
        Ok(())
    }

    pub(super) fn untagged(&mut self, digest: String, built_at: Option<Timestamp>) {
        (self.offer)(Row::Untagged { digest, built_at });
    }
}

/// Reads a page that holds nothing but names, one after the other: some registries put all there are on one page.
pub(super) fn read_names(body: &[u8], page: &mut Page<'_>) -> Result<(), Problem> {
    let mut is_too_much = false;
    let names = Names {
        page,
        is_too_much: &mut is_too_much,
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = json.deserialize_map(names).and_then(|()| json.end());
    read.map_err(|source| {
        if is_too_much {
            return Problem::Pages("hold more than two million tags");
        }
        let what = "a list of tags";
        Problem::Malformed { what, source }
    })
}

struct Names<'p, 'o> {
    page: &'p mut Page<'o>,
    is_too_much: &'p mut bool,
}

impl<'de> Visitor<'de> for Names<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of tags")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "tags" {
                map.next_value_seed(&mut self)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Names<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Reads the names themselves; `null` stands for a repository without tags at some registries.
impl<'de> Visitor<'de> for &mut Names<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("names of tags")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<(), A::Error> {
        while let Some(tag) = names.next_element::<String>()? {
            let listed = Listed {
                tag,
                ..Listed::default()
            };
            self.page.tag(listed).map_err(|TooMany| {
                *self.is_too_much = true;
                A::Error::custom("there are too many")
            })?;
        }
        Ok(())
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn hash_of(text: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    text.hash(&mut hash);
    hash.finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the tags, or what is wrong with the page.
    fn read(body: &str, room: usize) -> Vec<String> {
        let mut tags = Vec::new();
        let mut take = |row| match row {
            Row::Tag(listed) => tags.push(listed.tag),
            Row::Untagged { .. } => {}
        };
        match read_names(body.as_bytes(), &mut Page::new(&mut take, room)) {
            Ok(()) => tags,
            Err(problem) => vec![problem.to_string()],
        }
    }

    #[test]
    fn names_are_read_one_by_one_until_there_are_too_many() {
        let three = r#"{"name":"web","tags":["a","not a tag","b"],"more":{"tags":["c"]}}"#;
        assert_eq!(read(three, 3), ["a", "b"]);
        let too_many = "the pages of tags hold more than two million tags";
        assert_eq!(read(three, 2), [too_many]);
        assert_eq!(read(r#"{"tags":null}"#, 3), [""; 0]);
        assert_eq!(read("{}", 3), [""; 0]);
        for body in [
            "",
            "null",
            "[]",
            r#"{"tags":"a"}"#,
            r#"{"tags":[1]}"#,
            r#"{"tags":[]} x"#,
        ] {
            assert_eq!(
                read(body, 3),
                ["the answer is not a list of tags"],
                "{body}"
            );
        }
    }
}
