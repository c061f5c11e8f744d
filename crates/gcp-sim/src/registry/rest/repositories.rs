//! Repositories: looking at them, making them, changing and deleting them.

use http::Method;
use serde_json::{Map, Value, json};

use super::not_found;
use super::page::Page;
use crate::apis::Answer;
use crate::call::{Call, Enums};
use crate::org_policy;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry::address::RepositoryName;
use crate::resource::ResourceName;
use crate::world::Repository;

const KIND: &str = "type.googleapis.com/google.devtools.artifactregistry.v1.Repository";

/// The numbers of formats.
///
/// Source: <https://github.com/googleapis/googleapis/blob/master/google/devtools/artifactregistry/v1/repository.proto>
const FORMATS: &[(&str, u8)] = &[
    ("DOCKER", 1),
    ("MAVEN", 2),
    ("NPM", 3),
    ("APT", 5),
    ("YUM", 6),
    ("PYTHON", 8),
    ("KFP", 9),
    ("GO", 10),
    ("GENERIC", 11),
    ("RUBY", 12),
];

/// The numbers of modes.
const MODES: &[(&str, u8)] = &[
    ("STANDARD_REPOSITORY", 1),
    ("VIRTUAL_REPOSITORY", 2),
    ("REMOTE_REPOSITORY", 3),
];

impl Registry {
    /// The repositories of a location; of all locations where that is `-`, which is assumed.
    pub(super) fn repositories(&self, call: &Call, project: &str, location: &str) -> Answer {
        match call.method {
            Method::GET => self.list_repositories(call, project, location),
            Method::POST => self.create_repository(call, project, location),
            _ => Err(Refusal::no_such_route(&call.path)),
        }
    }

    pub(super) fn one_repository(&self, call: &Call, name: &RepositoryName) -> Answer {
        match (&call.method, call.verb.as_deref()) {
            (&Method::GET, None) => self.get_repository(call, name),
            (&Method::PATCH, None) => self.patch_repository(call, name),
            (&Method::DELETE, None) => self.delete_repository(call, name),
            (&Method::GET, Some("getIamPolicy")) => self.get_policy(call, name),
            (&Method::POST, Some("setIamPolicy")) => self.set_policy(call, name),
            (&Method::POST, Some("testIamPermissions")) => self.test_permissions(call, name),
            _ => Err(Refusal::no_such_route(&call.path)),
        }
    }

    fn list_repositories(&self, call: &Call, project: &str, location: &str) -> Answer {
        self.allow(
            call,
            "artifactregistry.repositories.list",
            &ResourceName::project(project),
        )?;
        let (page, id) = (Page::parse(call)?, self.id_of(project));
        let here = |repository: &&Repository| location == "-" || repository.location == location;
        let found: Vec<Repository> = self.google.read(|world| {
            let all = world
                .project(project)
                .into_iter()
                .flat_map(|project| &project.repositories);
            all.filter(here).cloned().collect()
        });
        Ok(page.of("repositories", &found, |repository| {
            Some(to_json(&id, repository, call.enums()))
        }))
    }

    fn get_repository(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.repositories.get", name)?;
        let json = self.repository(name, |repository| {
            to_json(&name.project, repository, call.enums())
        });
        json.ok_or_else(not_found)
    }

    fn create_repository(&self, call: &Call, project: &str, location: &str) -> Answer {
        self.allow(
            call,
            "artifactregistry.repositories.create",
            &ResourceName::project(project),
        )?;
        let id = call.query("repositoryId").unwrap_or_default();
        let name = RepositoryName {
            project: self.id_of(project),
            location: location.to_owned(),
            repository: id.to_owned(),
        };
        if !is_repository_id(id) {
            return Err(Refusal::invalid_field(
                "repository_id",
                format!("invalid repository id: {id:?}"),
            ));
        }
        if self.exists(&name) {
            return Err(Refusal::already_exists("the repository already exists"));
        }
        self.google
            .read(|world| org_policy::check_location(world, &name.project, location))?;
        let mut repository = Repository {
            name: name.repository.clone(),
            location: name.location.clone(),
            ..Repository::default()
        };
        set_fields(&mut repository, call.json::<Map<String, Value>>()?, None)?;
        let created = to_json(&name.project, &repository, call.enums());
        self.google.change(|world| {
            let project = world.project_mut(&name.project).ok_or_else(not_found)?;
            project.repositories.push(repository);
            Ok(())
        })?;
        Ok(operation(&name, Some(created)))
    }

    fn patch_repository(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.repositories.update", name)?;
        let (fields, mask) = (call.json::<Map<String, Value>>()?, call.query("updateMask"));
        self.google.change(|world| {
            let repository = world.repository_mut(&name.project, &name.location, &name.repository);
            let repository = repository.ok_or_else(not_found)?;
            set_fields(repository, fields, mask)?;
            Ok(to_json(&name.project, repository, call.enums()))
        })
    }

