//! The newest commits of a branch.

use domain::selection::{Commit, CommitRules, Tally};
use jiff::Timestamp;
use resources::{DiscoveredCommit, DiscoveredCommits, ObservedRefs};

use super::{Ask, Error, Mirror, Repositories, Selected, discovered, refs, with_mirror};

/// How many commits behind the newest are fetched: at first, and when those are not enough.
const DEPTHS: [usize; 3] = [2_000, 16_000, 128_000];
/// Commits that are read at a time: after a push, and otherwise where some may be passed over.
const FEW: usize = 100;
const MANY: usize = 1_000;
/// Most commits of a branch that are looked at in all.
const COMMITS_BOUND: usize = 100_000;

/// Finds the commits that the rules take.
pub(super) async fn find(
    repositories: &Repositories,
    ask: &Ask<'_>,
    rules: &CommitRules,
    previous: Option<&DiscoveredCommits>,
    now: Timestamp,
) -> Result<Selected, Error> {
    let (head, place) = refs::find_head(repositories, ask).await?;
    let before = previous.and_then(|it| {
        let head = &it.observed_refs.as_ref()?.branch_head;
        (!head.is_empty()).then_some(Before {
            head,
            commits: &it.commits,
        })
    });
    if let Some(previous) = previous
        && before.is_some_and(|it| *it.head == head)
    {
        return Ok(ask.unchanged(previous));
    }
    let look = Look {
        ask,
        rules,
        head: &head,
        before: before.filter(|_| rules.are_steady()),
        now,
    };
    let (commits, ruled_out) = with_mirror!(repositories, ask, &place, |mirror| look.take(mirror))?;
    let observed = ObservedRefs {
        branch_head: head,
        tags: Vec::new(),
    };
    Ok(Selected {
        found: ask.discovered(commits, Some(observed)),
        ruled_out: ruled_out.told(),
    })
}

/// What was taken of the same branch before.
#[derive(Debug, Clone, Copy)]
struct Before<'a> {
    head: &'a String,
    commits: &'a [DiscoveredCommit],
}

/// Looks for the commits of one branch.
#[derive(Debug)]
struct Look<'a> {
    ask: &'a Ask<'a>,
    rules: &'a CommitRules,
    head: &'a str,
    /// None where what was true of a commit before may be so no more.
    before: Option<Before<'a>>,
    now: Timestamp,
}

type Taken = (Vec<DiscoveredCommit>, Tally);

impl Look<'_> {
    /// Reads commits in growing batches until enough count.
    ///
    /// Where the head of before comes by, the rest is as it was then, and nothing older is looked at.
    async fn take(&self, mirror: &mut Mirror<'_>) -> Result<Taken, Error> {
        let mut deeper = DEPTHS.iter();
        if mirror.kinds(&[self.head]).await?.is_empty() {
            let depth = deeper.next().expect("there is a first depth");
            mirror.fetch(&[self.head.to_owned()], *depth).await?;
        }
        let (mut taken, mut ruled_out) = (Vec::new(), Tally::default());
        let mut batch = match (self.before, self.rules.passes_over()) {
            (Some(_), _) => FEW,
            (None, true) => MANY,
            (None, false) => self.rules.limit(),
        };
        let mut skip = 0;
        while skip < COMMITS_BOUND {
            let since = self.rules.since();
            let mut commits = mirror.log(self.head, since, skip, batch).await?;
            let is_last = commits.len() < batch;
            let known = self.before.filter(|before| {
                let at = commits.iter().position(|it| it.id == *before.head);
                commits.truncate(at.unwrap_or(commits.len()));
                at.is_some()
            });
            let cut = commits.iter().position(|it| mirror.is_cut_at(&it.id));
            // A repository may be cut on the server, too: then that is where it begins.
            let depth = cut.and_then(|at| deeper.find(|depth| **depth > skip + at + 1));
            if let (Some(at), Some(_)) = (cut, depth) {
                commits.truncate(at);
            }
            let whole = commits.len();
            self.judge(mirror, commits, &mut taken, &mut ruled_out)
                .await?;
            if taken.len() == self.rules.limit() {
                break;
            }
            if let Some(depth) = depth {
                mirror.fetch(&[self.head.to_owned()], *depth).await?;
                skip += whole;
                continue;
            }
            if let Some(before) = known {
                taken.extend(before.commits.iter().cloned());
                taken.truncate(self.rules.limit());
                break;
            }
            if is_last {
                break;
            }
            skip += batch;
            batch = (batch * 2).min(MANY);
        }
        Ok((taken, ruled_out))
    }

    /// Adds those commits that count, in their order, until there are enough.
    async fn judge(
        &self,
        mirror: &Mirror<'_>,
        commits: Vec<Commit>,
        taken: &mut Vec<DiscoveredCommit>,
        ruled_out: &mut Tally,
    ) -> Result<(), Error> {
        let mut passing = Vec::new();
        for commit in commits {
            let judged = self.rules.judge(&commit, self.now);
            match judged.map_err(|source| self.ask.rules_error(source))? {
                Ok(()) => passing.push(commit),
                Err(rule) => ruled_out.add(commit.id, rule),
            }
        }
        let changed = if self.rules.needs_paths() {
            let ids = passing.iter().map(|it| it.id.clone());
            mirror.changed(ids.collect()).await?
        } else {
            std::collections::HashMap::new()
        };
        for commit in passing {
            if taken.len() == self.rules.limit() {
                return Ok(());
            }
            let changed = changed.get(&commit.id).map(AsRef::as_ref);
            match self.rules.judge_paths(changed.unwrap_or_default()) {
                Ok(()) => {
                    let date = commit.date;
                    taken.push(discovered(commit, date, &self.ask.subscription.branch, ""));
                }
                Err(rule) => ruled_out.add(commit.id, rule),
            }
        }
        Ok(())
    }
}
