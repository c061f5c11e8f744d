//! Findings as SARIF, which code hosts show beside a repository.
//!
//! Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use serde_json::{Value, json};

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
                    "properties": {"security-severity": score(rule.severity)},
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
    json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": finding.resource, "kind": "resource"}]}],
        "partialFingerprints": {"resource/v1": format!("{}:{}:{}", finding.rule, finding.resource, finding.says)},
        "properties": {"severity": finding.severity, "evidence": finding.evidence},
    })
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
