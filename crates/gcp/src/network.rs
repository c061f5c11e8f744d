//! Network policies, in the form of the Kubernetes API, and what they let leave a Pod.
//!
//! Policies add up: a Pod that none selects may reach everything, one that some select reaches what any of those lets
//! through. Policies of other kinds (Cilium's, GKE's by host name) are not known here.
//!
//! Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

mod block;
mod selector;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

pub use block::{Block, BlockError, Range};
pub use selector::{Labels, Operator, Requirement, Selector};

/// One policy; every field is the API's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NetworkPolicy {
    pub metadata: Named,
    pub spec: Spec,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Named {
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    pub pod_selector: Selector,
    pub policy_types: Vec<String>,
    pub egress: Option<Vec<Rule>>,
}

/// What a policy lets out; no port is every port, and nobody to go to is everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rule {
    pub ports: Vec<Port>,
    pub to: Vec<Peer>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    pub protocol: Protocol,
    pub port: Option<PortName>,
    /// The last of a range that begins with `port`.
    pub end_port: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
    Sctp,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PortName {
    Number(u16),
    /// What the Pods that are reached call it.
    Name(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Peer {
    pub ip_block: Option<Block>,
    pub pod_selector: Option<Selector>,
    pub namespace_selector: Option<Selector>,
}

/// Somewhere that a Pod wants to go.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Outside of the cluster's Pods.
    Address(IpAddr),
    /// A Pod of another namespace, whose address is not known.
    Pod {
        labels: &'a Labels,
        namespace: &'a Labels,
    },
}

/// What a Pod asks for: a protocol and a port, with the name that the other end may give it.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub protocol: Protocol,
    pub port: u16,
    pub name: &'static str,
}

impl NetworkPolicy {
    /// Says whether it restricts what leaves a Pod with these labels.
    ///
    /// Without `policyTypes` a policy is about what leaves if it has rules for that.
    pub fn restricts(&self, labels: &Labels) -> bool {
        let Spec {
            pod_selector,
            policy_types,
            egress,
        } = &self.spec;
        let is_about_egress = match policy_types.as_slice() {
            [] => egress.is_some(),
            types => types.iter().any(|it| it == "Egress"),
        };
        is_about_egress && pod_selector.selects(labels)
    }

    /// Says whether one of its rules lets through.
    pub fn lets(&self, way: Way, target: Target<'_>) -> bool {
        let mut rules = self.spec.egress.iter().flatten();
        rules.any(|it| it.has(way, target) && it.leads_to(target))
    }

    /// Says whether it lets this way through to anything of the same kind: to some address, or to some Pod.
    pub fn lets_somewhere(&self, way: Way, target: Target<'_>) -> bool {
        let mut rules = self.spec.egress.iter().flatten();
        rules.any(|it| it.has(way, target) && it.leads_somewhere(target))
    }
}

impl Rule {
    fn has(&self, way: Way, target: Target<'_>) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|it| it.covers(way, target))
    }

    fn leads_to(&self, target: Target<'_>) -> bool {
        self.to.is_empty() || self.to.iter().any(|it| it.includes(target))
    }

    fn leads_somewhere(&self, target: Target<'_>) -> bool {
        let is_pod = matches!(target, Target::Pod { .. });
        let mut peers = self.to.iter();
        is_pod || self.to.is_empty() || peers.any(|it| it.ip_block.is_some())
    }
}

impl Port {
    fn covers(&self, way: Way, target: Target<'_>) -> bool {
        let fits = match (&self.port, self.end_port) {
            (None, _) => true,
            (Some(PortName::Number(first)), last) => {
                (*first..=last.unwrap_or(*first)).contains(&way.port)
            }
            // Addresses have no names for their ports.
            (Some(PortName::Name(name)), _) => {
                matches!(target, Target::Pod { .. }) && name == way.name
            }
        };
        self.protocol == way.protocol && fits
    }
}

impl Peer {
    fn includes(&self, target: Target<'_>) -> bool {
        match (target, &self.ip_block) {
            (Target::Address(address), Some(block)) => block.contains(address),
            (Target::Address(_), None) => false,
            (Target::Pod { .. }, Some(block)) => block.is_everything(),
            // Pods of the policy's own namespace are not those of another.
            (Target::Pod { labels, namespace }, None) => {
                let named = self.namespace_selector.as_ref();
                let in_namespace = named.is_some_and(|it| it.selects(namespace));
                let selected = self.pod_selector.as_ref();
                in_namespace && selected.is_none_or(|it| it.selects(labels))
            }
        }
    }
}

/// What is known of the network of the controller's Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodNetwork {
    /// None where the controller has no Pod.
    pub labels: Option<BTreeMap<String, String>>,
    /// All policies of its namespace.
    pub policies: Vec<NetworkPolicy>,
}

impl PodNetwork {
    /// Lists the policies that restrict what leaves the Pod.
    pub fn restricting(&self) -> Vec<&NetworkPolicy> {
        let Some(labels) = &self.labels else {
            return Vec::new();
        };
        self.policies
            .iter()
            .filter(|it| it.restricts(labels))
            .collect()
    }
}
