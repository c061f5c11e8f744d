//! A network policy that lets the controller out to what it needs of Google, as a manifest and as Terraform.
//!
//! Policies add up, so it goes beside those that restrict the Pod and takes nothing away from them.

use std::fmt::Write as _;

use super::{Fix, terraform};
use crate::network::Labels;
use crate::principal::KubernetesAccount;

/// Labels that a Deployment or a `StatefulSet` gives to one generation of its Pods, or to a single one.
const OF_ONE_GENERATION: &[&str] = &[
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];

/// Addresses at which clusters of GKE resolve names: the cache of each node, and Cloud DNS.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/nodelocal-dns-cache>
pub(crate) const RESOLVERS: &[&str] = &["169.254.20.10/32", "169.254.169.254/32"];

/// What is let out, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct WayOut<'a> {
    /// Whose namespace it is.
    pub(crate) controller: &'a KubernetesAccount,
    labels: Labels,
    /// Where the metadata server is: ranges, each with its TCP port.
    pub(crate) metadata: &'a [(&'static str, u16)],
}

impl<'a> WayOut<'a> {
    /// `labels` are the Pod's.
    pub(crate) fn new(
        controller: &'a KubernetesAccount,
        labels: &Labels,
        metadata: &'a [(&'static str, u16)],
    ) -> Self {
        let mut labels = labels.clone();
        labels.retain(|key, _| !OF_ONE_GENERATION.contains(&key.as_str()));
        Self {
            controller,
            labels,
            metadata,
        }
    }

    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Gives the repair in both forms.
    pub(crate) fn fix(&self) -> Fix {
        Fix::commands(&[format!("echo '\n{}' | kubectl apply -f -", self.manifest())])
            .and_terraform(terraform::way_out(self))
    }

    /// Writes the policy in a form that stays valid however far it is indented.
    pub(crate) fn manifest(&self) -> String {
        let mut text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: argosy-to-google\n  \
             namespace: {}\nspec:\n  podSelector:\n    matchLabels: {}\n  policyTypes: [Egress]\n  egress:\n  # DNS\n  - to:\n    \
             - namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: kube-system}}}}\n",
            self.controller.namespace,
            flow(&self.labels)
        );
        for range in RESOLVERS {
            writeln!(text, "    - ipBlock: {{cidr: {range}}}").expect("a string takes everything");
        }
        text.push_str("    ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]\n  # The metadata server\n");
        for (range, port) in self.metadata {
            writeln!(
                text,
                "  - to: [{{ipBlock: {{cidr: {range}}}}}]\n    ports: [{{protocol: TCP, port: {port}}}]"
            )
            .expect("a string takes everything");
        }
        text.push_str(
            "  # *.googleapis.com and *.pkg.dev\n  - to: [{ipBlock: {cidr: 0.0.0.0/0}}]\n    ports: [{protocol: TCP, port: 443}]\n",
        );
        text
    }
}

/// Writes labels on one line; JSON is YAML, and no label has a quote in it.
fn flow(labels: &Labels) -> String {
    let pairs = labels
        .iter()
        .map(|(key, value)| format!("\"{key}\": \"{value}\""));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}
