//! What a project has beside repositories: locations, settings, operations that are always done.

use http::Method;
use serde_json::{Value, json};

use super::not_found;
use super::page::Page;
use crate::apis::Answer;
use crate::call::{Call, Enums};
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::resource::ResourceName;

/// The locations that every project has, beside those where the world has repositories.
const MULTI_REGIONS: [&str; 3] = ["asia", "europe", "us"];

impl Registry {
    pub(super) fn list_locations(&self, call: &Call, project: &str) -> Answer {
        self.allow(
            call,
            "artifactregistry.locations.list",
            &ResourceName::project(project),
        )?;
        let page = Page::parse(call)?;
        Ok(page.of("locations", &self.locations(), |location| {
            Some(location_of(project, location))
        }))
    }

    pub(super) fn location(&self, call: &Call, project: &str, location: &str) -> Answer {
        self.allow(
            call,
            "artifactregistry.locations.get",
            &ResourceName::project(project),
        )?;
        let known = self.locations().iter().any(|known| known == location);
        known
            .then(|| location_of(project, location))
            .ok_or_else(not_found)
    }

    /// Where the repositories of Container Registry went: here they always went to Artifact Registry.
    pub(super) fn project_settings(&self, call: &Call, project: &str) -> Answer {
        if call.method != Method::GET {
            return Err(Refusal::not_simulated(
                "cannot change the settings of a project",
            ));
        }
        self.allow(
            call,
            "artifactregistry.projectsettings.get",
            &ResourceName::project(project),
        )?;
        let state = match call.enums() {
            Enums::Names => json!("REDIRECTION_FROM_GCR_IO_FINALIZED"),
            Enums::Numbers => json!(3),
        };
        Ok(
            json!({"name": format!("projects/{project}/projectSettings"), "legacyRedirectionState": state}),
        )
    }

    /// Operations end before they are heard of.
    pub(super) fn operation(&self, call: &Call, project: &str) -> Answer {
        self.allow(
            call,
            "artifactregistry.repositories.list",
            &ResourceName::project(project),
        )?;
        let name = call.path.trim_start_matches("/v1/");
        Ok(json!({"name": name, "done": true}))
    }

    fn locations(&self) -> Vec<String> {
        let mut locations: Vec<String> = self.google.read(|world| {
            let repositories = world
                .projects
                .iter()
                .flat_map(|project| &project.repositories);
            let own = repositories.map(|repository| repository.location.clone());
            own.chain(MULTI_REGIONS.map(str::to_owned)).collect()
        });
        locations.sort();
        locations.dedup();
        locations
    }
}

fn location_of(project: &str, location: &str) -> Value {
    json!({"name": format!("projects/{project}/locations/{location}"), "locationId": location})
}
