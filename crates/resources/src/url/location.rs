//! URLs and relative references, taken apart and put together again with their escapes.
//!
//! The crate `url` follows the WHATWG, which resolves dots, lower-cases hosts and forgives much; names of Freight were made
//! with Go's reading of RFC 3986, which this is. Paths and hosts are bytes, since an escape can stand for any byte.

use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;

/// The most parameters that are looked at; with more, none counts.
const PARAMETERS_MAX: usize = 10_000;

/// A URL or relative reference, its parts unescaped.
pub(super) struct Location {
    scheme: String,
    /// What follows the scheme, where that is no path.
    opaque: String,
    user: Option<User>,
    host: Vec<u8>,
    path: Vec<u8>,
    /// The path as it was written, where that is not how we would write it.
    written_path: Option<String>,
    query: Option<String>,
    fragment: Option<Fragment>,
    /// Whether no `//` is written for an empty host.
    omits_host: bool,
}

struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

struct Fragment {
    text: Vec<u8>,
    written: String,
}

/// Where an escape stands, which decides what need not be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Parameter,
    Fragment,
}

impl Part {
    /// Says whether a byte may stand for itself.
    fn allows(self, byte: u8) -> bool {
        let marks: &[u8] = match self {
            Self::Path => b"$&+,-./:;=@_~",
            Self::Host | Self::Zone => b"!\"$&'()*+,-.:;<=>[]_~",
            Self::User => b"$&+,-.;=_~",
            Self::Parameter => b"-._~",
            Self::Fragment => b"!$&()*+,-./:;=?@_~",
        };
        byte.is_ascii_alphanumeric() || marks.contains(&byte)
    }
}

impl Location {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|it| it.is_ascii_control()) {
            return None;
        }
        let fragment = match fragment {
            "" => None,
            written => Some(Fragment {
                text: unescape(written, Part::Fragment)?,
                written: written.to_owned(),
            }),
        };
        let (scheme, rest) = split_scheme(text)?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        let mut location = Self {
            scheme: scheme.to_ascii_lowercase(),
            opaque: String::new(),
            user: None,
            host: Vec::new(),
            path: Vec::new(),
            written_path: None,
            query,
            fragment,
            omits_host: false,
        };
        location.parse_hierarchy(rest)?;
        Some(location)
    }

    /// Reads what stands between the scheme and the query.
    fn parse_hierarchy(&mut self, rest: &str) -> Option<()> {
        if !rest.starts_with('/') {
            if !self.scheme.is_empty() {
                rest.clone_into(&mut self.opaque);
                return Some(());
            }
            let segment = rest.split('/').next().unwrap_or(rest);
            if segment.contains(':') {
                return None;
            }
        }
        let mut path = rest;
        let may_have_host = !self.scheme.is_empty() || !rest.starts_with("///");
        match rest.strip_prefix("//") {
            Some(after) if may_have_host => {
                let end = after.find('/').unwrap_or(after.len());
                let (authority, tail) = after.split_at(end);
                self.parse_authority(authority)?;
                path = tail;
            }
            _ => self.omits_host = !self.scheme.is_empty() && rest.starts_with('/'),
        }
        self.path = unescape(path, Part::Path)?;
        self.written_path = (escape(&self.path, Part::Path) != path).then(|| path.to_owned());
        Some(())
    }

    fn parse_authority(&mut self, authority: &str) -> Option<()> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = parse_host(&self.scheme, host)?;
        if let Some(user) = user {
            let is_allowed =
                |it: u8| it.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&it);
            if !user.bytes().all(is_allowed) {
                return None;
            }
            let (name, password) = match user.split_once(':') {
                Some((name, password)) => (name, Some(unescape(password, Part::User)?)),
                None => (user, None),
            };
            let name = unescape(name, Part::User)?;
            self.user = Some(User { name, password });
        }
        Some(())
    }

    /// Says whether the query holds at least one readable parameter.
    pub(super) fn has_parameters(&self) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        query.split('&').nth(PARAMETERS_MAX).is_none() && query.split('&').any(is_parameter)
    }

    /// Says whether there is a host and it is written like this.
    pub(super) fn is_host(&self, host: &str) -> bool {
        self.host == host.as_bytes()
    }

    pub(super) fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    pub(super) fn remove_user(&mut self) {
        self.user = None;
    }

    /// Drops one slash, then one `.git`, from the end of the path.
    pub(super) fn trim_path(&mut self) {
        for suffix in ["/", ".git"] {
            if self.path.ends_with(suffix.as_bytes()) {
                self.path.truncate(self.path.len() - suffix.len());
            }
        }
    }

    /// The path as it is written: as it was, where that still says the same and needs no escape.
    fn escaped_path(&self) -> String {
        if let Some(written) = &self.written_path
            && is_escaped(written, Part::Path)
            && unescape(written, Part::Path).as_ref() == Some(&self.path)
        {
            return written.clone();
        }
        if self.path == b"*" {
            return "*".to_owned();
        }
        escape(&self.path, Part::Path)
    }
}

