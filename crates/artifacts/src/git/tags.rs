//! The commits that tags name.
//!
//! One listing gives all names and ids; by the names alone most tags are out. What the others name is read from the mirror,
//! which fetches what it does not have: the tags that are needed, and along with them all that are new on the server, so
//! that other subscriptions find theirs after a push of many.

use std::collections::{HashMap, HashSet};

use domain::selection::{
    GitTagRules, GitTagSelection, NextTags, Rule, SeenTags, SelectedTags, TagLook, TaggedCommit,
};
use jiff::Timestamp;
use resources::warehouse::ObservedTag;
use resources::{DiscoveredCommits, ObservedRefs};
use sha2::{Digest as _, Sha256};

use super::mirror::Tag;
use super::refs::{self, Ref};
use super::{Ask, Error, Mirror, Repositories, Selected, discovered, with_mirror};

/// Most matching tags that a status remembers, as upstream has it.
const OBSERVED_BOUND: usize = 1_000;
/// Most tags that are read for one subscription.
const READ_BOUND: usize = 50_000;
/// Longest list of a server's tags that is kept, to tell new ones.
const LISTED_BOUND: usize = 50_000;
/// Most new tags that are fetched along.
const ALONG_BOUND: usize = 1_000;
/// How many commits are fetched of a tag: its own and the one that it is compared with.
const DEPTH: usize = 2;

/// Finds the commits that the rules take.
pub(super) async fn find(
    repositories: &Repositories,
    ask: &Ask<'_>,
    rules: &GitTagRules,
    previous: Option<&DiscoveredCommits>,
    now: Timestamp,
) -> Result<Selected, Error> {
    let (listed, place) = refs::find_tags(repositories, ask).await?;
    let names = listed.iter().map(|it| it.name.clone());
    let selection = rules.select(names.collect());
    let refs: HashMap<&str, &Ref> = listed.iter().map(|it| (it.name.as_str(), it)).collect();
    let matching = matching(&selection, &refs);
    if let Some(previous) = previous
        && is_same(repositories, ask, previous, &matching)
    {
        return Ok(ask.unchanged(previous));
    }
    let look = Look {
        ask,
        rules,
        selection: &selection,
        refs: &refs,
        now,
    };
    let selected = if matching.is_empty() {
        look.select_none()?
    } else {
        with_mirror!(repositories, ask, &place, |mirror| look.take(mirror))?
    };
    let commits = selected.taken.into_iter().map(|(tag, it)| {
        let TaggedCommit { commit, date, .. } = it;
        discovered(commit, date, "", &tag)
    });
    let found = ask.discovered(commits.collect(), observed(&matching));
    if found.observed_refs.is_none() {
        let digest = digest(ask, &found, &matching);
        repositories.lists.insert(digest, ()).await;
    }
    Ok(Selected {
        found,
        ruled_out: selected.ruled_out,
    })
}

/// Gives the tags that match by their names, in order of the names, with what they point to.
fn matching(selection: &GitTagSelection<'_>, refs: &HashMap<&str, &Ref>) -> Vec<ObservedTag> {
    let candidates = selection.candidates().iter();
    let tags = candidates.filter_map(|name| {
        Some(ObservedTag {
            name: name.clone(),
            id: refs.get(name.as_str())?.id.clone(),
        })
    });
    let mut tags: Vec<ObservedTag> = tags.collect();
    tags.sort_by(|one, other| one.name.cmp(&other.name));
    tags
}

fn observed(matching: &[ObservedTag]) -> Option<ObservedRefs> {
    (matching.len() <= OBSERVED_BOUND).then(|| ObservedRefs {
        branch_head: String::new(),
        tags: matching.to_vec(),
    })
}

