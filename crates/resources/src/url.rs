//! One spelling for each repository, whatever way its URL was written.
//!
//! Names of Freight depend on it, so it must agree with Kargo's to the byte: answers recorded from the original are in
//! `tests/fixtures`. What cannot be normalised comes back unchanged.

mod image;
mod location;

use std::sync::LazyLock;

use regex::Regex;

use self::location::Location;

/// Normalises the URL of a Git repository.
///
/// The user of an HTTP URL, one slash at the end and one `.git` are dropped; `git@host:path` becomes `ssh://git@host/path`.
/// A URL with query parameters comes back unchanged.
pub fn normalize_git(url: &str) -> String {
    git(&clean_lower(url)).unwrap_or_else(|| url.to_owned())
}

/// Normalises the URL of an image repository: Docker Hub's host and `library/` are dropped, and so are a tag and a digest.
pub fn normalize_image(url: &str) -> String {
    match image::Repository::parse(&clean_lower(url)) {
        Some(repository) => repository.to_string(),
        None => url.to_owned(),
    }
}

/// Normalises the URL of a chart repository: like an image, with `oci://` dropped.
pub fn normalize_chart(url: &str) -> String {
    let clean = clean(url);
    if Location::parse(&clean).is_none() {
        return url.to_owned();
    }
    let lower = lower(&clean);
    normalize_image(lower.strip_prefix("oci://").unwrap_or(&lower))
}

fn git(url: &str) -> Option<String> {
    /// `[user@]host[:path]`
    static SCP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?-u)((?:[\w-]+@)?[\w-]+(?:\.[\w-]+)*)(?u)(?::(.*))?$")
            .expect("the pattern is valid")
    });
    if url.starts_with("http://") || url.starts_with("https://") {
        let mut location = Location::parse(url).filter(|it| !it.has_parameters())?;
        location.remove_user();
        location.trim_path();
        return Some(location.to_string());
    }
    if url.starts_with("ssh://") {
        let mut location = Location::parse(url).filter(|it| !it.has_parameters())?;
        location.trim_path();
        return Some(location.to_string());
    }
    let captures = SCP.captures(url)?;
    let host = captures.get(1).map_or("", |it| it.as_str());
    let mut path = Location::parse(captures.get(2).map_or("", |it| it.as_str()))?;
    path.trim_path();
    Some(if path.has_path() {
        format!("ssh://{host}/{path}")
    } else {
        format!("ssh://{host}")
    })
}

/// Drops what cannot be seen, such as a byte order mark that was copied along, and spaces at either end.
fn clean(url: &str) -> String {
    let seen: String = url.chars().filter(|it| is_printable(*it)).collect();
    seen.trim_matches(' ').to_owned()
}

fn clean_lower(url: &str) -> String {
    lower(&clean(url))
}

/// Letters, marks, numbers, punctuation and symbols as of Unicode 15, and the space.
fn is_printable(character: char) -> bool {
    static PRINTABLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[[\p{L}\p{M}\p{N}\p{P}\p{S}]&&\p{age:15.0}]$").expect("the pattern is valid")
    });
    match character {
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        _ => PRINTABLE.is_match(character.encode_utf8(&mut [0; 4])),
    }
}

/// Lower-cases letter by letter, without regard to neighbours.
fn lower(text: &str) -> String {
    text.chars()
        .map(|it| match it {
            // The one letter that becomes two.
            '\u{130}' => 'i',
            _ => it.to_lowercase().next().unwrap_or(it),
        })
        .collect()
}
