//! Shows a plan, and asks whether it may be carried out.

use std::io::{self, BufRead, IsTerminal as _, Write};

use anyhow::{Context as _, Result, bail};
use gcp::setup::{Plan, gcloud};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    /// It was given beforehand.
    Given,
    /// Somebody sits at a terminal.
    Asked,
    Nobody,
}

/// Shows the plan and asks, unless that was answered beforehand.
///
/// # Errors
/// Whatever is not a yes: then nothing may be changed.
pub(super) fn agree(plan: &Plan, yes: bool) -> Result<()> {
    let consent = match (yes, io::stdin().is_terminal()) {
        (true, _) => Consent::Given,
        (false, true) => Consent::Asked,
        (false, false) => Consent::Nobody,
    };
    let answers = io::stdin().lock();
    ask(plan, consent, answers, anstream::stderr().lock())
}

fn ask(
    plan: &Plan,
    consent: Consent,
    mut answers: impl BufRead,
    mut out: impl Write,
) -> Result<()> {
    write!(out, "{}", gcloud::commands(plan)).context("failed to show the plan")?;
    match consent {
        Consent::Given => return Ok(()),
        Consent::Nobody => bail!("nobody is there to agree to this plan: add --yes"),
        Consent::Asked => {}
    }
    write!(out, "\nDo this, through the API? [y/N] ").context("failed to ask")?;
    out.flush().context("failed to ask")?;
    let mut answer = String::new();
    answers
        .read_line(&mut answer)
        .context("failed to read the answer")?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use gcp::principal::ProjectId;
    use gcp::setup::Action;

    use super::*;

    /// What is answered to an answer, and what is written meanwhile.
    fn asked(consent: Consent, answer: &str) -> (Result<()>, String) {
        let project = ProjectId::parse("acme-gke").expect("an id");
        let plan = Plan {
            actions: vec![Action::CreateTopic { project }],
            ..Plan::default()
        };
        let mut out = Vec::new();
        let ended = ask(&plan, consent, answer.as_bytes(), &mut out);
        (ended, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for answer in ["y\n", "Y\n", "yes\n", " yes \n", "YES"] {
            assert!(asked(Consent::Asked, answer).0.is_ok(), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "no\n", "yep\n", "\ny\n"] {
            let refused = asked(Consent::Asked, answer).0.expect_err(answer);
            assert_eq!(refused.to_string(), "nothing was changed", "{answer:?}");
        }
    }

    #[test]
    fn the_plan_stands_before_the_question() {
        let (_, written) = asked(Consent::Asked, "n\n");
        let plan = written.find("gcloud pubsub topics create gcr --project=acme-gke\n");
        let question = written.find("Do this, through the API? [y/N] ");
        assert!(plan.is_some() && plan < question, "{written}");
    }

    #[test]
    fn nobody_is_asked_who_has_agreed_or_is_not_there() {
        let (agreed, written) = asked(Consent::Given, "n\n");
        assert!(agreed.is_ok() && !written.contains("[y/N]"), "{written}");
        let (nobody, written) = asked(Consent::Nobody, "y\n");
        let refused = nobody.expect_err("nobody agreed").to_string();
        assert!(refused.contains("add --yes"), "{refused}");
        assert!(written.contains("gcloud pubsub") && !written.contains("[y/N]"));
    }
}
