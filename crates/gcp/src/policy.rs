//! What is granted on a resource: allow policies, their members, and what roles carry.

mod access;
mod condition;
mod holders;
mod member;
mod near_miss;
mod roles;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use access::Access;
pub use member::{Member, PoolMember, PoolSubject};
pub use near_miss::{NearMiss, near_miss};
pub use roles::{
    Carries, CustomRoles, DOWNLOAD, MINT, OPEN_MINTER, READER, SIGN, TIGHT_MINTER, UPLOAD,
    is_basic, is_service_agent_role,
};

/// An allow policy, read and written at version 3.
///
/// Members of the JSON that are not known here are kept, so that writing a policy back loses nothing.
///
/// Source: <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    pub version: u8,
    /// Has to go back with every write; a write without it overwrites what others wrote meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audit_configs: Vec<AuditConfig>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}

/// One role for some members, perhaps under a condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Binding {
    pub role: String,
    pub members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// When a binding counts, in CEL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub expression: String,
}

/// Which calls of a service leave a line in the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditConfig {
    pub service: String,
    pub audit_log_configs: Vec<AuditLog>,
}

/// One kind of calls that are logged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditLog {
    pub log_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exempted_members: Vec<String>,
}

/// One member of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant<'policy> {
    pub role: &'policy str,
    pub text: &'policy str,
    pub member: Member,
    pub condition: Option<&'policy Condition>,
}

/// Whether a write changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Made,
    AlreadySo,
}

impl Policy {
    /// Lists every member of every binding.
    pub fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        self.bindings.iter().flat_map(|binding| {
            binding.members.iter().map(move |text| Grant {
                role: &binding.role,
                text,
                member: Member::parse(text),
                condition: binding.condition.as_ref(),
            })
        })
    }

    /// Says whether a member holds a role whatever the circumstances.
    pub fn grants_always(&self, role: &str, member: &str) -> bool {
        let wanted = Member::parse(member);
        self.grants()
            .any(|it| it.role == role && it.condition.is_none() && it.member == wanted)
    }

    /// Gives a role to a member, without a condition.
    pub fn add(&mut self, role: &str, member: &str) -> Change {
        if self.grants_always(role, member) {
            return Change::AlreadySo;
        }
        self.version = 3;
        let plain = |it: &&mut Binding| it.role == role && it.condition.is_none();
        match self.bindings.iter_mut().find(plain) {
            Some(binding) => binding.members.push(member.to_owned()),
            None => self.bindings.push(Binding {
                role: role.to_owned(),
                members: vec![member.to_owned()],
                condition: None,
            }),
        }
        Change::Made
    }

    /// Takes a role from a member, under whatever condition it is held.
    pub fn remove(&mut self, role: &str, member: &str) -> Change {
        let mut change = Change::AlreadySo;
        for binding in self.bindings.iter_mut().filter(|it| it.role == role) {
            let before = binding.members.len();
            binding.members.retain(|it| it != member);
            if binding.members.len() < before {
                change = Change::Made;
            }
        }
        self.bindings.retain(|it| !it.members.is_empty());
        if change == Change::Made {
            self.version = 3;
        }
        change
    }

    /// Says whether reads of a service leave a line in the audit log.
    pub fn logs_reads_of(&self, service: &str) -> bool {
        self.audit_configs
            .iter()
            .filter(|it| it.service == service || it.service == "allServices")
            .flat_map(|it| &it.audit_log_configs)
            .any(|it| it.log_type == "DATA_READ")
    }

    /// Lists which calls of one service are logged, and for whom not.
    pub fn logs_of(&self, service: &str) -> Vec<AuditLog> {
        let own = self.audit_configs.iter().filter(|it| it.service == service);
        own.flat_map(|it| it.audit_log_configs.clone()).collect()
    }

    /// Has reads of a service logged.
    pub fn log_reads_of(&mut self, service: &str) -> Change {
        if self.logs_reads_of(service) {
            return Change::AlreadySo;
        }
        let log = AuditLog {
            log_type: "DATA_READ".to_owned(),
            exempted_members: Vec::new(),
        };
        match self
            .audit_configs
            .iter_mut()
            .find(|it| it.service == service)
        {
            Some(config) => config.audit_log_configs.push(log),
            None => self.audit_configs.push(AuditConfig {
                service: service.to_owned(),
                audit_log_configs: vec![log],
            }),
        }
        Change::Made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = "serviceAccount:web@acme-gke.iam.gserviceaccount.com";

    fn policy() -> Policy {
        serde_json::from_value(serde_json::json!({
            "version": 1, "etag": "BwX1", "kept": {"as": "is"},
            "bindings": [
                {"role": "roles/viewer", "members": ["user:ann@example.com"]},
                {"role": "roles/viewer", "members": [MEMBER],
                 "condition": {"title": "soon over", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"}}
            ]
        }))
        .expect("a policy")
    }

    #[test]
    fn a_write_keeps_the_etag_and_what_it_does_not_know() {
        let mut policy = policy();
        assert_eq!(
            policy.add("roles/artifactregistry.reader", MEMBER),
            Change::Made
        );
        let written = serde_json::to_value(&policy).expect("JSON");
        assert_eq!(written["etag"], "BwX1");
        assert_eq!(written["kept"]["as"], "is");
        assert_eq!(written["version"], 3);
        assert_eq!(written["bindings"][1]["condition"]["title"], "soon over");
    }

    #[test]
    fn adding_the_same_member_twice_changes_nothing_more() {
        let mut policy = policy();
        assert_eq!(
            policy.add("roles/viewer", MEMBER),
            Change::Made,
            "a condition is no grant for ever"
        );
        let once = policy.clone();
        assert_eq!(policy.add("roles/viewer", MEMBER), Change::AlreadySo);
        assert_eq!(policy, once);
        assert_eq!(
            policy.bindings[0].members.len(),
            2,
            "it joins the plain binding"
        );
    }

    #[test]
    fn removing_takes_a_member_out_of_every_binding_of_the_role() {
        let mut policy = policy();
        policy.add("roles/viewer", MEMBER);
        assert_eq!(policy.remove("roles/viewer", MEMBER), Change::Made);
        assert_eq!(policy.bindings.len(), 1, "no empty binding is left");
        assert_eq!(policy.remove("roles/viewer", MEMBER), Change::AlreadySo);
    }

    #[test]
    fn audit_logs_are_switched_on_once() {
        let mut policy = policy();
        assert!(!policy.logs_reads_of("iam.googleapis.com"));
        assert_eq!(policy.log_reads_of("iam.googleapis.com"), Change::Made);
        assert_eq!(policy.log_reads_of("iam.googleapis.com"), Change::AlreadySo);
        assert!(policy.logs_reads_of("iam.googleapis.com"));
        assert!(!policy.logs_reads_of("sts.googleapis.com"));
    }
}
