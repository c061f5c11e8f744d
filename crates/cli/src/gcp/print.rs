//! Reports for people: one line for each result, what to do about it below. Colours on a terminal only.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use gcp::audit::{AuditReport, Finding, Severity};
use gcp::doctor::{CheckResult, DoctorReport, Status};
use gcp::facts::Source;
use gcp::setup::{Fix, Terraform};
use serde::Serialize;

const DIM: Style = Style::new().dimmed();

/// In which form a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Table,
    /// For programs; ids and words do not change
    Json,
}

/// As what a table says how to mend something; JSON has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FixForm {
    /// Commands: gcloud, and kubectl where it is about the cluster
    Gcloud,
    /// Terraform; commands where there is nothing to declare
    Terraform,
}

/// Prints JSON to standard output.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, value).context("failed to write the report")?;
    writeln!(output).context("failed to write to standard output")
}

/// Prints to standard output what `write` writes, with colours if it is a terminal.
pub(super) fn table(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut output = anstream::stdout().lock();
    write(&mut output).context("failed to write to standard output")
}

/// Writes what doctor found, in the order of the chain; what was not looked at from here is counted only.
pub(super) fn doctor(
    report: &DoctorReport,
    form: FixForm,
    output: &mut dyn Write,
) -> io::Result<()> {
    let is_shown = |it: &&CheckResult| it.status != Status::Skip || it.depends_on.is_some();
    let shown = report.results.iter().filter(is_shown);
    let width = shown.clone().map(|it| it.id.len()).max().unwrap_or(0);
    for result in shown {
        check(result, width, form, output)?;
    }
    let all = [
        Status::Pass,
        Status::Warn,
        Status::Fail,
        Status::Unknown,
        Status::Skip,
    ];
    let counts = all.map(|it| format!("{} {it}", report.count(it)));
    writeln!(output, "\n{} (-o json lists all)", counts.join(", "))
}

fn check(
    result: &CheckResult,
    width: usize,
    form: FixForm,
    output: &mut dyn Write,
) -> io::Result<()> {
    let style = match result.status {
        Status::Pass => AnsiColor::Green.on_default(),
        Status::Warn => AnsiColor::Yellow.on_default(),
        Status::Fail => AnsiColor::Red.on_default().bold(),
        Status::Unknown => AnsiColor::Magenta.on_default(),
        Status::Skip => DIM,
    };
    let mut says = result.says.lines();
    let first = says.next().unwrap_or_default();
    write!(
        output,
        "{style}{:<8}{style:#} {:<width$}  ",
        result.status, result.id
    )?;
    match result.subject.to_string() {
        subject if subject.is_empty() => writeln!(output, "{first}")?,
        subject => writeln!(output, "{subject}: {first}")?,
    }
    for line in says {
        writeln!(output, "         {line}")?;
    }
    if matches!(result.status, Status::Pass | Status::Skip) {
        return Ok(());
    }
    evidence(&result.evidence, output)?;
    if let Some(it) = &result.fix {
        fix(it, form, output)?;
    }
    let page = &result.documentation;
    writeln!(output, "         {DIM}more: docs/book/{page}{DIM:#}")
}

/// Writes what the audit found, the worst first.
pub(super) fn audit(report: &AuditReport, form: FixForm, output: &mut dyn Write) -> io::Result<()> {
    for it in &report.findings {
        finding(it, form, output)?;
    }
    if !report.unread.is_empty() {
        writeln!(output, "What could not be looked at:")?;
    }
    for it in &report.unread {
        let status = it.evidence.status.map(|it| format!(" ({it})"));
        writeln!(
            output,
            "{DIM}unread{DIM:#}   {}  {}: {}{}",
            it.rule,
            it.resource,
            it.why,
            status.unwrap_or_default()
        )?;
    }
    let (found, unread) = (report.findings.len(), report.unread.len());
    writeln!(output, "\n{found} found, {unread} unread")
}

fn finding(finding: &Finding, form: FixForm, output: &mut dyn Write) -> io::Result<()> {
    let style = match finding.severity {
        Severity::Critical | Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low | Severity::Info => AnsiColor::Cyan.on_default(),
    };
    writeln!(
        output,
        "{style}{:<8}{style:#} {}  {}",
        finding.severity, finding.rule, finding.resource
    )?;
    for line in finding.says.lines() {
        writeln!(output, "         {line}")?;
    }
    evidence(&finding.evidence, output)?;
    fix(&finding.fix, form, output)
}

fn evidence(sources: &[Source], output: &mut dyn Write) -> io::Result<()> {
    let sources = sources.iter().filter(|it| !it.request.is_empty());
    for Source {
        request,
        status,
        at,
    } in sources
    {
        let status = status.map(|it| format!(" ({it})")).unwrap_or_default();
        let at = at.map(|it| format!(", at {it:.0}, and lags behind"));
        let at = at.unwrap_or_default();
        writeln!(output, "         {DIM}seen: {request}{status}{at}{DIM:#}")?;
    }
    Ok(())
}

/// Writes a repair as it can be copied, and what neither form can say.
fn fix(fix: &Fix, form: FixForm, output: &mut dyn Write) -> io::Result<()> {
    let advice = fix.advice.trim_end();
    writeln!(output, "{}", format!("         fix: {advice}").trim_end())?;
    let text = match (form, &fix.terraform) {
        (FixForm::Terraform, Terraform::Written(text)) => text,
        (FixForm::Terraform, Terraform::Never { why }) => {
            writeln!(output, "             {DIM}no Terraform: {why}{DIM:#}")?;
            &fix.commands
        }
        (FixForm::Gcloud, _) => &fix.commands,
    };
    for line in text.lines() {
        writeln!(output, "{}", format!("             {line}").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
