//! `cargo xtask tidy`: the house rules that a program can hold.

mod arrows;
mod sources;
mod steps;

use anyhow::{Result, bail};

/// Checks every rule and lists every breach, each with the file and what to do.
pub(crate) fn tidy() -> Result<()> {
    let mut breaches = Vec::new();
    arrows::check(&mut breaches)?;
    sources::check(&mut breaches)?;
    steps::check(&mut breaches)?;
    if breaches.is_empty() {
        return Ok(());
    }
    for breach in &breaches {
        eprintln!("tidy: {breach}");
    }
    bail!(
        "{} breaches of the house rules; mend them, then: cargo xtask tidy",
        breaches.len()
    );
}
