//! Queries: `policy:"kargo-project-" resource:(apps OR web)`, as far as the simulator can judge them.
//!
//! Source: <https://cloud.google.com/asset-inventory/docs/query-syntax>

use crate::refusal::Refusal;

/// A longer query is refused.
///
/// Source: <https://cloud.google.com/asset-inventory/docs/query-syntax>
const LONGEST: usize = 2048;

/// Terms that must all match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) terms: Vec<Term>,
}

/// One of several values in one field, or in any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// None for text that any field may have.
    pub(super) field: Option<String>,
    exact: bool,
    /// Any of them will do.
    values: Vec<Text>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    written: String,
    words: Vec<String>,
    /// Whether the last word may go on: `web*`.
    is_prefix: bool,
}

impl Query {
    /// Reads a query whose fields are among these.
    pub(super) fn parse(text: &str, fields: &[&str]) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::invalid_field("query", "The query is too long."));
        }
        let mut terms = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (term, after) = term(rest, fields)?;
            terms.extend(term);
            rest = after.trim_start();
        }
        Ok(Self { terms })
    }
}

impl Term {
    /// Says whether a text of the field matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.values.iter().any(|value| {
            if self.exact {
                return value.written == text;
            }
            value.is_in(text)
        })
    }
}

impl Text {
    fn new(written: &str) -> Self {
        let bare = written.strip_suffix('*');
        Self {
            written: written.to_owned(),
            words: words(bare.unwrap_or(written)).collect(),
            is_prefix: bare.is_some(),
        }
    }

    /// Says whether the words stand in a text, one after the other; `*` alone is in every text.
    fn is_in(&self, text: &str) -> bool {
        let Some((last, first)) = self.words.split_last() else {
            return self.is_prefix && !text.is_empty();
        };
        let found: Vec<String> = words(text).collect();
        found.windows(self.words.len()).any(|window| {
            let (end, start) = window.split_last().expect("it is as long as the words");
            start == first && (end == last || self.is_prefix && end.starts_with(last))
        })
    }
}

/// Cuts text into words of letters and digits, which is how the inventory compares it.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|it: char| !it.is_alphanumeric() && it != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Reads one term and gives what follows; `AND` is no term, for it changes nothing.
fn term<'a>(text: &'a str, fields: &[&str]) -> Result<(Option<Term>, &'a str), Refusal> {
    let end = text
        .find(|it: char| it.is_whitespace() || matches!(it, ':' | '=' | '<' | '>' | '"' | '('))
        .unwrap_or(text.len());
    let name = &text[..end];
    let sign = text[end..].chars().next();
    match (name, sign) {
        ("AND", Some(' ')) => return Ok((None, &text[end..])),
        ("NOT", Some(' ' | '(')) | ("OR", Some(' ')) | ("", Some('(')) => {
            return Err(not_known(text));
        }
        (_, Some('<' | '>')) => return Err(not_known(text)),
        _ => {}
    }
    if name.starts_with('-') {
        return Err(not_known(text));
    }
    let is_field = fields.contains(&name);
    if !is_field && !name.is_empty() && matches!(sign, Some('=')) {
        return Err(not_known(text));
    }
    let (field, exact, rest) = match sign {
        Some(':') if is_field => (Some(name.to_owned()), false, &text[end + 1..]),
        Some('=') if is_field => (Some(name.to_owned()), true, &text[end + 1..]),
        // `user:ann@…` without a field before it is text; other fields would have to be guessed at.
        Some(':') if !MEMBER_KINDS.contains(&name) && !name.contains(['/', '@']) => {
            return Err(not_known(text));
        }
        _ => (None, false, text),
    };
    let (values, after) = values(rest.trim_start())?;
    if values.is_empty() {
        return Err(Refusal::invalid_field("query", "The query is invalid."));
    }
    let term = Term {
        field,
        exact,
        values,
    };
    Ok((Some(term), after))
}

const MEMBER_KINDS: [&str; 6] = [
    "user",
    "serviceAccount",
    "group",
    "domain",
    "principal",
    "principalSet",
];

/// Reads a value, or several in brackets with `OR` between them.
fn values(text: &str) -> Result<(Vec<Text>, &str), Refusal> {
    let Some(mut rest) = text.strip_prefix('(') else {
        let (value, after) = value(text)?;
        return Ok((value.into_iter().collect(), after));
    };
    let mut values = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((values, after));
        }
        if !values.is_empty() {
            rest = rest
                .strip_prefix("OR ")
                .ok_or_else(|| not_known(text))?
                .trim_start();
        }
        let (found, after) = value(rest)?;
        values.push(found.ok_or_else(|| not_known(text))?);
        rest = after;
    }
}

fn value(text: &str) -> Result<(Option<Text>, &str), Refusal> {
    if let Some(inner) = text.strip_prefix('"') {
        let (quoted, after) = inner
            .split_once('"')
            .ok_or_else(|| Refusal::invalid_field("query", "The query is invalid."))?;
        return Ok((Some(Text::new(quoted)), after));
    }
    let end = text
        .find(|it: char| it.is_whitespace() || matches!(it, '(' | ')' | '"'))
        .unwrap_or(text.len());
    let (written, after) = text.split_at(end);
    let inner_star = written.trim_end_matches('*').contains('*');
    if inner_star {
        return Err(not_known(text));
    }
    Ok(((!written.is_empty()).then(|| Text::new(written)), after))
}

fn not_known(text: &str) -> Refusal {
    Refusal::not_simulated(&format!(
        "cannot judge the query at {text:?}; it knows fields with : and =, quotes, * at the end, and (a OR b)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["policy", "resource"];

    #[track_caller]
    fn check(query: &str, text: &str, matches: bool) {
        let query = Query::parse(query, FIELDS).expect(query);
        let found = query.terms.iter().all(|term| term.matches(text));
        assert_eq!(found, matches, "{query:?} in {text}");
    }

    #[test]
    fn words_are_compared_one_after_the_other() {
        let member = "serviceAccount:kargo-project-web@acme.iam.gserviceaccount.com";
        check("policy:kargo-project-web", member, true);
        check("policy:\"kargo-project-\"", member, true);
        check("policy:kargo-web", member, false);
        check("policy:karg", member, false);
        check("policy:karg*", member, true);
        check("policy:kargo-pro*", member, true);
        check("policy:KARGO", member, true);
        check("policy:*", member, true);
        check(member, member, true);
    }

    #[test]
    fn one_of_several_values_will_do_and_all_terms_must() {
        check("policy:(ann OR \"bob smith\")", "bob smith", true);
        check("policy:(ann OR bob)", "eve", false);
        check("policy:ann AND policy:smith", "ann smith", true);
        check("policy:ann policy:jones", "ann smith", false);
    }

    #[test]
    fn an_exact_value_is_the_whole_text() {
        check("resource=//x/projects/acme", "//x/projects/acme", true);
        check("resource=//x/projects/acme", "//x/projects/acme/y", false);
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for query in [
            "NOT policy:ann",
            "policy:ann OR policy:bob",
            "-policy:ann",
            "createTime<1609459200",
            "(policy:ann)",
            "policy:a*b",
            "policy:(ann bob)",
            "labels.env:prod",
            "policy:\"unfinished",
            "policy:",
        ] {
            assert!(Query::parse(query, FIELDS).is_err(), "{query}");
        }
    }
}
