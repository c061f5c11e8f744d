//! Takes out of other people's words what looks like a credential.

/// Longest text of others that is shown.
const BOUND: usize = 400;
/// Longer words without a space are no words.
const WORD_BOUND: usize = 120;

/// Makes one line of `text`, with `****` for tokens, and not too long.
pub(crate) fn redact(text: &str) -> String {
    let mut follows_bearer = false;
    let words = text.split_whitespace().map(|word| {
        let is_secret = follows_bearer || looks_secret(word);
        follows_bearer = word.eq_ignore_ascii_case("bearer");
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
