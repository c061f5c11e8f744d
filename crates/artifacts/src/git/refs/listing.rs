//! What a server answers: lists of refs, of either age of the protocol.

use std::collections::HashMap;

use http::StatusCode;

use crate::git::pkt::{self, Pkt};
use crate::sender::Answer;

/// Most refs of one answer.
pub(in crate::git) const REFS_BOUND: usize = 500_000;
/// Longest name of a ref, in bytes.
const NAME_BOUND: usize = 1_024;
/// Ends the name of what a tag stands for, in lists of the old kind.
const PEELED: &str = "^{}";

/// A branch or tag as a server names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::git) struct Ref {
    /// In full: `refs/tags/v1.0.0`, `HEAD`.
    pub(in crate::git) name: String,
    /// What it points to: a commit, or the tag object that holds a message.
    pub(in crate::git) id: String,
    /// What the tag object stands for in the end.
    pub(in crate::git) peeled: Option<String>,
}

/// Says why an answer is no list of refs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    NotGit,
    TooMany,
}

/// Reads the answer to `ls-refs`.
pub(super) fn read_listing(answer: &Answer) -> Result<Vec<Ref>, Unread> {
    if answer.status != StatusCode::OK {
        return Err(Unread::NotGit);
    }
    let mut refs = Refs::default();
    for pkt in pkt::read(&answer.body) {
        match pkt.map_err(|_| Unread::NotGit)? {
            Pkt::Line(line) => refs.add(line)?,
            Pkt::Flush | Pkt::End => return Ok(refs.end()),
            Pkt::Delimiter => return Err(Unread::NotGit),
        }
    }
    Err(Unread::NotGit)
}

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It speaks version 2 and waits for a command.
    VersionTwo,
    /// It speaks an older version and has listed all its refs.
    Refs(Vec<Ref>),
}

pub(super) fn read_greeting(body: &[u8]) -> Result<Greeting, Unread> {
    let (mut refs, mut is_empty) = (Refs::default(), true);
    for pkt in pkt::read(body) {
        match pkt.map_err(|_| Unread::NotGit)? {
            Pkt::Line(b"version 2") => return Ok(Greeting::VersionTwo),
            Pkt::Line(line) if line.starts_with(b"# service=") || line == b"version 1" => {}
            Pkt::Line(line) if line.starts_with(b"shallow ") => {}
            Pkt::Line(line) => {
                refs.add(line)?;
                is_empty = false;
            }
            Pkt::Flush if is_empty => {}
            Pkt::Flush | Pkt::End => return Ok(Greeting::Refs(refs.end())),
            Pkt::Delimiter => return Err(Unread::NotGit),
        }
    }
    // An empty repository lists nothing.
    let is_whole = is_empty && body.ends_with(pkt::FLUSH);
    is_whole
        .then(|| Greeting::Refs(Vec::new()))
        .ok_or(Unread::NotGit)
}

/// Reads what `git ls-remote` writes.
pub(super) fn read_lines(text: &str) -> Result<Vec<Ref>, Unread> {
    let mut refs = Refs::default();
    for line in text.lines() {
        refs.add(line.replace('\t', " ").as_bytes())?;
    }
    Ok(refs.end())
}

/// Reads bytes in each way in which a server may say what its refs are.
#[cfg(fuzzing)]
pub(in crate::git) fn read_anything(bytes: &[u8]) {
    let answer = Answer {
        status: StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::copy_from_slice(bytes),
        url: url::Url::parse("https://git.test/web").expect("a URL"),
    };
    // What cannot be read is an error; all others are as good.
    read_listing(&answer).ok();
    read_greeting(bytes).ok();
    read_lines(&String::from_utf8_lossy(bytes)).ok();
}

/// Collects refs. One whose name means something else to git is left out, and the others stay.
#[derive(Default)]
struct Refs {
    found: Vec<Ref>,
    peeled: HashMap<String, String>,
    count: usize,
}

impl Refs {
    /// Reads `<id> <name>` and what may follow it: `peeled:<id>` among attributes, or capabilities after a zero byte.
    fn add(&mut self, line: &[u8]) -> Result<(), Unread> {
        self.count += 1;
        if self.count > REFS_BOUND {
            return Err(Unread::TooMany);
        }
        let (id, rest) = line
            .split_at_checked(line.iter().position(|it| *it == b' ').unwrap_or(0))
            .ok_or(Unread::NotGit)?;
        let id = read_id(id).ok_or(Unread::NotGit)?;
        let Ok(rest) = std::str::from_utf8(&rest[1..]) else {
            return Ok(());
        };
        let mut words = rest.split('\0').next().unwrap_or_default().split(' ');
        let name = words.next().unwrap_or_default();
        if let Some(name) = name.strip_suffix(PEELED) {
            self.peeled.insert(name.to_owned(), id);
        } else if is_ref(name) {
            let peeled = words.find_map(|word| read_id(word.strip_prefix("peeled:")?.as_bytes()));
            let name = name.to_owned();
            self.found.push(Ref { name, id, peeled });
        }
        Ok(())
    }

