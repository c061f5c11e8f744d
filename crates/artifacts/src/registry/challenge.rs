//! Reads `WWW-Authenticate`: how a registry wants to be logged in to.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Longest header that is read, in bytes, and most challenges in it.
const LENGTH_BOUND: usize = 8 * 1024;
const CHALLENGES_BOUND: usize = 16;

/// Asks for a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    /// A token from `realm`, which is an absolute URL, for the service it names.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Challenge {
    /// Takes the challenge to answer: a token rather than a password, the first of each.
    pub(crate) fn choose(headers: &HeaderMap) -> Option<Self> {
        let all: Vec<Self> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(parse)
            .take(CHALLENGES_BOUND)
            .collect();
        let bearer = all.iter().find(|it| matches!(it, Self::Bearer { .. }));
        bearer.or_else(|| all.first()).cloned()
    }
}

/// Reads all challenges of one header that we can answer, skipping what cannot be read.
fn parse(header: &str) -> Vec<Challenge> {
    if header.len() > LENGTH_BOUND {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (scheme, after) = take_token(rest);
        if scheme.is_empty() {
            break;
        }
        let (parameters, after) = take_parameters(after);
        let value = |name: &str| {
            parameters
                .iter()
                .find(|(it, _)| it.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = value("realm").filter(|it| !it.is_empty())
        {
            found.push(Challenge::Bearer {
                realm,
                service: value("service").filter(|it| !it.is_empty()),
            });
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// Takes `name=value` pairs up to the next scheme, which is a word that no `=` follows.
fn take_parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut parameters = Vec::new();
    let mut rest = text;
    loop {
        let next = rest.trim_start_matches([' ', '\t', ',']);
        let (name, after) = take_token(next);
        let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') else {
            return (parameters, rest);
        };
        if name.is_empty() {
            return (parameters, "");
        }
        let (value, after) = take_value(value.trim_start_matches([' ', '\t']));
        parameters.push((name.to_owned(), value));
        rest = after;
    }
}

fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = take_token(text);
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, it)) = characters.next() {
        match it {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(it),
        }
    }
    (value, "")
}

/// Takes the characters that RFC 9110 allows in a token, and those of unquoted values that registries send.
fn take_token(text: &str) -> (&str, &str) {
    let end = text.find(|it: char| it.is_whitespace() || matches!(it, ',' | '=' | '"'));
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        }
    }

    fn check(headers: &[&str], expected: Option<&Challenge>) {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(WWW_AUTHENTICATE, header.parse().expect("a header value"));
        }
        assert_eq!(Challenge::choose(&map).as_ref(), expected, "{headers:?}");
    }

    #[test]
    fn the_challenge_is_found_among_others() {
        let hub = bearer("https://auth.docker.io/token", Some("registry.docker.io"));
        check(
            &[
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
            ],
            Some(&hub),
        );
        check(
            &[r#"bearer  realm="https://auth.docker.io/token" , service=registry.docker.io"#],
            Some(&hub),
        );
        check(
            &[
                r#"Negotiate, Basic realm="x", Bearer service="registry.docker.io", realm="https://auth.docker.io/token""#,
            ],
            Some(&hub),
        );
        check(
            &["Basic realm=\"x\"", r#"Bearer realm="https://a.test/t""#],
            Some(&bearer("https://a.test/t", None)),
        );
        check(
            &[r#"Bearer realm="https://a.test/t?x=\"1\",y",error="invalid_token""#],
            Some(&bearer(r#"https://a.test/t?x="1",y"#, None)),
        );
        check(&["Basic"], Some(&Challenge::Basic));
        check(&["Basic realm=\"Registry Realm\""], Some(&Challenge::Basic));
        check(&["Negotiate dG9rZW4=, Basic"], Some(&Challenge::Basic));
    }

    #[test]
    fn a_broken_challenge_asks_for_nothing() {
        let long = format!("Bearer realm=\"{}\"", "a".repeat(LENGTH_BOUND));
        for header in [
            "",
            ",,,",
            "Bearer",
            "Bearer realm=\"\"",
            "Digest realm=\"x\"",
            "= = =",
            "\"",
            "Bearer =x",
            "Bearer realm",
            &long,
        ] {
            check(&[header], None);
        }
        check(
            &["Bearer realm=\"https://a.test"],
            Some(&bearer("https://a.test", None)),
        );
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_without_panic(header in "[ -~\t]{0,200}|(Bearer |Basic |realm=|service=|\"|\\\\|,|=| ){0,30}") {
            for challenge in parse(&header) {
                if let Challenge::Bearer { realm, .. } = challenge {
                    proptest::prop_assert!(!realm.is_empty());
                }
            }
        }
    }
}
