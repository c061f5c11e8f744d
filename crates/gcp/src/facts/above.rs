//! The policies of what stands above a project: whatever is granted there counts below too.

use super::{Facts, Gap, Reading, Source};
use crate::policy::Policy;
use crate::principal::ProjectId;

impl Facts {
    /// Lists what stands above a project, each with its policy as far as that was read.
    ///
    /// # Errors
    /// [`Gap`] where nobody could list what there is.
    pub(crate) fn policies_above(
        &self,
        project: &ProjectId,
    ) -> Result<Vec<(String, Reading<Policy>)>, Gap> {
        if self.home.known().is_ok_and(|it| it.project == *project) {
            let own = self.ancestor_policies.iter();
            return Ok(own.map(|(name, it)| (name.clone(), it.clone())).collect());
        }
        let names = self.above.get(project).ok_or_else(|| Gap {
            source: Source::default(),
            why: format!("what is above projects/{project} could not be listed"),
            skipped: false,
        })?;
        let policy = |name: &String| {
            let shared = self.ancestor_policies.get(name);
            let found = shared.or_else(|| self.registry_ancestor_policies.get(name));
            (name.clone(), found.cloned().unwrap_or_default())
        };
        Ok(names.iter().map(policy).collect())
    }
}
