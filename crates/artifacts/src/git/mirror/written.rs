//! Reads what git writes of commits, tags and changed paths.

use std::collections::HashMap;

use domain::selection::Commit;
use jiff::Timestamp;

/// How `git log` writes a commit: a field a line, of which none but the last may hold anything, ended by a zero byte.
pub(super) const FORMAT: &str = "--format=%H%n%ct%n%an%n%ae%n%cn%n%ce%n%s";
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

/// Reads a commit. One whose date is none is as old as can be.
pub(super) fn read_commit(record: &str) -> Option<Commit> {
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
pub(super) fn read_batch(mut rest: &[u8]) -> Option<Vec<(String, String)>> {
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
pub(super) fn read_tag(text: &str) -> Tag {
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

pub(super) fn read_parents(commit: &str) -> Vec<String> {
    let (head, _) = commit.split_once("\n\n").unwrap_or((commit, ""));
    let parents = head.lines().filter_map(|line| line.strip_prefix("parent "));
    parents.map(str::to_owned).collect()
}

/// Reads a commit's id, then `:modes ids status` and a path for each change, each ended by a zero byte.
pub(super) fn read_changes(
    output: &[u8],
    changed: &mut HashMap<String, Vec<String>>,
) -> Option<()> {
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
