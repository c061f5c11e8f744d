//! Repairs of repositories and of the addresses that lead to them.

use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::policy::READER;
use crate::principal::PROJECT_ACCOUNT;
use crate::repository::{ImageAddress, RepositoryName};
use crate::setup::shell::{command, quote};
use crate::setup::terraform::block::{Block, label, text};
use crate::setup::{Action, Commands, Fix, Grantee, Resource, RoleGrant};

const WRITTEN_BY_PROJECTS: &str =
    "the address stands in a Warehouse, which the Project writes; no resource of Google holds it";

/// Makes a repository for images.
pub(crate) fn create(name: &RepositoryName) -> Fix {
    let options = [
        ("project", name.project.as_str()),
        ("location", &name.location),
        ("repository-format", "docker"),
    ];
    let words = [
        "gcloud",
        "artifacts",
        "repositories",
        "create",
        &name.repository,
    ];
    Fix::commands(&[command(&words, &options)]).and_terraform(declared(name).to_string())
}

/// Makes a repository for images beside one that holds something else, and leads the Projects there.
pub(crate) fn create_beside(facts: &Facts, name: &RepositoryName) -> Fix {
    let beside = RepositoryName {
        repository: format!("{}-images", name.repository),
        ..name.clone()
    };
    let mut fix = create(&beside);
    for line in lead(facts, name, &beside) {
        fix.commands.push_str(&line);
        fix.commands.push('\n');
    }
    fix.and_advice("the format of a repository cannot be changed; push the images to the new one, or correct the address")
}

/// Leads the Projects that subscribe to a repository to the one of the same name in another location.
pub(crate) fn lead_to(facts: &Facts, name: &RepositoryName, location: &str) -> Fix {
    let there = RepositoryName {
        location: location.to_owned(),
        ..name.clone()
    };
    Fix::commands(&lead(facts, name, &there))
        .without_terraform(WRITTEN_BY_PROJECTS)
        .and_advice(&format!("the subscription should say {location}-docker.pkg.dev; change it in Git where that is applied"))
}

/// Lets a person correct what a Project subscribes to.
pub(crate) fn correct_address(project: &str, hint: &str) -> Fix {
    edit_warehouses(project)
        .without_terraform(WRITTEN_BY_PROJECTS)
        .and_advice(hint)
}

/// Shows what images a repository holds, so that the address can be corrected or the image pushed.
pub(crate) fn list_images(project: &str, address: &ImageAddress) -> Fix {
    let name = &address.repository;
    let holder = format!(
        "{}-docker.pkg.dev/{}/{}",
        name.location,
        name.project.registry_path(),
        name.repository
    );
    let list = ["gcloud", "artifacts", "docker", "images", "list", &holder];
    Fix::commands(&[command(&list, &[]), edit_command(project)])
        .without_terraform("images are pushed, not declared; and the address stands in a Warehouse, which the Project writes")
        .and_advice("compare the name, and the location in the host; or push the image")
}

/// Has Artifact Registry serve what the former Container Registry served for a project.
///
/// Source: <https://cloud.google.com/artifact-registry/docs/transition/auto-migrate-gcr-ar>
pub(crate) fn serve_former(name: &RepositoryName) -> Fix {
    let project = name.project.as_str();
    let words = ["gcloud", "artifacts", "docker", "upgrade", "migrate"];
    let redirect = [
        "gcloud",
        "artifacts",
        "settings",
        "enable-upgrade-redirection",
    ];
    let redirect = command(&redirect, &[("project", project)]);
    let written = format!(
        "{}\n# That requests are led there is no resource; it takes one command:\n#   {redirect}\n",
        declared(name)
    );
    Fix::commands(&[command(&words, &[("projects", project)])]).and_terraform(written)
}

