//! Golden files: a refusal as it stands on the wire, and above it what it rests on.
//!
//! The first line is `# documented: …`, `# seen: …`, `# assumed: …` or `# ours: …`, or several of them with `; ` between.
//! What is assumed is named as in the list of assumptions. `UPDATE_GOLDEN=1` writes the files anew.

use std::fmt::Write as _;
use std::path::Path;

use axum::response::{IntoResponse, Response};
use http::header;

use crate::admin::is_assumed;

/// A refusal, the name of its file, and what it rests on.
pub(crate) struct Row {
    name: &'static str,
    evidence: &'static str,
    response: Response,
}

pub(crate) fn row(name: &'static str, evidence: &'static str, refused: impl IntoResponse) -> Row {
    Row {
        name,
        evidence,
        response: refused.into_response(),
    }
}

/// Compares rows with the files of a folder below `tests/refusals`; there must be no others.
pub(crate) async fn check(folder: &str, rows: Vec<Row>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/refusals")
        .join(folder);
    let mut wrong = Vec::new();
    let mut names: Vec<String> = rows
        .iter()
        .map(|row| format!("{}.http", row.name))
        .collect();
    for row in rows {
        for part in row.evidence.split("; ") {
            assert!(is_evidence(part), "{}: {part:?}", row.name);
        }
        let file = folder.join(format!("{}.http", row.name));
        let found = format!("# {}\n{}", row.evidence, written(row.response).await);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            wrong.push(format!(
                "{}: expected\n{expected}\nfound\n{found}",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let there = std::fs::read_dir(&folder).unwrap().map(Result::unwrap);
    let mut there: Vec<String> = there
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    there.sort();
    names.sort();
    assert_eq!(
        there, names,
        "files without a row, or rows of the same name"
    );
}

/// Says whether a refusal may rest on this: where it was found, or an assumption that is listed.
fn is_evidence(text: &str) -> bool {
    match text.split_once(": ") {
        Some(("documented" | "seen" | "ours", place)) => !place.is_empty(),
        Some(("assumed", name)) => is_assumed(name),
        Some(_) | None => false,
    }
}

/// Spells a response as it would stand on the wire, without what depends on the day.
async fn written(response: Response) -> String {
    let (head, body) = response.into_parts();
    let mut text = format!("{}\n", head.status);
    let version = header::HeaderName::from_static("docker-distribution-api-version");
    for name in [
        header::CONTENT_TYPE,
        version,
        header::WWW_AUTHENTICATE,
        header::RETRY_AFTER,
    ] {
        if let Some(value) = head.headers.get(&name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    writeln!(text, "\n{}", String::from_utf8_lossy(&body).trim_end()).unwrap();
    text
}

#[cfg(test)]
mod tests {
    use super::is_evidence;

    #[test]
    fn what_is_assumed_is_on_the_list() {
        for (text, right) in [
            ("seen: https://github.com/e6qu/sockerless-cloud", true),
            ("assumed: missing-blob", true),
            ("assumed: worded as for a manifest", false),
            ("assumed: ", false),
            ("seen: ", false),
            ("somebody said so", false),
        ] {
            assert_eq!(is_evidence(text), right, "{text}");
        }
    }
}