/// Splits at the colon of a scheme; `None` where a colon comes first.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return None,
            b':' => return Some((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

fn parse_host(scheme: &str, host: &str) -> Option<Vec<u8>> {
    match host.rfind('[') {
        Some(0) => return parse_ip_literal(host),
        Some(_) => return None,
        None => {}
    }
    // For HTTP all colons must be those of a port; other schemes had hosts with colons in the past.
    let colon = match scheme {
        "http" | "https" => host.find(':'),
        _ => host.rfind(':'),
    };
    if colon.is_some_and(|it| !is_port(&host[it..])) {
        return None;
    }
    unescape(host, Part::Host)
}

/// Reads `[v6]`, `[v6]:port` or `[v6%25zone]`.
fn parse_ip_literal(host: &str) -> Option<Vec<u8>> {
    let end = host.rfind(']')?;
    let (address, port) = (&host[1..end], &host[end + 1..]);
    if !is_port(port) {
        return None;
    }
    let address = match address.find("%25") {
        Some(zone) => {
            let mut bytes = unescape(&address[..zone], Part::Host)?;
            bytes.extend(unescape(&address[zone..], Part::Zone)?);
            bytes
        }
        None => unescape(address, Part::Host)?,
    };
    let number = match address.iter().position(|it| *it == b'%') {
        Some(zone) if zone + 1 < address.len() => &address[..zone],
        Some(_) => return None,
        None => &address[..],
    };
    std::str::from_utf8(number).ok()?.parse::<Ipv6Addr>().ok()?;
    let mut literal = vec![b'['];
    literal.extend(address);
    literal.push(b']');
    literal.extend(unescape(port, Part::Host)?);
    Some(literal)
}

/// Says whether this is nothing, or a colon with any number of digits.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|it| it.is_ascii_digit()),
        None => text.is_empty(),
    }
}

fn is_parameter(text: &str) -> bool {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    let is_readable = |it: &str| unescape(it, Part::Parameter).is_some();
    !text.is_empty() && !text.contains(';') && is_readable(key) && is_readable(value)
}

/// Replaces escapes by what they stand for; `None` where an escape is broken or not allowed.
fn unescape(text: &str, part: Part) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        if byte == b'%' {
            let value =
                hex_digit(*bytes.get(index + 1)?)? << 4 | hex_digit(*bytes.get(index + 2)?)?;
            let is_allowed = match part {
                // A host may only escape what is not ASCII, and the percent sign before a zone.
                Part::Host => value >= 0x80 || value == b'%',
                Part::Zone => matches!(value, b'%' | b' ') || Part::Host.allows(value),
                Part::Path | Part::User | Part::Parameter | Part::Fragment => true,
            };
            if !is_allowed {
                return None;
            }
            plain.push(value);
            index += 3;
        } else {
            if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && !part.allows(byte) {
                return None;
            }
            plain.push(byte);
            index += 1;
        }
    }
    Some(plain)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|it| u8::try_from(it).ok())
}

fn escape(plain: &[u8], part: Part) -> String {
    let mut text = String::with_capacity(plain.len());
    for &byte in plain {
        if part.allows(byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a String succeeds");
        }
    }
    text
}

/// Says whether a text can stay as it was written: all that needs an escape has one.
fn is_escaped(text: &str, part: Part) -> bool {
    text.bytes()
        .all(|it| b"!$&'()*+,;=:@[]%".contains(&it) || part.allows(it))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            self.fmt_hierarchy(f)?;
        } else {
            f.write_str(&self.opaque)?;
        }
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        if let Some(Fragment { text, written }) = &self.fragment {
            f.write_str("#")?;
            if is_escaped(written, Part::Fragment) {
                f.write_str(written)?;
            } else {
                f.write_str(&escape(text, Part::Fragment))?;
            }
        }
        Ok(())
    }
}

impl Location {
    fn fmt_hierarchy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_host = !self.host.is_empty() || self.user.is_some();
        let writes_host =
            has_host || (!self.scheme.is_empty() && !self.omits_host && !self.path.is_empty());
        if writes_host {
            f.write_str("//")?;
        }
        if let Some(User { name, password }) = &self.user {
            f.write_str(&escape(name, Part::User))?;
            if let Some(password) = password {
                write!(f, ":{}", escape(password, Part::User))?;
            }
            f.write_str("@")?;
        }
        f.write_str(&escape(&self.host, Part::Host))?;
        let path = self.escaped_path();
        if !self.host.is_empty() && !path.is_empty() && !path.starts_with('/') {
            f.write_str("/")?;
        }
        let is_first = self.scheme.is_empty() && !writes_host;
        if is_first && path.split('/').next().is_some_and(|it| it.contains(':')) {
            f.write_str("./")?;
        }
        f.write_str(&path)
    }
}
