//! `argosy gcp audit`: compares what is granted with what is needed.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use gcp::Fallback;
use gcp::audit::{Severity, audit, sarif};
use gcp::facts::{Intent, Reading};
use gcp::policy::Member;
use gcp::repository::{ImageAddress, RepositoryName};

use super::gather;
use super::place::{Access, Place};
use super::print::{self, FixForm};

/// Says who may do more on Google Cloud than Projects need: wide roles, keys, public repositories.
///
/// Looks at the accounts and repositories of all Projects, at the controller's Google Cloud project
/// and at what stands above it, as you. What could not be read is listed and never counts as good.
/// It changes nothing.
///
/// Ends with 1 if something was found that is as bad as --fail-on, else with 2 if something could
/// not be read, else with 0.
///
/// Examples:
///   argosy gcp audit --kubeconfig ~/.kube/config --gcp-project acme-gke
///   argosy gcp audit --projects web,shop --gcp-project acme-gke --fail-on medium
///   argosy gcp audit --kubeconfig ~/.kube/config --gcp-project acme-gke -o sarif > audit.sarif
///   argosy gcp audit --kubeconfig ~/.kube/config --expected group:sre@acme.example
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Audit {
    /// All Projects by name, where there is no cluster to list them: an account of any other counts as left over
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    projects: Vec<String>,
    /// Address of an image or chart whose repository is looked at for each of --projects; repeatable
    #[arg(long = "repo", value_name = "URL", requires = "projects")]
    repositories: Vec<String>,
    /// How bad a finding has to be for the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    fail_on: Severity,
    /// Member of policies that may act as accounts, such as group:sre@acme.example for emergencies; it is listed as
    /// information then; repeatable
    #[arg(long, value_name = "MEMBER", value_parser = member)]
    expected: Vec<String>,
    /// Repository that everybody is to read, as HOST/PROJECT/REPOSITORY or by its resource name; it is listed as
    /// information then; repeatable
    #[arg(long, value_name = "REPOSITORY", value_parser = repository)]
    public: Vec<RepositoryName>,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// Form in which a table says how to mend what it found; JSON has both
    #[arg(long, value_enum, default_value_t = FixForm::Gcloud)]
    fix: FixForm,
    #[command(flatten)]
    place: Place,
}

/// In which form the findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// For programs; ids and words do not change
    Json,
    /// For code hosts, which show it beside a repository
    Sarif,
}

pub(super) async fn run(arguments: &Audit) -> Result<ExitCode> {
    let access = arguments.place.access().await?;
    access.operator()?;
    let projects = projects(arguments, &access).await?;
    let intent = Intent {
        expected: arguments.expected.iter().cloned().collect(),
        public: arguments.public.iter().cloned().collect(),
        ..gather::intent(&access, Fallback::default(), projects)
    };
    let mut facts = gather::facts(&access, intent).await;
    // A cluster knows better which Projects there are.
    if !arguments.projects.is_empty() && access.kubernetes.is_none() {
        facts.live_projects = Reading::known_from("--projects", arguments.projects.clone());
    }
    let report = audit(&facts);
    match arguments.output {
        Form::Table => print::table(|output| print::audit(&report, arguments.fix, output))?,
        Form::Json => print::json(&report)?,
        Form::Sarif => print::json(&sarif::write(&report, env!("CARGO_PKG_VERSION")))?,
    }
    Ok(ExitCode::from(report.exit_code(arguments.fail_on)))
}

async fn projects(arguments: &Audit, access: &Access) -> Result<Vec<(String, Vec<String>)>> {
    if !arguments.projects.is_empty() {
        let named = arguments.projects.iter();
        return Ok(named
            .map(|it| (it.clone(), arguments.repositories.clone()))
            .collect());
    }
    let client = access.kubernetes.as_ref().context(
        "there is no cluster to list the Projects: add --kubeconfig FILE, or --projects NAME,NAME",
    )?;
    gather::projects(client).await
}

/// Takes a member as it stands in a policy, and no slip of one: it would be expected in vain.
fn member(text: &str) -> Result<String, String> {
    match Member::parse(text) {
        Member::Other(_) if !text.starts_with("principal") => Err(
            "write it as it stands in the policy, for example group:sre@acme.example".to_owned(),
        ),
        _ => Ok(text.to_owned()),
    }
}

/// Reads a repository by its resource name or by the address of what is in it.
fn repository(text: &str) -> Result<RepositoryName, String> {
    if let Some(name) = RepositoryName::parse(text) {
        return Ok(name);
    }
    // The address of the repository itself names no image.
    let whole = format!("{}/any", text.trim_end_matches('/'));
    let address = ImageAddress::parse(&whole);
    address
        .map(|it| it.repository)
        .map_err(|error| format!("{error}; {}", error.hint()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_by_its_address_or_its_resource_name() {
        let name = "projects/acme-art/locations/europe/repositories/base";
        for text in [
            name,
            "europe-docker.pkg.dev/acme-art/base",
            "europe-docker.pkg.dev/acme-art/base/",
            "europe-docker.pkg.dev/acme-art/base/tools/git",
        ] {
            let found = repository(text).map(|it| it.to_string());
            assert_eq!(found.as_deref(), Ok(name), "{text}");
        }
        assert!(repository("ghcr.io/acme/base").is_err());
        assert!(repository("base").is_err());
    }

    #[test]
    fn a_member_is_written_as_in_a_policy() {
        for text in [
            "group:sre@acme.example",
            "serviceAccount:ci@acme.iam.gserviceaccount.com",
            "principalSet://iam.googleapis.com/locations/global/workforcePools/staff/*",
        ] {
            assert!(member(text).is_ok(), "{text}");
        }
        assert!(member("sre@acme.example").is_err());
    }
}
