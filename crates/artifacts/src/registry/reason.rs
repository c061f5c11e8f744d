//! What the body of an error says: a code or a reason of capitals. Its text is left out, since a server may echo what it
//! was sent.

use serde_json::Value;

use super::content::ERROR_BOUND;

/// How Google names a token whose scope allows less than IAM grants, an API that nobody has enabled, and a perimeter around
/// the project.
///
/// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
pub(super) const NARROW_SCOPE: &str = "ACCESS_TOKEN_SCOPE_INSUFFICIENT";
pub(super) const SERVICE_DISABLED: &str = "SERVICE_DISABLED";
pub(super) const POLICY_VIOLATED: &str = "SECURITY_POLICY_VIOLATED";

/// What its registry says of them, which has one code for all that is denied.
const TEXTS: [(&str, &str); 3] = [
    ("insufficient authentication scopes", NARROW_SCOPE),
    ("has not been used in project", SERVICE_DISABLED),
    ("vpcServiceControlsUniqueIdentifier", POLICY_VIOLATED),
];

/// Reads the code of a registry's error, or the reason that an API of Google's gives; empty where there is none.
pub(super) fn read(body: &[u8]) -> String {
    if body.len() > ERROR_BOUND {
        return String::new();
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (of_registry, of_api) = (&body["errors"][0], &body["error"]);
    let mut details = of_api["details"].as_array().into_iter().flatten();
    let code = details
        .find_map(|it| it["reason"].as_str())
        .or_else(|| known(of_registry).or_else(|| known(of_api)))
        .or_else(|| of_registry["code"].as_str())
        .or_else(|| of_api["status"].as_str());
    code.filter(|it| is_code(it)).unwrap_or_default().to_owned()
}

/// Finds the reason behind a text that says one.
fn known(error: &Value) -> Option<&'static str> {
    let text = error["message"].as_str()?;
    let mut known = TEXTS.iter().filter(|(part, _)| text.contains(part));
    known.next().map(|(_, reason)| *reason)
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
            (
                r#"{"errors":[{"code":"DENIED","message":"Artifact Registry API has not been used in project 1 before or it is disabled."}]}"#,
                SERVICE_DISABLED,
            ),
            (
                r#"{"errors":[{"code":"DENIED","message":"Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x"}]}"#,
                POLICY_VIOLATED,
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
