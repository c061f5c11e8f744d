//! What people change meanwhile: accounts, annotations and labels of a few Projects, here and at Google.

use anyhow::{Context as _, Result};
use credentials::google::{ACCOUNT, FALLBACK_ANNOTATION, Fallback};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rand::Rng as _;
use resources::Project;
use serde_json::json;
use testkit::google::account_of;

use super::day::Day;
use super::tenant::Account;

impl Day {
    /// Changes a few Projects, here and at Google.
    pub(super) async fn change(&mut self) -> Result<()> {
        for at in 0..self.tenants.len() {
            if !self.dice.random_bool(0.2) {
                continue;
            }
            match self.dice.random_range(0..8) {
                0..4 => self.change_account(at)?,
                4..6 => self.change_kubernetes_account(at).await?,
                6 => {
                    let policies = [Fallback::Allow, Fallback::IfAbsent, Fallback::Deny];
                    let policy = policies[self.dice.random_range(0..policies.len())];
                    self.annotate(at, policy).await?;
                }
                _ => self.change_label(at).await?,
            }
        }
        Ok(())
    }

    fn change_account(&mut self, at: usize) -> Result<()> {
        let throw = self.dice.random_range(0..10);
        match (self.tenants[at].account, throw) {
            (Account::Absent, 0..3) if self.tenants[at].deleted.is_some() => self.bring_back(at),
            (Account::Absent, _) => self.give_account(at),
            (Account::Usable, 0..4) => self.forbid(at),
            (Account::Usable, 4..6) => self.set_disabled(at, true),
            (Account::Disabled, 0..7) => self.set_disabled(at, false),
            (Account::Forbidden, 0..7) => self.allow(at),
            (Account::Usable | Account::Disabled | Account::Forbidden, _) => self.delete(at),
        }
    }

    /// Gives a Project an account that may be acted as and reads.
    pub(super) fn give_account(&mut self, at: usize) -> Result<()> {
        let now = self.clock.now();
        let tenant = &mut self.tenants[at];
        self.google.give_account(&tenant.name)?;
        tenant.granted = Some(now);
        tenant.becomes(Account::Usable, now);
        Ok(())
    }

    fn allow(&mut self, at: usize) -> Result<()> {
        let now = self.clock.now();
        let tenant = &mut self.tenants[at];
        self.google.let_controller_act_as(&tenant.name)?;
        tenant.granted = Some(now);
        tenant.becomes(Account::Usable, now);
        Ok(())
    }

    fn forbid(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        self.google.forbid_controller_to_act_as(&tenant.name)?;
        tenant.becomes(Account::Forbidden, self.clock.now());
        Ok(())
    }

    fn set_disabled(&mut self, at: usize, disabled: bool) -> Result<()> {
        let tenant = &mut self.tenants[at];
        let (google, email) = (self.google.google(), account_of(&tenant.name));
        let account = if disabled {
            google.disable_account(&email)?;
            Account::Disabled
        } else {
            google.enable_account(&email)?;
            Account::Usable
        };
        tenant.becomes(account, self.clock.now());
        Ok(())
    }

    /// Deletes an account, which can be brought back.
    fn delete(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        let (google, email) = (self.google.google(), account_of(&tenant.name));
        let unique_id = google.read(|world| {
            let found = world.service_account(&email);
            found.map(|(_, account)| account.unique_id.clone())
        });
        google.delete_account(&email)?;
        let unique_id = unique_id.context("an account that is there")?;
        tenant.deleted = Some((unique_id, tenant.account));
        tenant.becomes(Account::Absent, self.clock.now());
        Ok(())
    }

    /// Brings the account back that was last deleted, as it was.
    fn bring_back(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        let (unique_id, account) = tenant.deleted.take().context("a deleted account")?;
        self.google.google().undelete_account(&unique_id)?;
        tenant.becomes(account, self.clock.now());
        Ok(())
    }

    pub(super) async fn change_kubernetes_account(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        let accounts: Api<ServiceAccount> = Api::namespaced(self.world.client(), &tenant.name);
        if tenant.has_kubernetes_account {
            accounts.delete(ACCOUNT, &DeleteParams::default()).await?;
        } else {
            let account = serde_json::from_value(json!({"metadata": {"name": ACCOUNT}}))?;
            accounts.create(&PostParams::default(), &account).await?;
        }
        tenant.has_kubernetes_account = !tenant.has_kubernetes_account;
        Ok(())
    }

    pub(super) async fn annotate(&mut self, at: usize, policy: Fallback) -> Result<()> {
        let tenant = &mut self.tenants[at];
        tenant.annotation = policy;
        let patch = json!({"metadata": {"annotations": {FALLBACK_ANNOTATION: policy.to_string()}}});
        let projects: Api<Project> = Api::all(self.world.client());
        let parameters = PatchParams::default();
        projects
            .patch(&tenant.name, &parameters, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    async fn change_label(&mut self, at: usize) -> Result<()> {
        let tenant = &mut self.tenants[at];
        tenant.is_labelled = !tenant.is_labelled;
        let said = tenant.is_labelled.to_string();
        let patch = json!({"metadata": {"labels": {"kargo.akuity.io/project": said}}});
        let namespaces: Api<Namespace> = Api::all(self.world.client());
        let parameters = PatchParams::default();
        namespaces
            .patch(&tenant.name, &parameters, &Patch::Merge(patch))
            .await?;
        Ok(())
    }
}
