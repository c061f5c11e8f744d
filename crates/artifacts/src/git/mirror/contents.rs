//! Reads commits, tags and changed paths from a mirror.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::selection::Commit;
use jiff::Timestamp;

use super::Mirror;
use crate::child;
use crate::git::Error;

/// How `git log` writes a commit: a field a line, of which none but the last may hold anything, ended by a zero byte.
const FORMAT: &str = "--format=%H%n%ct%n%an%n%ae%n%cn%n%ce%n%s";
/// Most bytes of what commits change, as git writes it: a million files.
const CHANGES_BOUND: usize = 128 << 20;
/// Most objects that are read at a time.
const READ_BOUND: usize = 5_000;
/// Begins a signature at the end of a tag's message.
const SIGNATURES: [&str; 2] = ["-----BEGIN PGP ", "-----BEGIN SSH "];

/// What a tag object says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::git) struct Tag {
    /// The commit that it names itself; a tag may also name another tag.
    pub(in crate::git) commit: Option<String>,
    /// `Name <email>`; empty where nobody is named.
    pub(in crate::git) tagger: String,
    pub(in crate::git) date: Option<Timestamp>,
    /// The first paragraph of the message, in one line.
    pub(in crate::git) annotation: String,
}

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

/// Reads a commit. One whose date is none is as old as can be.
fn read_commit(record: &str) -> Option<Commit> {
    let mut fields = record.splitn(7, '\n');
    let mut next = || fields.next();
    let (id, seconds) = (next()?, next()?);
    let author = format!("{} <{}>", next()?, next()?);
    let committer = format!("{} <{}>", next()?, next()?);
    Some(Commit {
        id: id.to_owned(),
        date: moment(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
        author,
        committer,
        subject: next()?.to_owned(),
    })
}

fn moment(seconds: &str) -> Option<Timestamp> {
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

/// Reads `<id> <kind> <size>`, the object and a line end, one after the other. What is missing is left out.
fn read_batch(mut rest: &[u8]) -> Option<Vec<(String, String)>> {
    let mut objects = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|it| *it == b'\n')?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        rest = &rest[end + 1..];
        let mut words = head.split(' ');
        let (id, size) = (words.next()?, words.nth(1));
        let Some(size) = size else { continue };
        let (object, after) = rest.split_at_checked(size.parse().ok()?)?;
        objects.push((id.to_owned(), String::from_utf8_lossy(object).into_owned()));
        rest = after.strip_prefix(b"\n")?;
    }
    Some(objects)
}

/// Reads a tag object, of which anything may be missing.
fn read_tag(text: &str) -> Tag {
    let (head, message) = text.split_once("\n\n").unwrap_or((text, ""));
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let (tagger, date) = field("tagger ").map(read_person).unwrap_or_default();
    let is_of_commit = field("type ") == Some("commit");
    Tag {
        commit: field("object ").filter(|_| is_of_commit).map(str::to_owned),
        tagger,
        date,
        annotation: first_paragraph(message),
    }
}

/// Reads `Name <email> seconds zone`.
fn read_person(text: &str) -> (String, Option<Timestamp>) {
    match text.rsplit_once("> ") {
        Some((person, time)) => {
            let seconds = time.split(' ').next().unwrap_or_default();
            (format!("{person}>"), moment(seconds))
        }
        None => (text.to_owned(), None),
    }
}

/// Puts the first paragraph in one line, as git does for subjects.
fn first_paragraph(message: &str) -> String {
    let lines = message
        .lines()
        .take_while(|line| !SIGNATURES.iter().any(|sign| line.starts_with(sign)))
        .map(str::trim);
    let paragraph = lines
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ")
}

fn read_parents(commit: &str) -> Vec<String> {
    let (head, _) = commit.split_once("\n\n").unwrap_or((commit, ""));
    let parents = head.lines().filter_map(|line| line.strip_prefix("parent "));
    parents.map(str::to_owned).collect()
}

/// Reads a commit's id, then `:modes ids status` and a path for each change, each ended by a zero byte.
fn read_changes(output: &[u8], changed: &mut HashMap<String, Vec<String>>) -> Option<()> {
    let mut pieces = output
        .split(|it| *it == 0)
        .filter(|piece| !piece.is_empty());
    let mut commit = None;
    while let Some(piece) = pieces.next() {
        if piece.first() == Some(&b':') {
            let path = String::from_utf8_lossy(pieces.next()?).into_owned();
            changed.get_mut(commit.as_ref()?)?.push(path);
        } else {
            commit = Some(std::str::from_utf8(piece).ok()?.to_owned());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_whatever_is_missing() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let whole = format!(
            "object {id}\ntype commit\ntag v1\ntagger Ann <ann@acme.test> 1770000000 +0200\n\nRelease one,\nat last\n\nMore.\n"
        );
        let expected = Tag {
            commit: Some(id.to_owned()),
            tagger: "Ann <ann@acme.test>".to_owned(),
            date: moment("1770000000"),
            annotation: "Release one, at last".to_owned(),
        };
        assert_eq!(read_tag(&whole), expected);
        let signed = "object x\ntype tag\n\n-----BEGIN PGP SIGNATURE-----\n";
        assert_eq!(read_tag(signed), Tag::default());
        let odd =
            read_tag("type commit\ntagger nonsense\n\n\n\nHello\n-----BEGIN SSH SIGNATURE-----\n");
        let expected = Tag {
            tagger: "nonsense".to_owned(),
            annotation: "Hello".to_owned(),
            ..Tag::default()
        };
        assert_eq!(odd, expected);
        assert_eq!(read_tag(""), Tag::default());
    }

    #[test]
    fn a_commit_may_hold_anything_but_zero_bytes() {
        let record = "id\n\nA\u{1f}nn\na@b\nBob\n\nSub\u{1e}ject\nstill";
        let commit = read_commit(record).expect("a commit");
        assert_eq!(
            (
                commit.date,
                commit.author.as_str(),
                commit.committer.as_str(),
                commit.subject.as_str()
            ),
            (
                Timestamp::UNIX_EPOCH,
                "A\u{1f}nn <a@b>",
                "Bob <>",
                "Sub\u{1e}ject\nstill"
            )
        );
        assert_eq!(read_commit("id\n1"), None);
    }

    #[test]
    fn changes_are_told_from_commits_whatever_a_file_is_called() {
        let mut changed =
            HashMap::from([("a".repeat(40), Vec::new()), ("b".repeat(40), Vec::new())]);
        let path = "b".repeat(40);
        let output = format!(
            "{}\0:1 2 3 4 A\0{path}\0:1 2 3 4 M\0x y\0{}\0:1 2 3 4 D\0:z\0",
            "a".repeat(40),
            "b".repeat(40)
        );
        assert_eq!(read_changes(output.as_bytes(), &mut changed), Some(()));
        assert_eq!(changed[&"a".repeat(40)], [path, "x y".to_owned()]);
        assert_eq!(changed[&"b".repeat(40)], [":z"]);
        assert_eq!(read_changes(b":1 2\0x\0", &mut changed), None);
    }

    #[test]
    fn objects_are_read_by_their_size() {
        let read = read_batch(b"a tag 3\nx\ny\nb missing\nc commit 0\n\n").expect("objects");
        let expected = [
            ("a".to_owned(), "x\ny".to_owned()),
            ("c".to_owned(), String::new()),
        ];
        assert_eq!(read, expected);
        assert_eq!(read_batch(b"a tag 9\nx\n"), None);
        assert_eq!(read_batch(b"a"), None);
    }
}
