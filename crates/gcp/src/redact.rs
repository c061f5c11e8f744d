//! Takes out of other people's words what looks like a credential.

/// Longest text of others that is shown.
const BOUND: usize = 400;
/// Longer words without a space are no words.
const WORD_BOUND: usize = 120;

/// What may follow a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Words,
    /// What a header says, or first how it says it: `Authorization:`.
    Header,
    /// A credential: `Bearer`, or `Basic` in a header.
    Credential,
    /// A credential, or a word: `Basic` may be meant as one.
    Either,
}

/// Makes one line of `text`, with `****` for tokens, and not too long.
pub(crate) fn redact(text: &str) -> String {
    let mut next = Next::Words;
    let words = text.split_whitespace().map(|word| {
        let (is_secret, follows) = judge(word, next);
        next = follows;
        if is_secret { "****" } else { word }
    });
    let mut line: String = words.collect::<Vec<_>>().join(" ");
    line.retain(|it| !it.is_control());
    if let Some((end, _)) = line.char_indices().nth(BOUND) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Says whether a word is a credential, and what may follow it.
fn judge(word: &str, place: Next) -> (bool, Next) {
    if looks_secret(word) {
        return (true, Next::Words);
    }
    if let Some(value) = value_of_header(word) {
        let follows = match scheme(value) {
            Some(_) => Next::Credential,
            None if is_punctuation(value) => Next::Header,
            None => Next::Words,
        };
        return (follows == Next::Words, follows);
    }
    match (place, scheme(word)) {
        (Next::Header, Some(_)) | (_, Some("bearer")) if place != Next::Credential => {
            (false, Next::Credential)
        }
        (Next::Words, Some("basic")) => (false, Next::Either),
        (Next::Header, _) => (!is_punctuation(word), Next::Words),
        (Next::Credential, _) => (true, Next::Words),
        (Next::Either, _) => {
            let is_word = word.bytes().all(|it| it.is_ascii_lowercase());
            (!is_word, Next::Words)
        }
        (Next::Words, _) => (false, Next::Words),
    }
}

/// Finds what stands behind `authorization` and a colon or an equals sign within one word, as in JSON and in addresses.
fn value_of_header(word: &str) -> Option<&str> {
    const NAME: &str = "authorization";
    let at = word.to_ascii_lowercase().find(NAME)?;
    let rest = word.get(at + NAME.len()..)?;
    let rest = rest.trim_start_matches(['"', '\'', '\\']);
    rest.strip_prefix([':', '='])
}

/// Finds the way in which a header shows a credential at the end of a word: `bearer`, `"Basic`.
fn scheme(word: &str) -> Option<&'static str> {
    let name = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    let names = ["bearer", "basic", "digest", "negotiate", "token"];
    names.into_iter().find(|it| name.eq_ignore_ascii_case(it))
}

fn is_punctuation(text: &str) -> bool {
    !text.contains(|it: char| it.is_alphanumeric())
}

/// Google's tokens begin with `ya29.`, its keys with `-----BEGIN`, JSON Web Tokens with `eyJ`, wherever in a word.
fn looks_secret(word: &str) -> bool {
    ["ya29.", "eyJ", "-----BEGIN"]
        .iter()
        .any(|start| word.contains(start))
        || (word.len() > WORD_BOUND && !word.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_not_shown() {
        for (text, shown) in [
            ("token ya29.c.b0Aaek is stale", "token **** is stale"),
            ("[eyJhbGciOi.eyJpc3Mi.c2ln]\nrefused", "**** refused"),
            ("Authorization: Bearer abc", "Authorization: Bearer ****"),
            ("Authorization: bearer bearer", "Authorization: bearer ****"),
            (
                "Proxy-Authorization: Basic dXNlcjpwYXNz was sent",
                "Proxy-Authorization: Basic **** was sent",
            ),
            (
                "authorization: abc is wrong",
                "authorization: **** is wrong",
            ),
            ("authorization : abc", "authorization : abc"),
            ("at /x?authorization=abc now", "at **** now"),
            (
                r#"{"Authorization":"Bearer abc","a": 1}"#,
                r#"{"Authorization":"Bearer **** 1}"#,
            ),
            (
                r#"{"authorization": "Basic dXNlcg==", "a": 1}"#,
                r#"{"authorization": "Basic **** "a": 1}"#,
            ),
            (
                r#"{\"authorization\":[\"Bearer abc\"]}"#,
                r#"{\"authorization\":[\"Bearer ****"#,
            ),
            (r#"{"authorization":"abc"}"#, "****"),
            ("with (Bearer abc)", "with (Bearer ****"),
            ("with basic dXNlcjpwYXNz", "with basic ****"),
            (
                "basic authentication failed: authorization failed",
                "basic authentication failed: authorization failed",
            ),
            (
                "Not found; Gaia id not found",
                "Not found; Gaia id not found",
            ),
        ] {
            assert_eq!(redact(text), shown);
        }
        assert_eq!(redact(&"x".repeat(200)), "****");
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        let long = redact(&"words \u{7}\n".repeat(1_000));
        assert_eq!(long.chars().count(), BOUND + 1);
        assert!(!long.contains(['\n', '\u{7}']));
    }
}
