//! Repairs of the Deployment that the controller runs in, and of the account it runs as.

use crate::facts::Facts;
use crate::principal::KubernetesAccount;
use crate::setup::Fix;
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, text};
use crate::setup::terraform::commented;

/// The Deployment of the controller, as the book calls it.
const DEPLOYMENT: &str = "deployment/controller";

/// Takes a variable out of the controller's environment.
pub(crate) fn unset(facts: &Facts, variable: &str) -> Fix {
    let namespace = &facts.intent.controller.namespace;
    let env = Block::nested("env").with("name", &text(variable));
    let title = format!(
        "Remove from the container of the {}:",
        resource(&facts.intent.controller)
    );
    Fix::commands(&[environment(namespace, &format!("{variable}-"))])
        .and_terraform(commented(&title, &env.to_string()))
}

/// Gives a variable of the controller's environment another value.
pub(crate) fn set(facts: &Facts, variable: &str, value: &str) -> Fix {
    let controller = &facts.intent.controller;
    let env = Block::nested("env")
        .with("name", &text(variable))
        .with("value", &text(value));
    let container = Block::nested("container").inside(env);
    Fix::commands(&[environment(
        &controller.namespace,
        &format!("{variable}={value}"),
    )])
    .and_terraform(in_the_pod(controller, container))
}

/// Has the Pod that runs as `actual` run as the account that grants name.
pub(crate) fn run_as(actual: &KubernetesAccount, wanted: &KubernetesAccount) -> Fix {
    let words = ["kubectl", "set", "serviceaccount", DEPLOYMENT, &wanted.name];
    let set = command(&words, &[("namespace", &actual.namespace)]);
    let name = Block::nested("spec").with("service_account_name", &text(&wanted.name));
    let fix = Fix::commands(&[set]).and_terraform(in_the_deployment(actual, name));
    if actual.namespace == wanted.namespace {
        return fix;
    }
    fix.and_advice(&format!(
        "and deploy it in the namespace {}: grants name that too",
        wanted.namespace
    ))
}

/// Takes the Pod off the network of its node.
pub(crate) fn leave_host_network(facts: &Facts) -> Fix {
    let controller = &facts.intent.controller;
    let patch = r#"{"spec":{"template":{"spec":{"hostNetwork":false}}}}"#;
    let options = [
        ("namespace", controller.namespace.as_str()),
        ("patch", patch),
    ];
    let spec = Block::nested("spec").with("host_network", "false");
    Fix::commands(&[command(&["kubectl", "patch", DEPLOYMENT], &options)])
        .and_terraform(in_the_deployment(controller, spec))
}

/// Starts the Pod anew, on another node than the one it is on.
pub(crate) fn move_elsewhere(facts: &Facts) -> Fix {
    let namespace = &facts.intent.controller.namespace;
    let node = super::nodes::node_of(facts);
    let rollout = |verb| {
        let words = ["kubectl", "rollout", verb, DEPLOYMENT];
        command(&words, &[("namespace", namespace)])
    };
    Fix::commands(&[
        command(&["kubectl", "cordon", &node], &[]),
        rollout("restart"),
        rollout("status"),
        command(&["kubectl", "uncordon", &node], &[]),
    ])
    .without_terraform(
        "Kubernetes decides on which node a Pod runs while it runs; it is declared nowhere",
    )
}

/// Takes the annotation off that ties the controller's account to a service account.
pub(crate) fn untie(controller: &KubernetesAccount, annotation: &str) -> Fix {
    let words = [
        "kubectl",
        "annotate",
        "serviceaccount",
        &controller.name,
        &format!("{annotation}-"),
    ];
    let title = format!(
        "In the kubernetes_service_account_v1 of {controller}, remove from metadata.annotations:"
    );
    Fix::commands(&[command(&words, &[("namespace", &controller.namespace)])])
        .and_terraform(commented(&title, &text(annotation)))
}

fn environment(namespace: &str, change: &str) -> String {
    let words = ["kubectl", "set", "env", DEPLOYMENT, change];
    command(&words, &[("namespace", namespace)])
}

fn resource(controller: &KubernetesAccount) -> String {
    format!(
        "kubernetes_deployment_v1 of the controller in {}",
        controller.namespace
    )
}

fn in_the_pod(controller: &KubernetesAccount, inner: Block) -> String {
    in_the_deployment(controller, Block::nested("spec").inside(inner))
}

/// Says what to change in the template of Pods; `pod` is its `spec`.
///
/// Source: <https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs/resources/deployment_v1>
fn in_the_deployment(controller: &KubernetesAccount, pod: Block) -> String {
    let template = Block::nested("template").inside(pod);
    let spec = Block::nested("spec").inside(template);
    crate::setup::terraform::edit(&resource(controller), &spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole::whole;

    #[test]
    fn what_is_written_into_the_environment_runs_nothing_else() {
        let fix = set(&whole(), "NO_PROXY", "10.0.0.0/8,$(reboot)");
        assert_eq!(
            fix.commands,
            "kubectl set env deployment/controller 'NO_PROXY=10.0.0.0/8,$(reboot)' --namespace=argosy\n"
        );
        let terraform = fix.terraform.text();
        let value = "value = \"10.0.0.0/8,$(reboot)\"";
        assert!(terraform.contains(value), "{terraform}");
    }

    #[test]
    fn a_pod_of_another_namespace_is_to_be_deployed_anew() {
        let wanted = KubernetesAccount::new("argosy", "controller");
        let near = run_as(&KubernetesAccount::new("argosy", "default"), &wanted);
        assert_eq!(near.advice, "");
        let far = run_as(&KubernetesAccount::new("kargo", "controller"), &wanted);
        assert!(far.advice.contains("in the namespace argosy"), "{far:?}");
    }
}
