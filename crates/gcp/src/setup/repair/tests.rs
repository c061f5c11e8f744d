//! What every repair has to say, whatever it is for.

use crate::setup::{Fix, Terraform};

/// Asserts that a repair says what to run, and as Terraform what to declare or why there is nothing to be.
#[track_caller]
pub(crate) fn mends(fix: &Fix, what: &str) {
    let tools = ["gcloud ", "kubectl ", "echo '"];
    let mut lines = fix.commands.lines();
    assert!(
        lines.any(|line| tools.iter().any(|it| line.starts_with(it))),
        "{what} says no command: {fix:?}"
    );
    assert!(fix.commands.ends_with('\n'), "{what}: {fix:?}");
    match &fix.terraform {
        Terraform::Written(text) => assert!(text.ends_with('\n'), "{what}: {fix:?}"),
        Terraform::Never { why } => assert!(why.len() > 20, "{what} says not why: {fix:?}"),
    }
}
