//! Reads commits, tags and changed paths from a mirror.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::selection::Commit;
use jiff::Timestamp;

use super::Mirror;
use super::written::{FORMAT, Tag, read_batch, read_changes, read_commit, read_parents, read_tag};
use crate::child;
use crate::git::Error;

/// Most bytes of what commits change, as git writes it: a million files.
const CHANGES_BOUND: usize = 128 << 20;
/// Most objects that are read at a time.
const READ_BOUND: usize = 5_000;

impl Mirror<'_> {
    /// Says of what kind objects are: `commit`, `tag`, `tree`, `blob`; nothing of those that are not here.
    pub(in crate::git) async fn kinds(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, String>, Error> {
        let command = self.local()?.args(["cat-file", "--batch-check"]);
        let output = self.run(command.input(lines(ids))).await?;
        let kinds = output.text();
        let kinds = kinds.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let (id, kind) = (words.next()?, words.next()?);
            (kind != "missing").then(|| (id.to_owned(), kind.to_owned()))
        });
        Ok(kinds.collect())
    }

    /// Reads `count` commits of the line of `head`, newest first, after the `skip` newest of those since a time.
    pub(in crate::git) async fn log(
        &self,
        head: &str,
        since: Option<Timestamp>,
        skip: usize,
        count: usize,
    ) -> Result<Vec<Commit>, Error> {
        let mut command = self
            .local()?
            .args([
                "log",
                "-z",
                "--first-parent",
                "--no-show-signature",
                "--no-mailmap",
                FORMAT,
            ])
            .arg(format!("--max-count={count}"))
            .arg(format!("--skip={skip}"));
        if let Some(since) = since {
            command = command.arg(format!("--since=@{} +0000", since.as_second()));
        }
        let output = self.run(command.arg(head).arg("--")).await?;
        self.read_log(&output.stdout)
    }

    /// Reads commits by their ids; each has to be here.
    pub(in crate::git) async fn commits(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, Commit>, Error> {
        let input = lines(ids);
        if input.is_empty() {
            return Ok(HashMap::new());
        }
        let command = self
            .local()?
            .args([
                "log",
                "-z",
                "--no-walk=unsorted",
                "--no-show-signature",
                "--no-mailmap",
                FORMAT,
            ])
            .arg("--stdin");
        let output = self.run(command.input(input)).await?;
        let commits = self.read_log(&output.stdout)?;
        Ok(commits.into_iter().map(|it| (it.id.clone(), it)).collect())
    }

    /// Reads tag objects by their ids; each has to be here.
    pub(in crate::git) async fn tags(&self, ids: &[&str]) -> Result<HashMap<String, Tag>, Error> {
        let contents = self.contents(ids).await?;
        let tags = contents.into_iter().map(|(id, text)| (id, read_tag(&text)));
        Ok(tags.collect())
    }

    /// Gives the paths that commits change compared with their first parents, by commit. They are read once.
    pub(in crate::git) async fn changed(
        &self,
        ids: Vec<String>,
    ) -> Result<HashMap<String, Arc<[String]>>, Error> {
        let (known, scope) = (&self.repositories.changes, &self.ask.scope);
        let (mut changed, mut unknown) = (HashMap::new(), Vec::new());
        for id in ids {
            match known.get(&(Arc::clone(scope), id.clone())).await {
                Some(paths) => drop(changed.insert(id, paths)),
                None => unknown.push(id),
            }
        }
        for (id, paths) in self.compare(unknown).await? {
            let paths: Arc<[String]> = paths.into();
            let key = (Arc::clone(scope), id.clone());
            known.insert(key, Arc::clone(&paths)).await;
            changed.insert(id, paths);
        }
        Ok(changed)
    }

    async fn compare(&self, ids: Vec<String>) -> Result<HashMap<String, Vec<String>>, Error> {
        let mut changed = HashMap::new();
        let mut groups = vec![ids];
        while let Some(mut group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            let command = self
                .local()?
                .args(["diff-tree", "--stdin", "-r", "-z", "--raw", "--root"])
                .args(["--diff-merges=first-parent", "--no-renames"])
                .input(lines(&group))
                .output_limit(CHANGES_BOUND);
            match self.run(command).await {
                Ok(output) => {
                    changed.extend(group.into_iter().map(|id| (id, Vec::new())));
                    read_changes(&output.stdout, &mut changed)
                        .ok_or_else(|| self.malformed("git diff-tree wrote what cannot be read"))?;
                }
                // Some commits change hundreds of thousands of files.
                Err(error) if is_too_much(&error) && group.len() > 1 => {
                    let half = group.split_off(group.len() / 2);
                    groups.extend([group, half]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// Gives those of commits of which some parent is not here.
    pub(super) async fn without_parents(
        &self,
        commits: HashSet<String>,
    ) -> Result<HashSet<String>, Error> {
        if commits.is_empty() {
            return Ok(commits);
        }
        let ids: Vec<&str> = commits.iter().map(String::as_str).collect();
        let contents = self.contents(&ids).await?;
        let parents: HashMap<String, Vec<String>> = contents
            .into_iter()
            .map(|(id, text)| (id, read_parents(&text)))
            .collect();
        let ids: Vec<&str> = parents.values().flatten().map(String::as_str).collect();
        let present = self.kinds(&ids).await?;
        let is_here = |parent: &String| present.contains_key(parent);
        let whole = |id: &String| parents.get(id).is_some_and(|them| them.iter().all(is_here));
        Ok(commits.into_iter().filter(|id| !whole(id)).collect())
    }

    /// Reads objects by their ids. One that is too large to be read is left out, as one that is not here.
    async fn contents(&self, ids: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let mut contents = Vec::new();
        let mut groups: Vec<&[&str]> = ids.chunks(READ_BOUND).collect();
        while let Some(group) = groups.pop() {
            let command = self.local()?.args(["cat-file", "--batch"]);
            match self.run(command.input(lines(group))).await {
                Ok(output) => {
                    let read = read_batch(&output.stdout)
                        .ok_or_else(|| self.malformed("git cat-file wrote what cannot be read"))?;
                    contents.extend(read);
                }
                Err(error) if !is_too_much(&error) => return Err(error),
                Err(_) if group.len() == 1 => {}
                Err(_) => groups.extend([&group[..group.len() / 2], &group[group.len() / 2..]]),
            }
        }
        Ok(contents)
    }

    fn read_log(&self, output: &[u8]) -> Result<Vec<Commit>, Error> {
        let text = String::from_utf8_lossy(output);
        let records = text.split('\0').filter(|record| !record.is_empty());
        let commits = records.map(|record| {
            read_commit(record)
                .ok_or_else(|| self.malformed("git log wrote a commit that cannot be read"))
        });
        commits.collect()
    }
}

/// Says whether git wrote more than it may.
fn is_too_much(error: &Error) -> bool {
    let Error::Log { source, .. } = error else {
        return false;
    };
    matches!(source, child::Error::TooMuchOutput { .. })
}

/// Puts each id on a line, as git takes them.
fn lines(ids: &[impl AsRef<str>]) -> String {
    let lines = ids.iter().map(|id| format!("{}\n", id.as_ref()));
    lines.collect()
}
