//! Who may do what with a repository: reading, writing and trying its policy.

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY};
use crate::policies::{self, GetRequest, SetRequest, TestRequest};
use crate::registry::Registry;
use crate::registry::address::RepositoryName;

impl Registry {
    pub(super) fn get_policy(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.repositories.getIamPolicy", name)?;
        let version = GetRequest::default().version(call.query("options.requestedPolicyVersion"));
        Ok(policies::get(&self.google, &name.resource(), version))
    }

    pub(super) fn set_policy(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.repositories.setIamPolicy", name)?;
        policies::set(&self.google, &name.resource(), call.json::<SetRequest>()?)
    }

    /// Answers anybody with a token, also about a repository that does not exist: with nothing then.
    pub(super) fn test_permissions(&self, call: &Call, name: &RepositoryName) -> Answer {
        let caller = call.caller(&self.google, &[CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY])?;
        call.require_api(&self.google, &caller, &name.project)?;
        let request = call.json::<TestRequest>()?;
        Ok(policies::test(
            &self.google,
            &caller,
            &name.resource(),
            &request,
        ))
    }
}
