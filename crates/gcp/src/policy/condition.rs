//! Whether a condition holds now, as far as that can be said without the request that it is about.
//!
//! Source: <https://cloud.google.com/iam/docs/conditions-overview>

use jiff::Timestamp;

use super::Condition;

impl Condition {
    /// Says whether it holds at a time; none where that depends on more than the time, or on what is not understood.
    ///
    /// Understood are comparisons of `request.time` with a `timestamp("…")`, joined by `&&`.
    pub fn holds(&self, now: Timestamp) -> Option<bool> {
        let terms: Vec<_> = self.expression.split("&&").collect();
        let is_whole = |it: &&str| it.matches(['"', '\'']).count().is_multiple_of(2);
        if !terms.iter().all(is_whole) || self.expression.contains("||") {
            return None;
        }
        let mut holds = Some(true);
        for term in terms {
            match compares(term.trim(), now) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => holds = None,
            }
        }
        holds
    }
}

/// Evaluates `request.time < timestamp("2030-01-01T00:00:00Z")`.
fn compares(term: &str, now: Timestamp) -> Option<bool> {
    let rest = term.strip_prefix("request.time")?.trim_start();
    let operators = ["<=", ">=", "<", ">"];
    let (operator, rest) = operators
        .iter()
        .find_map(|it| Some((*it, rest.strip_prefix(it)?)))?;
    let argument = rest.trim_start().strip_prefix("timestamp(")?;
    let quoted = argument.strip_suffix(')')?.trim();
    let text = quoted.trim_matches(['"', '\'']);
    let than: Timestamp = text.parse().ok()?;
    Some(match operator {
        "<=" => now <= than,
        ">=" => now >= than,
        "<" => now < than,
        _ => now > than,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_time_alone_is_judged() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().expect("a time");
        let before = "request.time < timestamp(\"2030-01-01T00:00:00Z\")";
        let over = "request.time <= timestamp('2026-11-20T07:59:59Z')";
        let begun = "request.time >= timestamp('2026-11-20T08:00:00Z')";
        let later = "request.time > timestamp('2027-01-01T00:00:00Z')";
        let other = "resource.name.startsWith('projects/acme')";
        for (expression, holds) in [
            (before.to_owned(), Some(true)),
            (over.to_owned(), Some(false)),
            (begun.to_owned(), Some(true)),
            (later.to_owned(), Some(false)),
            (format!("{begun} && {before}"), Some(true)),
            (format!("{begun} && {over}"), Some(false)),
            (format!("{other} && {before}"), None),
            (format!("{other} && {over}"), Some(false)),
            (format!("{over} || {before}"), None),
            (format!("!({over})"), None),
            (format!("resource.name == \"a && {over} && b\""), None),
            ("request.time < timestamp('soon')".to_owned(), None),
            (String::new(), None),
        ] {
            let condition = Condition {
                expression: expression.clone(),
                ..Condition::default()
            };
            assert_eq!(condition.holds(now), holds, "{expression}");
        }
    }
}
