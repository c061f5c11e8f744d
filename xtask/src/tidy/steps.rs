//! The table of promotion steps: sorted, and each step with its schema, cases and page.

use std::fs;

use anyhow::{Context as _, Result};

use crate::workspace;

const TABLE: &str = "crates/engine/src/steps.rs";

pub(super) fn check(breaches: &mut Vec<String>) -> Result<()> {
    let root = workspace::root()?;
    let text =
        fs::read_to_string(root.join(TABLE)).with_context(|| format!("failed to read {TABLE}"))?;
    let rows = rows(&text);
    if rows.is_empty() {
        breaches.push(format!("{TABLE}: no rows found in STEPS"));
    }
    if !rows.is_sorted() {
        breaches.push(format!("{TABLE}: STEPS is not sorted by kind"));
    }
    for module in &rows {
        let kind = module.replace('_', "-");
        let cases = root.join("tests/steps").join(&kind);
        let count = fs::read_dir(&cases).map_or(0, Iterator::count);
        if count < 2 {
            breaches.push(format!(
                "tests/steps/{kind}: {count} cases; a step has at least two"
            ));
        }
        for (what, path) in [
            ("page", format!("docs/steps/{kind}.md")),
            ("schema", format!("schemas/steps/{kind}.json")),
            ("file", format!("crates/engine/src/steps/{module}.rs")),
        ] {
            if !root.join(&path).exists() {
                breaches.push(format!("{path}: the step {kind} has no {what}"));
            }
        }
    }
    Ok(())
}

/// The modules named by `entry::<module::Type>()` in the table, in its order.
fn rows(text: &str) -> Vec<String> {
    let Some((_, table)) = text.split_once("const STEPS") else {
        return Vec::new();
    };
    let table = table.split("];").next().unwrap_or_default();
    table
        .split("entry::<")
        .skip(1)
        .filter_map(|row| {
            row.split_once("::")
                .map(|(module, _)| module.trim().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn the_rows_are_read_in_order() {
        let text = "pub const STEPS: &[Entry] = &[\n    entry::<copy::Copy>(),\n    entry::<git_clone::GitClone>(),\n];\n";
        assert_eq!(rows(text), ["copy", "git_clone"]);
    }
}
