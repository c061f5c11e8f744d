//! Service Usage: which APIs are enabled, and enabling them. Here it takes no time; a fault can make it take some, or fail.
//!
//! Source: <https://cloud.google.com/service-usage/docs/reference/rest>

use std::collections::BTreeSet;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apis::Answer;
use crate::call::{self, Call};
use crate::google::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY, Google, Progress};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::service::Service;
use crate::world::World;

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let caller = call.caller(google, &[CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY])?;
    let ["v1", "projects", project, "services", rest @ ..] = parts.as_slice() else {
        return match (&call.method, parts.as_slice()) {
            (&Method::GET, ["v1", "operations", name]) => Ok(show(name, google.progress(name))),
            _ => Err(Refusal::no_such_route(&call.path)),
        };
    };
    let found = google.read(|world| world.project(project).map(|it| (it.id.clone(), it.number)));
    let (id, number) = found.ok_or_else(Refusal::caller_does_not_have_permission)?;
    call.require_api(google, &caller, &id)?;
    let resource = ResourceName::project(&id);
    let may = |permission: &str| google.require(&caller, permission, &resource);
    let project = At {
        google,
        call,
        id: &id,
        number,
    };
    match (&call.method, rest, call.verb.as_deref()) {
        (&Method::GET, [], None) => {
            may("serviceusage.services.list")?;
            project.list()
        }
        (&Method::GET, [], Some("batchGet")) => {
            may("serviceusage.services.get")?;
            project.batch_get()
        }
        (&Method::GET, [service], None) => {
            may("serviceusage.services.get")?;
            Ok(project.service(service))
        }
        (&Method::POST, [], Some("batchEnable")) => {
            may("serviceusage.services.enable")?;
            project.batch_enable()
        }
        (&Method::POST, [service], Some("enable")) => {
            may("serviceusage.services.enable")?;
            let shown = project.shown(service, true);
            let response = response("EnableServiceResponse", json!({ "service": shown }));
            Ok(project.switch(&[(*service).to_owned()], true, response))
        }
        (&Method::POST, [service], Some("disable")) => {
            may("serviceusage.services.disable")?;
            let shown = project.shown(service, false);
            let response = response("DisableServiceResponse", json!({ "service": shown }));
            Ok(project.switch(&[(*service).to_owned()], false, response))
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// What an operation is called that had nothing to do.
const NOTHING_DONE: &str = "noop.DONE_OPERATION";

/// Services that one call may enable, and look at.
const MOST_ENABLED: usize = 20;
const MOST_SHOWN: usize = 30;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct BatchEnable {
    service_ids: Vec<String>,
}

struct At<'a> {
    google: &'a Google,
    call: &'a Call,
    id: &'a str,
    number: u64,
}

impl At<'_> {
    fn enabled(&self) -> BTreeSet<String> {
        self.google.read(|world| {
            let project = world.project(self.id);
            project.map_or_else(BTreeSet::new, |project| project.services.clone())
        })
    }

    fn service(&self, name: &str) -> Value {
        self.shown(name, self.enabled().contains(name))
    }

    fn shown(&self, name: &str, enabled: bool) -> Value {
        let enums = self.call.enums();
        let state = if enabled {
            enums.write("ENABLED", 2)
        } else {
            enums.write("DISABLED", 1)
        };
        json!({
            "name": format!("projects/{}/services/{name}", self.number),
            "parent": format!("projects/{}", self.number), "state": state,
            "config": { "name": name, "title": Service::title_of(name) },
        })
    }

    fn list(&self) -> Answer {
        let filter = self.call.query("filter").unwrap_or_default();
        let known = Service::hosts().map(str::to_owned);
        let names: BTreeSet<String> = match filter {
            "state:ENABLED" => self.enabled(),
            "state:DISABLED" => known.filter(|it| !self.enabled().contains(it)).collect(),
            "" => known.chain(self.enabled()).collect(),
            _ => return Err(Refusal::invalid_field("filter", "Invalid filter.")),
        };
        let services = names.iter().map(|name| self.service(name)).collect();
        let (services, next) = call::page::<Value>(services, self.call.page(50, 200)?);
        let mut answer = json!({});
        if !services.is_empty() {
            answer["services"] = json!(services);
        }
        if let Some(next) = next {
            answer["nextPageToken"] = json!(next);
        }
        Ok(answer)
    }

    fn batch_get(&self) -> Answer {
        let names = self.call.query_all("names");
        if names.len() > MOST_SHOWN {
            return Err(Refusal::invalid_field(
                "names",
                "At most 30 services can be fetched at once.",
            ));
        }
        let services: Vec<Value> = names
            .iter()
            .filter_map(|name| name.rsplit('/').next())
            .map(|name| self.service(name))
            .collect();
        Ok(json!({ "services": services }))
    }

    /// Enables or disables APIs, all or none of them, by an operation.
    fn switch(&self, services: &[String], on: bool, response: Value) -> Value {
        let enabled = self.enabled();
        if services.iter().all(|it| enabled.contains(it) == on) {
            return show(NOTHING_DONE, Progress::Done(Some(response)));
        }
        let random = hex::encode(rand::random::<[u8; 8]>());
        let name = format!("acf.p2-{}-{random}", self.number);
        let about: Vec<String> = services
            .iter()
            .map(|it| format!("projects/{}/services/{it}", self.id))
            .collect();
        let (id, services) = (self.id.to_owned(), services.to_vec());
        let change = move |world: &mut World| {
            if let Some(project) = world.project_mut(&id) {
                for service in services {
                    if on {
                        project.services.insert(service);
                    } else {
                        project.services.remove(&service);
                    }
                }
            }
        };
        let about = about.join(" ");
        let progress = self.google.operate(&name, &about, response, change);
        show(&name, progress)
    }

    fn batch_enable(&self) -> Answer {
        let BatchEnable { service_ids } = self.call.json()?;
        if service_ids.is_empty() || service_ids.len() > MOST_ENABLED {
            let text = "Between 1 and 20 services can be enabled at once.";
            return Err(Refusal::invalid_field("serviceIds", text));
        }
        let services: Vec<Value> = service_ids.iter().map(|it| self.shown(it, true)).collect();
        let services = json!({ "services": services });
        let response = response("BatchEnableServicesResponse", services);
        Ok(self.switch(&service_ids, true, response))
    }
}

/// What an operation leads to.
fn response(kind: &str, mut fields: Value) -> Value {
    let kind = format!("type.googleapis.com/google.api.serviceusage.v1.{kind}");
    fields["@type"] = json!(kind);
    fields
}

fn show(name: &str, progress: Progress) -> Value {
    let mut operation = json!({ "name": format!("operations/{name}") });
    match progress {
        Progress::Running => {}
        Progress::Done(response) => {
            operation["done"] = json!(true);
            operation["response"] = response.unwrap_or_else(|| json!({}));
        }
        Progress::Failed(failure) => {
            operation["done"] = json!(true);
            operation["error"] = failure.to_json();
        }
    }
    operation
}
