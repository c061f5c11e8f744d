//! What the body of an error says: a code or a reason of capitals. Its text is left out, since a server may echo what it
//! was sent.

use serde_json::Value;

use super::content::ERROR_BOUND;

/// How Google names a token whose scope allows less than IAM grants.
///
/// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
pub(super) const NARROW_SCOPE: &str = "ACCESS_TOKEN_SCOPE_INSUFFICIENT";
/// What its registry says, which has one code for all that is denied.
const NARROW_SCOPE_TEXT: &str = "insufficient authentication scopes";

/// Reads the code of a registry's error, or the reason that an API of Google's gives; empty where there is none.
pub(super) fn read(body: &[u8]) -> String {
    if body.len() > ERROR_BOUND {
        return String::new();
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (of_registry, of_api) = (&body["errors"][0], &body["error"]);
    let is_narrow = |error: &Value| {
        let text = error["message"].as_str();
        text.is_some_and(|it| it.contains(NARROW_SCOPE_TEXT))
    };
    if is_narrow(of_registry) || is_narrow(of_api) {
        return NARROW_SCOPE.to_owned();
    }
    let mut details = of_api["details"].as_array().into_iter().flatten();
    let code = of_registry["code"]
        .as_str()
        .or_else(|| details.find_map(|it| it["reason"].as_str()))
        .or_else(|| of_api["status"].as_str());
    code.filter(|it| is_code(it)).unwrap_or_default().to_owned()
}

/// Puts what was read behind what is said, if there is anything.
pub(super) fn said(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

fn is_code(text: &str) -> bool {
    text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_or_a_reason_is_read_and_no_text() {
        let long = format!(r#"{{"errors":[{{"code":"{}"}}]}}"#, "A".repeat(41));
        for (body, expected) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"eyJ of yours is bad"}]}"#,
                "DENIED",
            ),
            (
                r#"{"error":"denied","errors":[{"code":"UNAUTHORIZED"}]}"#,
                "UNAUTHORIZED",
            ),
            (
                r#"{"errors":[{"code":"DENIED","message":"Request had insufficient authentication scopes."}]}"#,
                NARROW_SCOPE,
            ),
            (
                r#"{"error":{"code":403,"message":"x","status":"PERMISSION_DENIED","details":[{"@type":"x"},{"reason":"SERVICE_DISABLED"}]}}"#,
                "SERVICE_DISABLED",
            ),
            (
                r#"{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED"}}"#,
                NARROW_SCOPE,
            ),
            (
                r#"{"error":{"status":"PERMISSION_DENIED"}}"#,
                "PERMISSION_DENIED",
            ),
            (r#"{"errors":[{"code":"hunter2"}]}"#, ""),
            (&long, ""),
            (r#"{"errors":[]}"#, ""),
            (r#"[{"code":"DENIED"}]"#, ""),
            ("<html>", ""),
            ("", ""),
        ] {
            assert_eq!(read(body.as_bytes()), expected, "{body}");
        }
        let padding = " ".repeat(ERROR_BOUND);
        assert_eq!(read(format!("{padding}{{}}").as_bytes()), "");
    }
}
