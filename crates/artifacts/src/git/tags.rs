//! The commits that tags name.
//!
//! One listing gives all names and ids; by the names alone most tags are out. What the others name is read from the mirror,
//! which fetches what it does not have: the tags that are needed, and along with them all that are new on the server, so
//! that other subscriptions find theirs after a push of many.

use std::collections::HashMap;

use domain::selection::{
    GitTagRules, GitTagSelection, NextTags, READS_BOUND, Rule, SeenTags, SelectedTags, TagLook,
    TaggedCommit,
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
    let (mut listed, place) = refs::find_tags(repositories, ask).await?;
    // By name: to be found by it, and for lists to be known again whatever order a server has.
    listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let (selection, matching) = select(rules, &listed);
    if let Some(previous) = previous
        && is_same(repositories, ask, previous, &matching)
    {
        return Ok(ask.unchanged(previous));
    }
    let look = Look {
        ask,
        rules,
        selection: &selection,
        listed: &listed,
        now,
    };
    let selected = if selection.is_empty() {
        look.select_none()?
    } else {
        with_mirror!(repositories, ask, &place, |mirror| look.take(mirror))?
    };
    let commits = selected.taken.into_iter().map(|(tag, it)| {
        let TaggedCommit { commit, date, .. } = it;
        discovered(commit, date, "", &tag)
    });
    let found = ask.discovered(commits.collect(), matching.observed());
    if found.observed_refs.is_none() {
        let digest = digest(ask, &found, &matching);
        repositories.lists.insert(digest, ()).await;
    }
    Ok(Selected {
        found,
        ruled_out: selected.ruled_out,
    })
}

/// Judges tags by their names; also says which match, and what those point to.
fn select<'a>(rules: &'a GitTagRules, listed: &'a [Ref]) -> (GitTagSelection<'a>, Matching) {
    let (mut names, mut matching) = (rules.start(), Matching::default());
    for it in listed {
        if names.offer(&it.name) {
            matching.add(it);
        }
    }
    (names.selection(), matching)
}

/// The tags that match by their names with what they point to, in order of the names: all of them while a status remembers
/// them, and a digest however many there are.
#[derive(Debug, Default)]
struct Matching {
    first: Vec<ObservedTag>,
    count: usize,
    digest: Sha256,
}

impl Matching {
    fn add(&mut self, tag: &Ref) {
        let Ref { name, id, .. } = tag;
        for part in ["\n", name, " ", id] {
            self.digest.update(part);
        }
        self.count += 1;
        if self.count <= OBSERVED_BOUND {
            self.first.push(ObservedTag {
                name: name.clone(),
                id: id.clone(),
            });
        }
    }

    /// Gives what a status remembers; nothing where that is too much.
    fn observed(&self) -> Option<ObservedRefs> {
        (self.count <= OBSERVED_BOUND).then(|| ObservedRefs {
            branch_head: String::new(),
            tags: self.first.clone(),
        })
    }
}

/// Says whether `previous` was made of the same tags: by its own word, or where there are too many by ours.
fn is_same(
    repositories: &Repositories,
    ask: &Ask<'_>,
    previous: &DiscoveredCommits,
    matching: &Matching,
) -> bool {
    match (matching.observed(), &previous.observed_refs) {
        (Some(now), Some(before)) => now == *before,
        (None, None) => repositories
            .lists
            .contains_key(&digest(ask, previous, matching)),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Tells what was found of which tags for whom.
fn digest(ask: &Ask<'_>, found: &DiscoveredCommits, matching: &Matching) -> [u8; 32] {
    let about = serde_json::json!([ask.scope, ask.subscription, found.commits]);
    let mut digest = matching.digest.clone();
    digest.update(about.to_string());
    digest.finalize().into()
}

/// Looks for what the tags of one subscription name.
struct Look<'a> {
    ask: &'a Ask<'a>,
    rules: &'a GitTagRules,
    selection: &'a GitTagSelection<'a>,
    /// In order of the names.
    listed: &'a [Ref],
    now: Timestamp,
}

impl Look<'_> {
    /// Reads and compares what the selection asks for until it is made.
    async fn take(&self, mirror: &mut Mirror<'_>) -> Result<SelectedTags, Error> {
        let mut seen = SeenTags::default();
        loop {
            match self.next(&seen)? {
                NextTags::Read(names) => {
                    if seen.tags.len() + names.len() > READS_BOUND {
                        let bound = READS_BOUND;
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

    fn find(&self, name: &str) -> Option<&Ref> {
        let at = self
            .listed
            .binary_search_by(|it| it.name.as_str().cmp(name));
        self.listed.get(at.ok()?)
    }

    fn listed_ids(&self) -> impl Iterator<Item = &str> {
        self.listed.iter().map(|it| it.id.as_str())
    }

    async fn read(
        &self,
        mirror: &mut Mirror<'_>,
        names: Vec<String>,
        seen: &mut SeenTags,
    ) -> Result<(), Error> {
        let tags: Vec<&Ref> = names.iter().filter_map(|it| self.find(it)).collect();
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
        wants.extend(mirror.new_since_last_time(self.listed_ids(), ALONG_BOUND));
        wants.sort_unstable();
        wants.dedup();
        mirror.fetch_each(wants, DEPTH).await?;
        if self.listed.len() <= LISTED_BOUND {
            mirror.remember_listed(&self.listed_ids().collect())?;
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

#[cfg(test)]
mod tests {
    use resources::GitSubscription;
    use resources::subscription::CommitSelectionStrategy;

    use super::*;

    /// Tags in order of their names, which all match, and what they point to.
    fn listed(count: usize) -> Vec<Ref> {
        let names = (0..count).map(|it| format!("1.0.{}", 10_000 + it));
        let refs = names.enumerate().map(|(number, name)| Ref {
            name,
            id: format!("{number:040x}"),
            peeled: None,
        });
        refs.collect()
    }

    fn matching(listed: &[Ref]) -> Matching {
        let subscription = GitSubscription {
            commit_selection_strategy: CommitSelectionStrategy::SemVer,
            ignore_tags_regexes: vec!["rc".to_owned()],
            ..GitSubscription::default()
        };
        let rules = GitTagRules::parse(&subscription).expect("rules");
        select(&rules.expect("a strategy of tags"), listed).1
    }

    #[test]
    fn of_many_tags_that_match_a_digest_is_all_that_is_held() {
        let few = matching(&listed(OBSERVED_BOUND));
        let observed = few.observed().expect("a status remembers them");
        assert_eq!(observed.tags.len(), OBSERVED_BOUND);
        assert_eq!(observed.tags[1].name, "1.0.10001");

        let mut refs = listed(5 * OBSERVED_BOUND);
        let many = matching(&refs);
        assert_eq!(many.observed(), None);
        assert_eq!((many.first.len(), many.count), (OBSERVED_BOUND, refs.len()));
        let digest = |it: &Matching| it.digest.clone().finalize();
        assert_eq!(digest(&many), digest(&matching(&refs)));
        // What does not match plays no part; one that moves does, wherever it is.
        let ignored = Ref {
            name: "9.0.0-rc.1".to_owned(),
            ..refs[0].clone()
        };
        refs.push(ignored);
        assert_eq!(digest(&many), digest(&matching(&refs)));
        refs[4_000].id = format!("{:040x}", 1);
        assert_ne!(digest(&many), digest(&matching(&refs)));
    }
}