/// Makes the Kubernetes account that a Project may act as.
pub(crate) fn kubernetes_account(project: &str) -> Fix {
    let words = ["kubectl", "create", "serviceaccount", PROJECT_ACCOUNT];
    let metadata = Block::nested("metadata")
        .with("name", &text(PROJECT_ACCOUNT))
        .with("namespace", &text(project));
    let account = Block::resource(
        "kubernetes_service_account_v1",
        &label(&[project, PROJECT_ACCOUNT]),
    )
    .inside(metadata);
    Fix::commands(&[command(&words, &[("namespace", project)])]).and_terraform(account.to_string())
}

/// Lists the grants by which the Kubernetes account of a Project reads what the Project uses.
pub(crate) fn reading_as_kubernetes_account(facts: &Facts, project: &str) -> Vec<Action> {
    let Ok(principal) = facts.kubernetes_principal(project) else {
        return Vec::new();
    };
    let used = facts.uses().filter(|it| it.project == project);
    let names: BTreeSet<_> = used.map(|it| it.address.repository).collect();
    let grant = |name| {
        let reader = Grantee::Kubernetes(principal.clone());
        Action::Grant(RoleGrant::new(Resource::Repository(name), READER, reader))
    };
    names.into_iter().map(grant).collect()
}

/// Source: <https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/artifact_registry_repository>
fn declared(name: &RepositoryName) -> Block {
    let parts = [name.project.as_str(), &name.location, &name.repository];
    Block::resource("google_artifact_registry_repository", &label(&parts))
        .with("project", &text(name.project.as_str()))
        .with("location", &text(&name.location))
        .with("repository_id", &text(&name.repository))
        .with("format", &text("DOCKER"))
}

/// Writes for each Project that uses a repository the command that changes its addresses, each a line.
fn lead(facts: &Facts, from: &RepositoryName, to: &RepositoryName) -> Vec<String> {
    let to = format!(
        "{}-docker.pkg.dev/{}/{}/",
        to.location,
        to.project.registry_path(),
        to.repository
    );
    let used = facts.uses().filter(|it| it.address.repository == *from);
    let changes: BTreeSet<_> = used
        .map(|it| {
            let path = it.address.path();
            let path = path.strip_suffix(&it.address.image).unwrap_or(&path);
            (it.project, format!("{}/{path}", it.address.host))
        })
        .collect();
    let change = |(project, from): (String, String)| {
        let expression = format!("s|{}|{to}|", from.replace('.', r"\."));
        format!(
            "kubectl get warehouses --namespace={} --output=yaml | sed {} | kubectl replace --filename=-",
            quote(&project),
            quote(&expression)
        )
    };
    changes.into_iter().map(change).collect()
}

fn edit_warehouses(project: &str) -> Commands {
    Fix::commands(&[edit_command(project)])
}

fn edit_command(project: &str) -> String {
    command(
        &["kubectl", "edit", "warehouses"],
        &[("namespace", project)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole;

    #[test]
    fn the_command_that_creates_a_repository_runs_nothing_else() {
        let fix = create(&whole::repository("$(reboot)"));
        assert_eq!(
            fix.commands.replace("\\\n  ", ""),
            "gcloud artifacts repositories create '$(reboot)' --project=acme-art --location=europe-west1 \
             --repository-format=docker\n"
        );
        assert_eq!(
            fix.terraform.text().lines().nth(3),
            Some("  repository_id = \"$(reboot)\"")
        );
    }

    #[test]
    fn each_project_that_uses_a_repository_is_led_to_the_other() {
        let mut facts = whole::whole();
        let shop = facts.intent.projects.get_mut("shop").expect("shop");
        shop.push("europe-west1-docker.pkg.dev/acme-art/apps/team/shop".to_owned());
        let fix = lead_to(&facts, &whole::repository("apps"), "us");
        let change = r#"sed "s|europe-west1-docker\\.pkg\\.dev/acme-art/apps/|us-docker.pkg.dev/acme-art/apps/|""#;
        let lines: Vec<_> = fix.commands.lines().collect();
        assert_eq!(lines.len(), 2, "{}", fix.commands);
        for (line, project) in lines.iter().zip(["shop", "web"]) {
            assert!(line.contains(&format!("--namespace={project} ")), "{line}");
            assert!(line.contains(change), "{line}");
        }
    }
}
