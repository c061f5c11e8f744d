//! The report for people and for programs.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

use super::report::{Cost, Report};

const DIM: Style = Style::new().dimmed();
const HEAD: Style = Style::new().bold();
/// Most things that are named beside a rule, and characters of a digest that tell it apart.
const EXAMPLES_SHOWN: usize = 3;
const DIGEST_SHOWN: usize = "sha256:".len() + 12;

/// Prints JSON to standard output.
pub(super) fn json(report: &Report) -> Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, report).context("failed to write the report")?;
    writeln!(output).context("failed to write to standard output")
}

/// Prints tables to standard output, with colours if it is a terminal.
pub(super) fn table(report: &Report) -> Result<()> {
    let mut output = anstream::stdout().lock();
    write(report, &mut output).context("failed to write to standard output")
}

fn write(report: &Report, output: &mut dyn Write) -> io::Result<()> {
    let green = AnsiColor::Green.on_default();
    let red = AnsiColor::Red.on_default();
    if report.taken.is_empty() {
        writeln!(output, "{red}Nothing fits.{red:#}")?;
    } else {
        writeln!(output, "{green}Taken, best first{green:#}")?;
        writeln!(output, "{}", taken(report))?;
    }
    if !report.ruled_out.is_empty() {
        writeln!(output, "\n{HEAD}Ruled out{HEAD:#}")?;
        let mut table = plain();
        for it in &report.ruled_out {
            let shown = it.examples.iter().take(EXAMPLES_SHOWN);
            let mut examples = shown.cloned().collect::<Vec<_>>().join(", ");
            if it.count > EXAMPLES_SHOWN && !examples.is_empty() {
                examples.push_str(", …");
            }
            table.add_row([it.count.to_string(), it.rule.clone(), examples]);
        }
        writeln!(output, "{table}")?;
    }
    for remark in &report.remarks {
        let yellow = AnsiColor::Yellow.on_default();
        writeln!(
            output,
            "\n{yellow}{}{yellow:#}: {}",
            remark.reason, remark.message
        )?;
    }
    writeln!(output, "\n{DIM}{}{DIM:#}", cost(&report.cost))
}

fn taken(report: &Report) -> Table {
    let mut table = plain();
    let is_shown = |field: &str| report.taken.iter().any(|it| !cell(it, field).is_empty());
    let columns = report.columns.iter().filter(|(field, _)| is_shown(field));
    table.set_header(columns.clone().map(|(_, title)| *title));
    for it in &report.taken {
        table.add_row(columns.clone().map(|(field, _)| cell(it, field)));
    }
    table
}

/// Gives a field as it stands in a table: a digest as far as it tells images apart, nothing for what is not known.
fn cell(it: &Value, field: &str) -> String {
    match &it[field] {
        Value::Null => String::new(),
        Value::String(text) if field == "digest" => text.chars().take(DIGEST_SHOWN).collect(),
        Value::String(text) if field == "id" => text.chars().take(12).collect(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table
}

fn cost(cost: &Cost) -> String {
    let Cost {
        requests,
        hosts,
        git,
        remembered,
        seconds,
        waited_seconds: _,
    } = cost;
    let hosts = hosts.iter().map(|(host, outcomes)| {
        let outcomes = outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {outcome}"));
        format!("{host}: {}", outcomes.collect::<Vec<_>>().join(", "))
    });
    let hosts = hosts.collect::<Vec<_>>().join("; ");
    let mut text = format!("It cost {requests} requests");
    if !hosts.is_empty() {
        text = format!("{text} ({hosts})");
    }
    if *git > 0 {
        text = format!("{text} and {git} git fetches");
    }
    if *remembered > 0 {
        text = format!("{text}; {remembered} answers were remembered");
    }
    format!("{text}; it took {seconds:.1} s.")
}