/// Says whether `previous` was made of the same tags: by its own word, or where there are too many by ours.
fn is_same(
    repositories: &Repositories,
    ask: &Ask<'_>,
    previous: &DiscoveredCommits,
    matching: &[ObservedTag],
) -> bool {
    match (observed(matching), &previous.observed_refs) {
        (Some(now), Some(before)) => now == *before,
        (None, None) => repositories
            .lists
            .contains_key(&digest(ask, previous, matching)),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Tells what was found of which tags for whom.
fn digest(ask: &Ask<'_>, found: &DiscoveredCommits, matching: &[ObservedTag]) -> [u8; 32] {
    let about = serde_json::json!([ask.scope, ask.subscription, found.commits]);
    let mut digest = Sha256::new_with_prefix(about.to_string());
    for ObservedTag { name, id } in matching {
        digest.update(format!("\n{name} {id}"));
    }
    digest.finalize().into()
}

/// Looks for what the tags of one subscription name.
struct Look<'a> {
    ask: &'a Ask<'a>,
    rules: &'a GitTagRules,
    selection: &'a GitTagSelection<'a>,
    refs: &'a HashMap<&'a str, &'a Ref>,
    now: Timestamp,
}

impl Look<'_> {
    /// Reads and compares what the selection asks for until it is made.
    async fn take(&self, mirror: &mut Mirror<'_>) -> Result<SelectedTags, Error> {
        let mut seen = SeenTags::default();
        loop {
            match self.next(&seen)? {
                NextTags::Read(names) => {
                    if seen.tags.len() + names.len() > READ_BOUND {
                        let bound = READ_BOUND;
                        return Err(self
                            .ask
                            .error(|repo_url| Error::TooManyTags { repo_url, bound }));
                    }
                    self.read(mirror, names, &mut seen).await?;
                }
                NextTags::Compare(ids) => seen.changed.extend(mirror.changed(ids).await?),
                NextTags::Selected(selected) => return self.refuse_broken(selected),
            }
        }
    }

    /// Selects where no tag matches.
    fn select_none(&self) -> Result<SelectedTags, Error> {
        match self.next(&SeenTags::default())? {
            NextTags::Selected(selected) => Ok(selected),
            NextTags::Read(_) | NextTags::Compare(_) => Ok(SelectedTags::default()),
        }
    }

    fn next(&self, seen: &SeenTags) -> Result<NextTags, Error> {
        let next = self.selection.next(seen, self.now);
        next.map_err(|source| self.ask.rules_error(source))
    }

    /// Takes it for an error when nothing is left and something is broken.
    fn refuse_broken(&self, selected: SelectedTags) -> Result<SelectedTags, Error> {
        let broken = selected.ruled_out.iter().find_map(|it| match &it.rule {
            Rule::Unusable(why) => Some((it.tags.first()?.clone(), why.clone())),
            _ => None,
        });
        match broken.filter(|_| selected.taken.is_empty()) {
            None => Ok(selected),
            Some((tag, why)) => {
                Err(self
                    .ask
                    .error(|repo_url| Error::NoCommit { repo_url, tag, why }))
            }
        }
    }

    async fn read(
        &self,
        mirror: &mut Mirror<'_>,
        names: Vec<String>,
        seen: &mut SeenTags,
    ) -> Result<(), Error> {
        let tags: Vec<&Ref> = names
            .iter()
            .filter_map(|name| self.refs.get(name.as_str()).copied())
            .collect();
        let mut ids: Vec<&str> = tags.iter().map(|it| it.id.as_str()).collect();
        ids.extend(tags.iter().filter_map(|it| it.peeled.as_deref()));
        let mut kinds = mirror.kinds(&ids).await?;
        if self.fetch(mirror, &tags, &kinds).await? {
            kinds = mirror.kinds(&ids).await?;
        }
        let kind = |id: &str| kinds.get(id).map(String::as_str);
        ids.retain(|id| kind(id) == Some("tag"));
        let objects = mirror.tags(&ids).await?;
        let named = |it: &Ref| names_commit(it, objects.get(&it.id));
        let mut wanted: Vec<String> = tags.iter().filter_map(|it| named(it)).collect();
        wanted.retain(|id| kind(id) == Some("commit"));
        wanted.sort_unstable();
        wanted.dedup();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let commits = mirror.commits(&wanted).await?;
        for it in tags {
            let id = named(it).unwrap_or_default();
            let look = match commits.get(&id) {
                Some(commit) => {
                    let tag = objects.get(&it.id).cloned().unwrap_or_default();
                    TagLook::Found(TaggedCommit {
                        date: tag.date.unwrap_or(commit.date),
                        commit: commit.clone(),
                        tagger: tag.tagger,
                        annotation: tag.annotation,
                    })
                }
                None => TagLook::Unusable(match kind(&id).or_else(|| kind(&it.id)) {
                    Some(kind @ ("tree" | "blob")) => format!("it names a {kind}, not a commit"),
                    Some(_) => "it names no commit".to_owned(),
                    None => "the server could not give it".to_owned(),
                }),
            };
            seen.tags.insert(it.name.clone(), look);
        }
        Ok(())
    }

    /// Fetches what is missing of tags, and what else is new; says whether anything was.
    async fn fetch(
        &self,
        mirror: &mut Mirror<'_>,
        tags: &[&Ref],
        kinds: &HashMap<String, String>,
    ) -> Result<bool, Error> {
        let is_missing = |it: &&&Ref| {
            let commit = it.peeled.as_ref().unwrap_or(&it.id);
            let is_compared = self.rules.needs_paths() && mirror.is_cut_at(commit);
            !kinds.contains_key(&it.id) || !kinds.contains_key(commit) || is_compared
        };
        let missing = tags.iter().filter(is_missing).map(|it| it.id.clone());
        let mut wants: Vec<String> = missing.filter(|id| !mirror.is_odd(id)).collect();
        if wants.is_empty() {
            return Ok(false);
        }
        let listed: HashSet<&str> = self.refs.values().map(|it| it.id.as_str()).collect();
        let mut along = mirror.new_since_last_time(&listed);
        along.retain(|id| !mirror.is_odd(id));
        along.truncate(ALONG_BOUND);
        wants.extend(along);
        wants.sort_unstable();
        wants.dedup();
        mirror.fetch_each(wants, DEPTH).await?;
        if listed.len() <= LISTED_BOUND {
            mirror.remember_listed(&listed)?;
        }
        Ok(true)
    }
}

/// Gives the commit that a tag names as far as can be told: by the server, by the tag object, or by being no object.
fn names_commit(it: &Ref, object: Option<&Tag>) -> Option<String> {
    match (&it.peeled, object) {
        (Some(peeled), _) => Some(peeled.clone()),
        (None, Some(object)) => object.commit.clone(),
        (None, None) => Some(it.id.clone()),
    }
}
