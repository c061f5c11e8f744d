//! Lists a repository the way its registry does it best, and says when nothing has changed.
//!
//! ```text
//!            small: one page, which is all            ┌─ an hour old ─► newest first, or page by page
//! listing ──┤                                         ├─ changed ─► what came since, newest first
//!            large: one row, the newest, is asked for ┴─ unchanged ─► what was selected before
//! ```
//!
//! A registry is known by its host alone. Whatever goes wrong with its own way of listing, the standard's is taken.

mod artifact_registry;
mod children;
mod dialect;
mod notes;
mod since;
#[cfg(test)]
mod tests;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::selection::{Listed, Rest, Selected};
use jiff::{SignedDuration, Timestamp};

use super::manifest::check_digest;
use super::tags::{End, Pages, Row};
use super::{Error, Reader};
use children::Children;
pub(crate) use children::Said;
use notes::{Note, Standing};
use since::Since;
use versions::{Newest, Refusal, Versions};

pub(super) use dialect::Dialect;
pub(super) use notes::Notes;
pub(super) use versions::artifact_registry;

/// How long a large list counts as unchanged while its newest row does: deletions are seen by listing it anew.
const LISTED_ANEW: SignedDuration = SignedDuration::from_hours(1);
/// Most pages, newest first, that are read while the pages of tags are there, each ten times as long.
const NEWEST_PAGES_BOUND: usize = 10;

/// Which list is wanted, and when it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// Tells apart what is selected from the same list.
    pub(crate) rules: &'a str,
    /// The list may be left early if the newest come first.
    pub(crate) newest_first: bool,
    pub(crate) now: Timestamp,
}

/// Says where a list stands after one of its pages.
pub(crate) enum Turn {
    Page(Rest),
    /// It is listed another way, from the start: nothing that was offered counts.
    Again,
}

impl Turn {
    /// Says it of a page of tags.
    fn after(end: End) -> Self {
        Self::Page(match end {
            End::Last => Rest::Nothing,
            End::Linked | End::Full => Rest::Anything,
        })
    }
}

/// A list of a repository on its way.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    reader: &'a Reader<'a>,
    wish: Wish<'a>,
    dialect: Dialect,
    source: Source<'a>,
    standing: Standing,
    /// The newest row as it was before anything was listed.
    newest: Option<Newest>,
    /// What was selected when the list was last read as a whole, where what came since is all that is read now.
    since: Option<Since>,
    /// Whether a full page came that does not say what follows.
    is_cut: bool,
    /// Whether listing the newest first came to nothing.
    has_gone_back: bool,
    children: Children,
    /// Whether the API tells of no image that is asked for by its digest.
    is_silent: AtomicBool,
}

