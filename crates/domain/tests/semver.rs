//! Every recorded answer of the reference implementation, compared with ours.

use domain::version::{Constraint, Version};

#[test]
fn constraints_answer_as_the_reference_does() {
    let mut wrong = Vec::new();
    for line in include_str!("fixtures/semver.tsv").lines() {
        let (question, answer) = line
            .split_once("\t=> ")
            .expect("a recorded line has an answer");
        let (constraint, version) = question
            .split_once(" @ ")
            .expect("a recorded line has a version");
        let ours = answer_to(constraint, version);
        if !answer.starts_with(&ours) {
            wrong.push(format!("{question}: {ours} rather than {answer}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Answers in the words of the record: the constraint is read first.
fn answer_to(constraint: &str, version: &str) -> String {
    let Ok(constraint) = Constraint::parse(constraint) else {
        return "CERR".to_owned();
    };
    Version::parse(version).map_or_else(
        |_| "VERR".to_owned(),
        |version| constraint.allows(&version).to_string(),
    )
}
