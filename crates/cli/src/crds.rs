//! `argosy crds`: prints the kinds for `kubectl apply`.

use std::io::Write;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

/// Prints the CustomResourceDefinitions of all kinds as YAML.
///
/// Example:
///   argosy crds | kubectl apply --server-side -f -
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Crds {
    /// Prints only the kinds with these plural names, such as stages
    #[arg(value_name = "PLURAL")]
    pub plurals: Vec<String>,
}

/// Writes them to standard output.
///
/// # Errors
/// When a plural name is unknown.
pub fn run(arguments: &Crds) -> Result<()> {
    print(arguments, &mut std::io::stdout().lock())
}

fn print(arguments: &Crds, output: &mut impl Write) -> Result<()> {
    let crds = resources::crds();
    let known: Vec<&str> = crds.iter().map(|(name, _)| plural(name)).collect();
    for wanted in &arguments.plurals {
        ensure!(
            known.contains(&wanted.as_str()),
            "no kind has the plural name {wanted:?}; there are: {}",
            known.join(", ")
        );
    }
    for (name, yaml) in crds {
        if arguments.plurals.is_empty()
            || arguments
                .plurals
                .iter()
                .any(|wanted| wanted == plural(name))
        {
            let body = yaml.strip_prefix("---\n").unwrap_or(yaml).trim_end();
            write!(output, "---\n{body}\n").context("failed to write to standard output")?;
        }
    }
    Ok(())
}

/// `stages.kargo.akuity.io` → `stages`
fn plural(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(plurals: &[&str]) -> Result<String> {
        let arguments = Crds {
            plurals: plurals.iter().map(|&plural| plural.to_owned()).collect(),
        };
        let mut output = Vec::new();
        print(&arguments, &mut output)?;
        Ok(String::from_utf8(output)?)
    }

    #[test]
    fn all_kinds_are_printed_unless_some_are_named() {
        assert_eq!(
            printed(&[])
                .unwrap()
                .matches("kind: CustomResourceDefinition")
                .count(),
            11
        );
        assert_eq!(
            printed(&["stages"])
                .unwrap()
                .matches("kind: CustomResourceDefinition")
                .count(),
            1
        );
    }

    #[test]
    fn an_unknown_kind_is_refused_with_those_there_are() {
        let error = printed(&["pods"]).unwrap_err().to_string();
        assert!(error.contains("warehouses"), "{error}");
    }
}
