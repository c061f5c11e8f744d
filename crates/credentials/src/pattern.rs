//! Matches a repository URL against the pattern of a Secret, so that no path can pass for a host.
//!
//! A tenant writes the URL, somebody else wrote the pattern, and who matches is sent the credential. So:
//!
//! - Only the normalised URL is compared, whatever its letters' case, and only if its host is plainly a host.
//! - The pattern has to match from the start of the URL, or from the start of its host.
//! - The slash that ends the host is matched by nothing but a slash that the pattern spells out: neither `.` nor a class
//!   such as `[^@]` runs across it. `https://.*\.example\.com/.*` never matches `https://evil.test/a.example.com/b`.
//! - The pattern has to match to the end of the URL, or to the end of a part of its path: `https://github.com/acme`
//!   covers `https://github.com/acme/app` but not `https://github.com/acme-evil/app`.
//!
//! The third rule is kept by giving that one slash another character in the text, and taking that character out of every
//! class of the pattern. See `docs/decisions/0060-credential-url-patterns.md`.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{
    Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Literal, Look,
};

/// Stands for the slash that ends the host. It is of a private range, so no URL has it.
const END_OF_HOST: char = '\u{e000}';
/// Longest pattern in bytes; compiled it may take up to [`PROGRAM_BOUND`] bytes.
const PATTERN_BOUND: usize = 2048;
const PROGRAM_BOUND: usize = 1 << 20;
/// A class of at most this many characters counts as spelling them out: `[/:]`.
const SPELT_OUT: usize = 8;

/// Matches normalised repository URLs.
#[derive(Debug)]
pub(crate) struct Pattern(regex::Regex);

/// Says why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("the pattern is longer than {PATTERN_BOUND} bytes")]
    TooLong,
    #[error("{0}")]
    Syntax(Box<regex_syntax::Error>),
    #[error("{0}")]
    TooLarge(regex::Error),
}

impl Pattern {
    /// Compiles the `repoURL` of a Secret whose `repoURLIsRegex` is `true`.
    pub(crate) fn parse(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_BOUND {
            return Err(PatternError::TooLong);
        }
        let parse = |text: &str| {
            let parsed = ParserBuilder::new()
                .case_insensitive(true)
                .build()
                .parse(text);
            parsed.map_err(|error| PatternError::Syntax(Box::new(error)))
        };
        // A pattern that ends in a slash has ended a part of the path already.
        let tail = if pattern.trim_end_matches('$').ends_with('/') {
            ".*"
        } else {
            "(?:/.*)?"
        };
        let whole = Hir::concat(vec![
            Hir::look(Look::Start),
            guard(parse(pattern)?),
            guard(parse(tail)?),
            Hir::look(Look::End),
        ]);
        regex::RegexBuilder::new(&whole.to_string())
            .size_limit(PROGRAM_BOUND)
            .build()
            .map(Self)
            .map_err(PatternError::TooLarge)
    }

    /// Says whether the pattern covers `url`, which is normalised.
    pub(crate) fn covers(&self, url: &str) -> bool {
        let Some(parts) = Parts::split(url) else {
            return false;
        };
        let from_host = format!("{}{END_OF_HOST}{}", parts.host, parts.path);
        let from_start = format!("{}{from_host}", parts.before_host);
        // A URL without a path is compared without the slash, too.
        [from_start.as_str(), from_host.as_str()]
            .iter()
            .any(|text| {
                self.0.is_match(text)
                    || (parts.path.is_empty()
                        && self.0.is_match(text.trim_end_matches(END_OF_HOST)))
            })
    }
}

/// Cuts a normalised URL where its host begins and ends.
struct Parts<'a> {
    /// `https://`, `ssh://git@`, or nothing for an image.
    before_host: &'a str,
    /// With the port.
    host: &'a str,
    path: &'a str,
}

impl<'a> Parts<'a> {
    /// Returns nothing where two readers of the URL might not agree on its host.
    fn split(url: &'a str) -> Option<Self> {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        if !url[..after_scheme]
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+:/".contains(&byte))
        {
            return None;
        }
        let rest = &url[after_scheme..];
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let user = authority.find('@').map_or(0, |at| at + 1);
        let (user, host) = authority.split_at(user);
        let plain = |text: &str, more: &[u8]| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let readable = !host.is_empty()
            && plain(host, b".-_:[]")
            && plain(user, b"@._-+")
            && !path
                .chars()
                .any(|it| it == END_OF_HOST || it == '\\' || it.is_control() || it.is_whitespace());
        readable.then(|| Self {
            before_host: &url[..after_scheme + user.len()],
            host,
            path,
        })
    }
}

/// Lets only a spelt-out slash match the end of the host.
fn guard(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Literal(Literal(bytes)) => guard_literal(&bytes),
        HirKind::Class(class) => guard_class(class),
        HirKind::Repetition(mut repetition) => {
            repetition.sub = Box::new(guard(*repetition.sub));
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => Hir::capture(Capture {
            sub: Box::new(guard(*capture.sub)),
            ..capture
        }),
        HirKind::Concat(subs) => Hir::concat(subs.into_iter().map(guard).collect()),
        HirKind::Alternation(subs) => Hir::alternation(subs.into_iter().map(guard).collect()),
    }
}

fn guard_literal(bytes: &[u8]) -> Hir {
    let pieces = bytes
        .split_inclusive(|byte| *byte == b'/')
        .flat_map(|piece| match piece.strip_suffix(b"/") {
            Some(before) => [Hir::literal(before), either_slash()],
            None => [Hir::literal(piece), Hir::empty()],
        });
    Hir::concat(pieces.collect())
}