/// Where the next page comes from.
#[derive(Debug)]
enum Source<'a> {
    NotYet,
    Pages(Pages<'a>),
    Newest(Versions<'a>),
}

impl<'a> Listing<'a> {
    pub(crate) fn new(reader: &'a Reader<'a>, wish: Wish<'a>) -> Self {
        Self {
            dialect: Dialect::of(reader.repository),
            standing: reader.client.notes.standing(reader),
            source: Source::NotYet,
            newest: None,
            since: None,
            is_cut: false,
            has_gone_back: false,
            children: Children::default(),
            is_silent: AtomicBool::new(false),
            reader,
            wish,
        }
    }

    /// Gives what was selected before if nothing has changed since; asks only if the list is known to be large.
    pub(crate) async fn unchanged(&mut self) -> Option<Arc<Selected>> {
        if !self.standing.is_large {
            return None;
        }
        let note = self.reader.client.notes.find(self.reader, self.wish.rules);
        // What lists the newest first begins with the row that would be asked for.
        if note.is_none() && self.wish.newest_first {
            return None;
        }
        match self.versions()?.newest().await {
            Ok(newest) => self.newest = Some(newest),
            Err(refusal) => {
                self.was_refused(&refusal);
                return None;
            }
        }
        let age = |it: Timestamp| self.wish.now.duration_since(it);
        let note = note.filter(|it| age(it.listed_at) < LISTED_ANEW)?;
        if self.newest.as_ref() == Some(&note.newest) {
            return Some(note.selected);
        }
        // Who takes the newest reads them first in any case, and no further.
        self.since = Some(note)
            .filter(|_| !self.wish.newest_first)
            .and_then(Since::start);
        None
    }

    /// Gives the next page to `offer`.
    pub(crate) async fn next(
        &mut self,
        offer: &mut (dyn FnMut(Listed) + Send),
    ) -> Result<Turn, Error> {
        if let Source::NotYet = self.source {
            self.source = self.first_source().await;
        }
        let (children, since) = (&mut self.children, &mut self.since);
        let mut take = |row: Row| {
            if let Some(since) = since {
                since.saw(&row);
            }
            match row {
                Row::Tag(listed) => {
                    if let Some(digest) = &listed.digest {
                        children.add(digest, listed.built_at);
                    }
                    offer(listed);
                }
                Row::Untagged { digest, built_at } => children.add(&digest, built_at),
            }
        };
        match &mut self.source {
            Source::NotYet => unreachable!("the source was chosen just now"),
            Source::Pages(pages) => {
                let is_first = pages.is_first();
                let end = pages.next(&mut take).await?;
                Ok(self.after_page(is_first, end).await)
            }
            Source::Newest(versions) => {
                let outcome = versions.next(&mut take).await;
                Ok(self.after_newest(outcome, offer).await)
            }
        }
    }

    /// Says when an image was built that no tag names, if a list has said so.
    pub(crate) fn built_at(&self, digest: &str) -> Said {
        self.children.find(digest)
    }

    /// Asks when an image was built that no list has named, where there is an API that tells.
    pub(crate) async fn ask_built_at(&self, digest: &str) -> Said {
        // It becomes a part of a URL.
        if check_digest(digest).is_err() {
            return Said::Nothing;
        }
        let notes = &self.reader.client.notes;
        if let said @ Said::Built(_) = notes.built_at(self.reader, digest) {
            return said;
        }
        let may_tell = !self.is_silent.load(Ordering::Relaxed);
        let Some(versions) = self.versions().filter(|_| may_tell) else {
            return Said::Nothing;
        };
        match versions.built_at(digest).await {
            Ok(Some(built_at)) => {
                notes.keep_built_at(self.reader, digest, built_at);
                Said::Built(built_at)
            }
            Ok(None) => Said::Nothing,
            Err(refusal) => {
                if refusal.is_of_all() {
                    self.is_silent.store(true, Ordering::Relaxed);
                }
                tracing::debug!(digest, error = %refusal, "the API does not say when an image was built, so it is read");
                Said::Nothing
            }
        }
    }

    /// Says that of a list only what has come since it was last read was offered, and that this was not enough.
    pub(crate) fn is_short(&self, selected: &Selected) -> bool {
        self.since.as_ref().is_some_and(|it| it.has_lost(selected))
    }

    /// Begins again, with all there is.
    pub(crate) async fn list_all(&mut self) {
        self.go_back().await;
    }

    /// Remembers what was selected, if the next look can find out whether anything has changed.
    pub(crate) fn note(&self, selected: &Selected) {
        let (reader, notes) = (self.reader, &self.reader.client.notes);
        notes.keep_standing(reader, &self.standing);
        if let Some(newest) = self.newest.as_ref().filter(|_| self.standing.is_large) {
            let listed_at = self.since.as_ref().map(|it| it.note.listed_at);
            let note = Note {
                newest: newest.clone(),
                listed_at: listed_at.unwrap_or(self.wish.now),
                selected: Arc::new(selected.clone()),
            };
            notes.keep(reader, self.wish.rules, note);
        }
    }

    async fn first_source(&self) -> Source<'a> {
        let is_worth_it =
            self.standing.is_large && (self.wish.newest_first || self.since.is_some());
        match self.versions().filter(|_| is_worth_it) {
            Some(versions) => Source::Newest(match &self.since {
                Some(since) => versions.since(&since.note.newest),
                None => versions,
            }),
            None => self.pages().await,
        }
    }

    async fn pages(&self) -> Source<'a> {
        Source::Pages(Pages::start(self.reader, self.dialect.clone()).await)
    }

    /// Begins to list the newest first, where there is a way and it has not refused us a moment ago.
    fn versions(&self) -> Option<Versions<'a>> {
        let is_refused = |it: Timestamp| self.wish.now < it;
        if self.standing.refused_until.is_some_and(is_refused) {
            return None;
        }
        match &self.dialect {
            Dialect::Standard => None,
            Dialect::ArtifactRegistry(address) => Versions::start(self.reader, address),
        }
    }

    async fn after_page(&mut self, is_first: bool, end: End) -> Turn {
        if is_first {
            self.standing.is_large = end != End::Last && self.dialect != Dialect::Standard;
        }
        self.is_cut |= end == End::Full;
        if is_first
            && self.standing.is_large
            && !self.has_gone_back
            && let Some(versions) = self.versions()
        {
            // A full page may be all there is or not: the other way knows its end.
            if self.wish.newest_first || self.is_cut {
                self.source = Source::Newest(versions);
                return Turn::Again;
            }
            if self.newest.is_none() {
                return self.begin_with_newest(versions, end).await;
            }
        }
        Turn::after(end)
    }

    /// Begins again with the newest row, so that the next look can tell by it whether anything has changed.
    ///
    /// What comes between a page and this row would not be seen, so it has to come before all pages.
    async fn begin_with_newest(&mut self, versions: Versions<'a>, end: End) -> Turn {
        match versions.newest().await {
            Ok(newest) => {
                self.newest = Some(newest);
                self.source = self.pages().await;
                Turn::Again
            }
            Err(refusal) => {
                self.was_refused(&refusal);
                Turn::after(end)
            }
        }
    }

    async fn after_newest(
        &mut self,
        outcome: Result<Rest, Refusal>,
        offer: &mut (dyn FnMut(Listed) + Send),
    ) -> Turn {
        let Source::Newest(versions) = &self.source else {
            unreachable!("a page of the newest came from there");
        };
        let (is_long, rows) = (versions.pages() >= NEWEST_PAGES_BOUND, versions.rows());
        let is_deleted = versions.is_without_the_newest();
        let rest = match outcome {
            Ok(rest) => rest,
            Err(refusal) => {
                self.was_refused(&refusal);
                return self.go_back().await;
            }
        };
        if self.newest.is_none() {
            self.newest = versions.first().cloned();
        }
        match (rest, &self.since) {
            // What was the newest is deleted, and with it perhaps what was taken.
            (Rest::Nothing, Some(_)) if is_deleted => return self.go_back().await,
            (Rest::Nothing, Some(since)) => match since.kept() {
                Some(kept) => kept.into_iter().for_each(offer),
                None => return self.go_back().await,
            },
            (Rest::Nothing, None) => self.standing.is_large = rows >= self.dialect.page_size(),
            (Rest::UploadedUntil(_) | Rest::Anything, _) if is_long && !self.is_cut => {
                return self.go_back().await;
            }
            (Rest::UploadedUntil(_) | Rest::Anything, _) => {}
        }
        Turn::Page(rest)
    }

    /// Lists page by page after all.
    async fn go_back(&mut self) -> Turn {
        self.has_gone_back = true;
        self.since = None;
        self.source = self.pages().await;
        Turn::Again
    }

    fn was_refused(&mut self, refusal: &Refusal) {
        let repository = self.reader.repository;
        tracing::debug!(%repository, error = %refusal, "the newest cannot be listed first, so all are listed");
        let until = self.wish.now.saturating_add(refusal.lasts());
        self.standing.refused_until = Some(until.unwrap_or(Timestamp::MAX));
        self.newest = None;
    }
}
