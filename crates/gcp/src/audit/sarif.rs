//! Findings as SARIF, which code hosts show beside a repository.
//!
//! Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded::byte_serialize;

use super::{AuditReport, Finding, RULES, Severity, Unread};

/// Writes a report as a SARIF log of one run.
///
/// What could not be read becomes a notification, so that an empty list of results is not taken for a clean one.
pub fn write(report: &AuditReport, version: &str) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "argosy gcp audit",
                "version": version,
                "rules": RULES.iter().map(|rule| json!({
                    "id": rule.id,
                    "shortDescription": {"text": rule.title},
                    "defaultConfiguration": {"level": level(rule.severity)},
                    "properties": {"security-severity": score(rule.severity), "tags": ["security"]},
                })).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": report.unread.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": report.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let fix = &finding.fix;
    let parts = [&finding.says, &fix.commands, &fix.advice];
    let text = parts
        .map(|it| it.trim_end())
        .into_iter()
        .filter(|it| !it.is_empty());
    let text = text.collect::<Vec<_>>().join("\n\n");
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": path(&finding.resource)},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": finding.resource, "kind": "resource"}],
        }],
        "partialFingerprints": fingerprints(finding),
        "properties": {"severity": finding.severity, "evidence": finding.evidence},
    });
    if let Some(argument) = &finding.expected {
        let accepted =
            json!([{"kind": "external", "status": "accepted", "justification": argument}]);
        result["suppressions"] = accepted;
    }
    result
}

/// Gives each resource a file that is not there: code hosts refuse what is in no file, and tell findings of one rule
/// apart by their files.
///
/// Source: <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#location-object>
fn path(resource: &str) -> String {
    let parts = resource.split('/').filter(|it| !it.is_empty());
    let parts = parts.map(|it| byte_serialize(it.as_bytes()).collect::<String>());
    let parts: Vec<_> = std::iter::once("gcp".to_owned()).chain(parts).collect();
    parts.join("/")
}

/// Tells one finding from the next in two forms: as text, and as the number that GitHub would make of a line of the file.
fn fingerprints(finding: &Finding) -> Value {
    let text = format!("{}:{}:{}", finding.rule, finding.resource, finding.says);
    let hash = Sha256::digest(text.as_bytes());
    let (start, _) = hash.split_first_chunk().expect("a digest is longer");
    let hash = format!("{:016x}:1", u64::from_be_bytes(*start));
    json!({"resource/v1": text, "primaryLocationLineHash": hash})
}

fn notification(unread: &Unread) -> Value {
    json!({
        "level": "warning",
        "associatedRule": {"id": unread.rule},
        "message": {"text": format!("{} could not be looked at: {}", unread.resource, unread.why)},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// Gives the number by which GitHub sorts findings of security.
///
/// Source: <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "1.0",
    }
}