    fn end(mut self) -> Vec<Ref> {
        for it in &mut self.found {
            if let Some(peeled) = self.peeled.remove(&it.name) {
                it.peeled = Some(peeled);
            }
        }
        self.found
    }
}

fn read_id(text: &[u8]) -> Option<String> {
    let is_id = matches!(text.len(), 40 | 64) && text.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_id)?;
    Some(text.to_ascii_lowercase())
}

/// Says whether a name is one that git would have taken for a ref.
///
/// Source: <https://git-scm.com/docs/git-check-ref-format>
fn is_ref(name: &str) -> bool {
    let fits = |it: char| !it.is_control() && !" ~^:?*[\\".contains(it);
    let is_part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none()
    };
    (name == "HEAD" || name.starts_with("refs/"))
        && name.len() <= NAME_BOUND
        && name.chars().all(fits)
        && name.split('/').all(is_part)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "76543210fedcba9876543210fedcba9876543210";

    fn framed(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            match *line {
                "" => bytes.extend_from_slice(pkt::FLUSH),
                line => pkt::write_line(line, &mut bytes),
            }
        }
        bytes
    }

    fn named(name: &str, peeled: Option<&str>) -> Ref {
        Ref {
            name: name.to_owned(),
            id: ID.to_owned(),
            peeled: peeled.map(str::to_owned),
        }
    }

    #[test]
    fn a_greeting_is_of_either_age() {
        let head = format!("{ID} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2");
        let main = format!("{ID} refs/heads/main");
        let tag = format!("{ID} refs/tags/v1");
        let peeled = format!("{OTHER} refs/tags/v1^{{}}");
        let refs = Greeting::Refs(vec![
            named("HEAD", None),
            named("refs/heads/main", None),
            named("refs/tags/v1", Some(OTHER)),
        ]);
        for (lines, expected) in [
            (
                &["# service=git-upload-pack", "", "version 2", "ls-refs", ""][..],
                Ok(Greeting::VersionTwo),
            ),
            (&["version 2", "ls-refs", ""], Ok(Greeting::VersionTwo)),
            (
                &[
                    "# service=git-upload-pack",
                    "",
                    &head,
                    &main,
                    &tag,
                    &peeled,
                    "",
                ],
                Ok(refs),
            ),
            (
                &["# service=git-upload-pack", "", ""],
                Ok(Greeting::Refs(Vec::new())),
            ),
            (
                &["# service=git-upload-pack", "", "no ref", ""],
                Err(Unread::NotGit),
            ),
            (
                &["# service=git-upload-pack", "", &main],
                Err(Unread::NotGit),
            ),
        ] {
            assert_eq!(read_greeting(&framed(lines)), expected, "{lines:?}");
        }
        assert_eq!(read_greeting(b"<html>"), Err(Unread::NotGit));
    }

    #[test]
    fn a_ref_with_an_odd_name_is_left_out_and_the_others_stay() {
        let good = format!("{ID} refs/tags/app/v1.0.0 peeled:{OTHER}");
        let long = format!("{ID} refs/tags/{}", "x".repeat(2_000));
        let odd = [
            "refs/tags/a..b",
            "refs/tags/a~1",
            "refs/tags/-\u{7}",
            "refs/tags/@{1}",
            "refs//x",
            "x",
            "",
        ];
        let odd: Vec<String> = odd.iter().map(|name| format!("{ID} {name}")).collect();
        let mut lines: Vec<&str> = odd.iter().map(String::as_str).collect();
        lines.extend([long.as_str(), good.as_str(), ""]);
        let mut bytes = framed(&lines);
        let invalid = [format!("{ID} refs/tags/").as_bytes(), b"\xff\xfe"].concat();
        bytes.splice(
            0..0,
            [format!("{:04x}", invalid.len() + 4).as_bytes(), &invalid].concat(),
        );
        let answer = Answer {
            status: StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: bytes.into(),
            url: "http://localhost/".parse().expect("a URL"),
        };
        assert_eq!(
            read_listing(&answer),
            Ok(vec![named("refs/tags/app/v1.0.0", Some(OTHER))])
        );
    }

    #[test]
    fn an_endless_list_of_refs_is_given_up() {
        let mut refs = Refs {
            count: REFS_BOUND - 1,
            ..Refs::default()
        };
        let line = format!("{ID} refs/tags/v1");
        assert_eq!(refs.add(line.as_bytes()), Ok(()));
        assert_eq!(refs.add(line.as_bytes()), Err(Unread::TooMany));
    }

    proptest::proptest! {
        #[test]
        fn any_greeting_is_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            read_greeting(&bytes).ok();
        }

        #[test]
        fn any_framed_greeting_is_read_without_panic(lines in proptest::collection::vec("([0-9a-f]{40} )?[ -~\\x00]{0,60}", 0..8)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            read_greeting(&framed(&lines)).ok();
        }
    }
}
