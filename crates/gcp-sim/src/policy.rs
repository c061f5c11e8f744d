//! Allow policies: who holds which role, how they are written down, and when a change begins to count.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::condition::Condition;

/// What a resource's policy says now, and what it said before its last changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Binding>", into = "Vec<Binding>")]
pub struct Policy {
    pub bindings: Vec<Binding>,
    pub audit_configs: Vec<Value>,
    /// Zero until the policy is first written.
    revision: u64,
    /// The oldest first.
    earlier: Vec<Earlier>,
}

/// Changes that are kept, so that each may take its own time to count; more often than that nobody writes meanwhile.
const MOST_CHANGES: usize = 32;

/// The bindings before a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    pub bindings: Vec<Binding>,
    pub until: Timestamp,
}

/// One role and who holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Binding {
    pub role: String,
    pub members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

impl From<Vec<Binding>> for Policy {
    fn from(bindings: Vec<Binding>) -> Self {
        let revision = u64::from(!bindings.is_empty());
        Self {
            bindings,
            audit_configs: Vec::new(),
            revision,
            earlier: Vec::new(),
        }
    }
}

impl From<Policy> for Vec<Binding> {
    fn from(policy: Policy) -> Self {
        policy.bindings
    }
}

impl Policy {
    /// The etag that a writer must send back. A policy that nobody ever wrote has `ACAB`.
    pub fn etag(&self) -> String {
        use base64::Engine as _;
        if self.revision == 0 {
            return "ACAB".to_owned();
        }
        let bytes = (0x0006_3f00_0000_0000 + self.revision).to_be_bytes();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    /// What the policy said before each of its last changes, the oldest first.
    pub fn earlier(&self) -> &[Earlier] {
        &self.earlier
    }

    /// Replaces the bindings.
    pub fn write(&mut self, bindings: Vec<Binding>, now: Timestamp) {
        let earlier = std::mem::replace(&mut self.bindings, bindings);
        self.bindings.retain(|binding| !binding.members.is_empty());
        if self.earlier.len() == MOST_CHANGES {
            self.earlier.remove(0);
        }
        self.earlier.push(Earlier {
            bindings: earlier,
            until: now,
        });
        self.revision += 1;
    }

    /// Replaces what says which calls are logged; who holds what stays as it was.
    pub fn write_audit_configs(&mut self, configs: Vec<Value>) {
        self.audit_configs = configs;
        self.revision += 1;
    }

    /// Adds a member to a role, unless it already has it without a condition.
    pub fn grant(&mut self, role: &str, member: &str, now: Timestamp) {
        let mut bindings = self.bindings.clone();
        let found = bindings
            .iter_mut()
            .find(|binding| binding.role == role && binding.condition.is_none());
        match found {
            Some(binding) if binding.members.iter().any(|held| held == member) => return,
            Some(binding) => binding.members.push(member.to_owned()),
            None => bindings.push(Binding {
                role: role.to_owned(),
                members: vec![member.to_owned()],
                condition: None,
            }),
        }
        self.write(bindings, now);
    }

    /// Takes a role from a member, with and without conditions.
    pub fn revoke(&mut self, role: &str, member: &str, now: Timestamp) {
        let mut bindings = self.bindings.clone();
        for binding in bindings.iter_mut().filter(|binding| binding.role == role) {
            binding.members.retain(|held| held != member);
        }
        self.write(bindings, now);
    }

    /// Renames a member everywhere, as IAM does when an account is deleted.
    pub fn rename_member(&mut self, from: &str, to: &str) {
        let earlier = self
            .earlier
            .iter_mut()
            .flat_map(|it| it.bindings.iter_mut());
        let members = self
            .bindings
            .iter_mut()
            .chain(earlier)
            .flat_map(|binding| binding.members.iter_mut());
        for member in members.filter(|member| *member == from) {
            to.clone_into(member);
        }
    }

    /// The policy in the version that a reader asked for: below 3, roles held under a condition get another name.
    ///
    /// Source: <https://cloud.google.com/iam/docs/policies#versions>
    pub fn to_json(&self, requested_version: u8) -> Value {
        let conditional = self.bindings.iter().any(|it| it.condition.is_some());
        let mut policy = BTreeMap::from([("etag", json!(self.etag()))]);
        let version = if conditional && requested_version >= 3 {
            3
        } else {
            1
        };
        policy.insert("version", json!(version));
        if !self.bindings.is_empty() {
            let bindings: Vec<Value> = self
                .bindings
                .iter()
                .map(|binding| binding.to_json(requested_version))
                .collect();
            policy.insert("bindings", json!(bindings));
        }
        if !self.audit_configs.is_empty() {
            policy.insert("auditConfigs", json!(self.audit_configs));
        }
        json!(policy)
    }
}

impl Binding {
    fn to_json(&self, requested_version: u8) -> Value {
        match &self.condition {
            Some(condition) if requested_version < 3 => {
                let hash = hex::encode(Sha256::digest(condition.expression()));
                let role = format!("{}_withcond_{}", self.role, &hash[..20]);
                json!({ "role": role, "members": self.members })
            }
            Some(_) | None => json!(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn every_write_changes_the_etag() {
        let mut policy = Policy::default();
        assert_eq!(policy.etag(), "ACAB");
        policy.grant("roles/viewer", "user:ann@acme.example", now());
        let first = policy.etag();
        policy.grant("roles/viewer", "user:bob@acme.example", now());
        assert_ne!(policy.etag(), first);
    }

    #[test]
    fn who_holds_what_and_what_is_logged_are_written_apart() {
        let mut policy = Policy::default();
        policy.grant("roles/viewer", "user:ann@acme.example", now());
        let before = policy.etag();
        policy.write_audit_configs(vec![json!({"service": "iam.googleapis.com"})]);
        assert_ne!(policy.etag(), before);
        let written = policy.to_json(3);
        assert_eq!(written["auditConfigs"][0]["service"], "iam.googleapis.com");
        assert_eq!(written["bindings"][0]["role"], "roles/viewer");
    }

    #[test]
    fn granting_twice_changes_nothing() {
        let mut policy = Policy::default();
        policy.grant("roles/viewer", "user:ann@acme.example", now());
        let once = policy.clone();
        policy.grant("roles/viewer", "user:ann@acme.example", now());
        assert_eq!(policy, once);
    }

    #[test]
    fn the_last_member_leaves_with_the_binding() {
        let mut policy = Policy::default();
        policy.grant("roles/viewer", "user:ann@acme.example", now());
        policy.revoke("roles/viewer", "user:ann@acme.example", now());
        assert_eq!(policy.bindings, []);
    }

    #[test]
    fn conditions_are_read_only_in_version_three() {
        let binding = json!({"role": "roles/viewer", "members": ["user:ann@acme.example"],
            "condition": {"title": "for a while", "expression": "request.time < timestamp(\"2027-01-01T00:00:00Z\")"}});
        let policy = Policy::from(vec![serde_json::from_value(binding.clone()).unwrap()]);
        assert_eq!(policy.to_json(3)["bindings"][0], binding);
        assert_eq!(policy.to_json(3)["version"], 3);
        let old = policy.to_json(1);
        let role = old["bindings"][0]["role"].as_str().unwrap();
        assert!(role.starts_with("roles/viewer_withcond_"), "{role}");
        assert_eq!(old["bindings"][0].get("condition"), None);
    }
}