fn guard_class(class: Class) -> Hir {
    let mut class = match class {
        Class::Unicode(class) => class,
        Class::Bytes(class) => match class.to_unicode_class() {
            Some(class) => class,
            None => return Hir::fail(),
        },
    };
    let few = class
        .ranges()
        .iter()
        .map(ClassUnicodeRange::len)
        .sum::<usize>()
        <= SPELT_OUT;
    let has_slash = class
        .ranges()
        .iter()
        .any(|range| range.start() <= '/' && '/' <= range.end());
    let end_of_host = ClassUnicode::new([ClassUnicodeRange::new(END_OF_HOST, END_OF_HOST)]);
    if few && has_slash {
        class.union(&end_of_host);
    } else {
        class.difference(&end_of_host);
    }
    Hir::class(Class::Unicode(class))
}

fn either_slash() -> Hir {
    Hir::class(Class::Unicode(ClassUnicode::new([
        ClassUnicodeRange::new('/', '/'),
        ClassUnicodeRange::new(END_OF_HOST, END_OF_HOST),
    ])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks whether `pattern` covers each URL: `+` says it must, `-` that it must not.
    fn check(pattern: &str, urls: &[&str]) {
        let compiled = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for row in urls {
            let (sign, url) = row.split_at(1);
            assert_eq!(compiled.covers(url), sign == "+", "{pattern} on {url}");
        }
    }

    #[test]
    fn a_pattern_covers_what_its_author_meant() {
        check(
            "^https://github.com/acme/.*$",
            &[
                "+https://github.com/acme/app",
                "+https://github.com/acme/a/b",
                "-https://github.com/acme",
                "-https://github.com/other/app",
            ],
        );
        check(
            "https://github.com/acme",
            &[
                "+https://github.com/acme",
                "+https://github.com/acme/app",
                "-https://github.com/acme-evil/app",
            ],
        );
        check(
            "https://github.com/acme/",
            &["+https://github.com/acme/app"],
        );
        check(
            "https://github.com/Acme/.*",
            &["+https://github.com/acme/app"],
        );
        check(
            "github.com/acme/.*",
            &[
                "+https://github.com/acme/app",
                "+ssh://git@github.com/acme/app",
            ],
        );
        check(
            "^ghcr.io/acme/",
            &["+ghcr.io/acme/app", "-ghcr.io/other/app"],
        );
        check("^ghcr.io", &["+ghcr.io/acme/app", "-ghcr.io.evil.test/app"]);
        check(
            r"https://[^/]+\.example\.com/.+",
            &["+https://git.example.com/a", "-https://example.com/a"],
        );
        check(
            r"https://(github|gitlab)\.com[/:]acme/.*",
            &["+https://gitlab.com/acme/x"],
        );
        check(
            ".*",
            &[
                "+https://github.com/acme/app",
                "+ghcr.io/acme/app",
                "+https://github.com",
            ],
        );
        check(
            "^registry.example.com:5000/.*",
            &["+registry.example.com:5000/a", "-registry.example.com/a"],
        );
    }

    #[test]
    fn a_crafted_url_is_never_covered() {
        for (pattern, crafted) in [
            (
                r"https://.*\.example\.com/.*",
                "https://evil.test/a.example.com/b",
            ),
            (
                r"https://.*\.example\.com.*",
                "https://evil.test/a.example.com/b",
            ),
            (r".*\.example\.com/.*", "evil.test/a.example.com/b"),
            (
                r".*-docker\.pkg\.dev/.*",
                "evil.test/europe-docker.pkg.dev/img",
            ),
            (
                r"^.+-docker\.pkg\.dev/",
                "evil.test/europe-docker.pkg.dev/img",
            ),
            (r"^(?:.+\.)?gcr\.io/", "evil.test/gcr.io/img"),
            (r"^(?:.+\.)?gcr\.io/", "evil.test/eu.gcr.io/img"),
            (
                r"^([0-9]{12})\.dkr\.ecr\.(.+)\.amazonaws\.com/",
                "123456789012.dkr.ecr.evil.test/x.amazonaws.com/img",
            ),
            (
                r"https://[^@]+github\.com/acme/.*",
                "https://evil.test/github.com/acme/x",
            ),
            (
                r"https://(?s:.)*github\.com/acme/.*",
                "https://evil.test/github.com/acme/x",
            ),
            (
                r"https://\S+github\.com/acme/.*",
                "https://evil.test/github.com/acme/x",
            ),
            (
                r"https://[\x00-\x{10ffff}]+github\.com/acme/.*",
                "https://evil.test/github.com/acme/x",
            ),
            ("github.com/acme", "https://evil.test/github.com/acme"),
            (
                "https://github.com/acme",
                "https://evil.test/?https://github.com/acme",
            ),
            (
                "https://github.com/acme",
                "https://github.com.evil.test/acme",
            ),
            ("https://github.com/.*", "https://github.com@evil.test/acme"),
            (".*", r"https://github.com\@evil.test/acme"),
            (".*", "https://github.com:x@evil.test@github.com/acme"),
            (".*", "https:///acme"),
            (".*", "https://github.com%2f@evil.test/x"),
            (".*", "https://github.com#@evil.test/x"),
            (".*", "https://github.com?@evil.test/x"),
            (".*", "https://github.com/a\u{e000}b"),
            (
                r"https://.*\.example\.com/.*",
                "https://evil.test\u{e000}.example.com/b",
            ),
            (".*", "https://githuЬ.com/acme"),
        ] {
            check(pattern, &[&format!("-{crafted}")]);
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_says_why() {
        for pattern in [
            "(",
            "a)|(?:b",
            "a{1000}{1000}",
            &"a".repeat(PATTERN_BOUND + 1),
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{}", &pattern[..1]);
        }
    }
}