    fn delete_repository(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.repositories.delete", name)?;
        self.google.change(|world| {
            if let Some(project) = world.project_mut(&name.project) {
                let is_it =
                    |own: &Repository| own.location == name.location && own.name == name.repository;
                project.repositories.retain(|own| !is_it(own));
            }
        });
        self.content.store.forget(name);
        Ok(operation(name, None))
    }
}

/// Source: <https://cloud.google.com/artifact-registry/docs/repositories/create-repos>
fn is_repository_id(id: &str) -> bool {
    let is_inner = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
    };
    id.len() <= 63
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && !id.ends_with('-')
        && id.bytes().all(is_inner)
}

/// Takes over fields of a request: all, or those that an update mask names.
fn set_fields(
    repository: &mut Repository,
    fields: Map<String, Value>,
    mask: Option<&str>,
) -> Result<(), Refusal> {
    let in_mask = |name: &str| {
        mask.is_none_or(|mask| {
            mask.split(',').any(|path| {
                path == "*"
                    || path
                        .split('.')
                        .next()
                        .is_some_and(|path| camel(path) == name)
            })
        })
    };
    for (name, value) in fields.into_iter().filter(|(name, _)| in_mask(name)) {
        match name.as_str() {
            "name" | "createTime" | "updateTime" | "registryUri" | "sizeBytes" => {}
            "format" => repository.format = enum_name(FORMATS, &name, &value)?,
            "mode" => repository.mode = enum_name(MODES, &name, &value)?,
            "dockerConfig" => repository.immutable_tags = value["immutableTags"] == json!(true),
            _ => {
                repository.settings.insert(name, value);
            }
        }
    }
    Ok(())
}

/// `docker_config` and `dockerConfig` name the same field in a mask.
fn camel(path: &str) -> String {
    let mut words = path.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let (head, rest) = word.split_at(word.len().min(1));
        name.push_str(&head.to_ascii_uppercase());
        name.push_str(rest);
        name
    })
}

fn to_json(project: &str, repository: &Repository, enums: Enums) -> Value {
    let name = RepositoryName {
        project: project.to_owned(),
        location: repository.location.clone(),
        repository: repository.name.clone(),
    };
    let mut fields = repository.settings.clone();
    let mut set = |field: &str, value: Value| fields.insert(field.to_owned(), value);
    set("name", json!(name.to_string()));
    set("format", enum_value(FORMATS, &repository.format, enums));
    set("mode", enum_value(MODES, &repository.mode, enums));
    set("registryUri", json!(name.registry_uri()));
    if repository.immutable_tags {
        set("dockerConfig", json!({"immutableTags": true}));
    }
    Value::Object(fields)
}

fn enum_value(numbers: &[(&str, u8)], name: &str, enums: Enums) -> Value {
    let number = numbers
        .iter()
        .find(|(own, _)| *own == name)
        .map(|(_, number)| *number);
    match (enums, number) {
        (Enums::Numbers, Some(number)) => json!(number),
        _ => json!(name),
    }
}

fn enum_name(numbers: &[(&str, u8)], field: &str, value: &Value) -> Result<String, Refusal> {
    let is_it = |(name, number): &&(&str, u8)| value == *name || *value == json!(number);
    let known = numbers
        .iter()
        .find(is_it)
        .map(|(name, _)| (*name).to_owned());
    known.ok_or_else(|| {
        Refusal::invalid_field(field, format!("Invalid value at '{field}', {value}"))
    })
}

/// A long-running operation that is done already.
fn operation(name: &RepositoryName, created: Option<Value>) -> Value {
    let RepositoryName {
        project, location, ..
    } = name;
    let id = hex::encode(rand::random::<[u8; 16]>());
    let mut response =
        created.unwrap_or_else(|| json!({"@type": "type.googleapis.com/google.protobuf.Empty"}));
    if response.get("name").is_some() {
        response["@type"] = json!(KIND);
    }
    json!({
        "name": format!("projects/{project}/locations/{location}/operations/{id}"),
        "metadata": {"@type": "type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata"},
        "done": true,
        "response": response,
    })
}

#[cfg(test)]
mod tests {
    use super::{camel, is_repository_id};

    #[test]
    fn a_mask_may_spell_fields_either_way() {
        assert_eq!(camel("docker_config"), "dockerConfig");
        assert_eq!(camel("dockerConfig"), "dockerConfig");
    }

    #[test]
    fn a_repository_id_is_a_lower_case_word() {
        assert!(["apps", "gcr.io", "a-1"].into_iter().all(is_repository_id));
        assert!(
            !["", "Apps", "1a", "a-", "a/b", &"a".repeat(64)]
                .into_iter()
                .any(is_repository_id)
        );
    }
}
