//! Changing the world at run time, in sentences: `google.grant(role, member, resource)`.

use super::Google;
use crate::resource::ResourceName;
use crate::world::ServiceAccount;

/// There is nothing of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulated world has no {what}")]
pub struct NotInWorld {
    what: String,
}

impl NotInWorld {
    fn new(what: impl std::fmt::Display) -> Self {
        Self {
            what: what.to_string(),
        }
    }

    pub fn hint(&self) -> &'static str {
        "look at what there is with: curl http://ADMIN/world"
    }
}

impl Google {
    /// Gives a role on a resource to a member.
    pub fn grant(
        &self,
        role: &str,
        member: &str,
        resource: &ResourceName,
    ) -> Result<(), NotInWorld> {
        let now = self.now();
        self.change(|world| {
            let policy = world
                .policy_mut(resource)
                .ok_or_else(|| NotInWorld::new(resource))?;
            policy.grant(role, member, now);
            Ok(())
        })
    }

    /// Takes a role on a resource from a member.
    pub fn revoke(
        &self,
        role: &str,
        member: &str,
        resource: &ResourceName,
    ) -> Result<(), NotInWorld> {
        let now = self.now();
        self.change(|world| {
            let policy = world
                .policy_mut(resource)
                .ok_or_else(|| NotInWorld::new(resource))?;
            policy.revoke(role, member, now);
            Ok(())
        })
    }

    /// Enables an API in a project.
    pub fn enable_api(&self, project: &str, service: &str) -> Result<(), NotInWorld> {
        self.change(|world| {
            let project = world
                .project_mut(project)
                .ok_or_else(|| NotInWorld::new(format!("project {project}")))?;
            project.services.insert(service.to_owned());
            Ok(())
        })
    }

    /// Disables an API in a project.
    pub fn disable_api(&self, project: &str, service: &str) -> Result<(), NotInWorld> {
        self.change(|world| {
            let project = world
                .project_mut(project)
                .ok_or_else(|| NotInWorld::new(format!("project {project}")))?;
            project.services.remove(service);
            Ok(())
        })
    }

    /// Makes an account and gives its email. One of the same name that lived before is somebody else.
    pub fn create_account(&self, project: &str, name: &str) -> Result<String, NotInWorld> {
        self.change(|world| {
            let project = world
                .project_mut(project)
                .ok_or_else(|| NotInWorld::new(format!("project {project}")))?;
            let email = project.email_of(name);
            let lives = project
                .service_accounts
                .iter()
                .filter(|account| account.email == email)
                .count();
            let generation = u32::try_from(lives).unwrap_or(u32::MAX);
            project.service_accounts.push(ServiceAccount {
                name: name.to_owned(),
                unique_id: ServiceAccount::unique_id_of(&email, generation),
                email: email.clone(),
                generation,
                ..ServiceAccount::default()
            });
            Ok(email)
        })
    }

    /// Deletes an account. Policies keep it as `deleted:serviceAccount:…?uid=…`, which means nobody.
    pub fn delete_account(&self, email: &str) -> Result<(), NotInWorld> {
        self.change(|world| {
            let account = world
                .service_account_mut(email)
                .ok_or_else(|| NotInWorld::new(format!("service account {email}")))?;
            account.deleted = true;
            let (from, to) = account.members();
            world.rename_member(&from, &to);
            Ok(())
        })
    }

    /// Brings an account back, with what it held.
    pub fn undelete_account(&self, unique_id: &str) -> Result<(), NotInWorld> {
        self.change(|world| {
            let account = world
                .projects
                .iter_mut()
                .flat_map(|project| &mut project.service_accounts)
                .find(|account| account.deleted && account.unique_id == unique_id)
                .ok_or_else(|| NotInWorld::new(format!("deleted service account {unique_id}")))?;
            account.deleted = false;
            let (to, from) = account.members();
            world.rename_member(&from, &to);
            Ok(())
        })
    }

    /// Notes that a key was used just now.
    pub(crate) fn note_key(&self, email: &str, id: &str) {
        let now = self.now();
        self.change(|world| {
            let keys = world
                .service_account_mut(email)
                .map(|account| account.keys.iter_mut());
            for key in keys.into_iter().flatten().filter(|key| key.id == id) {
                key.last_used = Some(now);
            }
        });
    }

    pub fn disable_account(&self, email: &str) -> Result<(), NotInWorld> {
        self.set_disabled(email, true)
    }

    pub fn enable_account(&self, email: &str) -> Result<(), NotInWorld> {
        self.set_disabled(email, false)
    }

    fn set_disabled(&self, email: &str, disabled: bool) -> Result<(), NotInWorld> {
        self.change(|world| {
            let account = world
                .service_account_mut(email)
                .ok_or_else(|| NotInWorld::new(format!("service account {email}")))?;
            account.disabled = disabled;
            Ok(())
        })
    }
}
