//! The Kubernetes API server asks: may this be? Defaults first, then `domain::validation`.
//!
//! [`HOOKS`] says what is asked about; whoever runs the API server calls [`Admission::review`] for each. What is refused
//! comes with every cause at once. Nothing is remembered between two requests but the last ULID.

mod config;
mod edit;
mod events;
mod freight;
mod project;
mod promotion;
mod read;
mod refusal;
mod replicated;
mod requester;
mod stage;
mod steps;
mod task;
mod ulids;
mod warehouse;

use std::fmt;
use std::sync::Arc;

use domain::CacheByTagPolicy;
use domain::availability::FreightIndex;
use jiff::Timestamp;
use kube::Client;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation};
use resources::GROUP;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::read::Reader;
use self::refusal::Refusal;
use self::requester::Requester;
use self::ulids::Ulids;

/// A request as the API server sends it.
pub type Request = AdmissionRequest<DynamicObject>;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// When a hook is called: before the schema, when the object may be changed, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Default,
    Validate,
}

/// What the API server has to ask about.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    pub name: &'static str,
    pub phase: Phase,
    pub group: &'static str,
    /// Plurals, or `plural/subresource`.
    pub resources: &'static [&'static str],
    pub operations: &'static [Operation],
}

/// Everything the API server has to ask about.
pub const HOOKS: &[Hook] = &[
    Hook {
        name: "defaults.kargo.akuity.io",
        phase: Phase::Default,
        group: GROUP,
        resources: &["freights", "promotions", "stages", "warehouses"],
        operations: &[Operation::Create, Operation::Update],
    },
    Hook {
        name: "validation.kargo.akuity.io",
        phase: Phase::Validate,
        group: GROUP,
        resources: &[
            "clusterconfigs",
            "clusterpromotiontasks",
            "freights",
            "freights/status",
            "projectconfigs",
            "projects",
            "promotionrequests",
            "promotions",
            "promotiontasks",
            "stages",
            "warehouses",
        ],
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
    },
    Hook {
        name: "replicated.kargo.akuity.io",
        phase: Phase::Validate,
        group: "",
        resources: &["configmaps", "secrets"],
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
    },
];

/// Whose requests are special, and where the control plane lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the control plane's own objects.
    pub namespace: String,
    /// How it is decided who may promote.
    pub access: Access,
    /// Which image subscriptions may take their tags to stay where they are.
    pub cache_by_tag: CacheByTagPolicy,
}

/// How it is decided who may promote into a Stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever can write a Promotion may: the API has no roles, one token has every right.
    Unchecked,
    /// A `SubjectAccessReview` for the verb `promote` on the Stage.
    Reviewed,
}

/// Answers what the API server asks.
pub struct Admission {
    reader: Reader,
    freight: Arc<dyn FreightIndex>,
    settings: Settings,
    clock: Clock,
    ulids: Ulids,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One request with what its answer may need.
struct Call<'a> {
    admission: &'a Admission,
    request: &'a Request,
    requester: Requester,
    namespace: &'a str,
    now: Timestamp,
}

/// What is said along with a yes.
type Warnings = Vec<String>;

impl Admission {
    /// `client` reads what decisions rest on, and creates the Namespace of a Project; `freight` is looked up by rows.
    pub fn new(
        client: Client,
        freight: Arc<dyn FreightIndex>,
        settings: Settings,
        clock: Clock,
    ) -> Self {
        Self {
            reader: Reader::new(client),
            freight,
            settings,
            clock,
            ulids: Ulids::default(),
        }
    }

    /// Answers one request.
    pub async fn review(&self, phase: Phase, request: Request) -> AdmissionResponse {
        let call = Call {
            admission: self,
            request: &request,
            requester: Requester::new(&request.user_info, &self.settings.namespace),
            namespace: request.namespace.as_deref().unwrap_or_default(),
            now: (self.clock)(),
        };
        let response = AdmissionResponse::from(&request);
        let answer = match phase {
            Phase::Default => match call.default().await {
                // The schema comes next, and says which field is wrong; should it not, the validation reads the same.
                Err(Refusal::Malformed { .. }) => Ok((None, Warnings::new())),
                answer => answer.map(|patch| (patch, Warnings::new())),
            },
            Phase::Validate => call.validate().await.map(|warnings| (None, warnings)),
        };
        match answer {
            Ok((patch, warnings)) => refusal::allow(response, patch, warnings),
            Err(refusal) => refusal.deny(response, &request),
        }
    }
}

impl Call<'_> {
    /// Fills in what the user left out; gives the patch that does.
    async fn default(&self) -> Result<Option<json_patch::Patch>, Refusal> {
        let written = serde_json::to_value(&self.request.object).map_err(Refusal::malformed)?;
        let mut object = written.clone();
        match self.request.resource.resource.as_str() {
            "freights" => freight::default(self, &mut object)?,
            "promotions" => promotion::default(self, &mut object).await?,
            "stages" => stage::default(self, &mut object)?,
            "warehouses" => warehouse::default(&mut object),
            _ => {}
        }
        let patch = json_patch::diff(&written, &object);
        Ok((!patch.0.is_empty()).then_some(patch))
    }

    async fn validate(&self) -> Result<Warnings, Refusal> {
        match (
            self.request.resource.group.as_str(),
            self.request.resource.resource.as_str(),
        ) {
            ("", _) => replicated::validate(self).await,
            (_, "clusterconfigs") => config::validate_cluster(self),
            (_, "clusterpromotiontasks") => task::validate_cluster(self),
            (_, "freights") => freight::validate(self).await,
            (_, "projectconfigs") => config::validate_project(self).await,
            (_, "projects") => project::validate(self).await,
            (_, "promotionrequests") => promotion::validate_request(self).await,
            (_, "promotions") => promotion::validate(self).await,
            (_, "promotiontasks") => task::validate(self).await,
            (_, "stages") => stage::validate(self).await,
            (_, "warehouses") => warehouse::validate(self).await,
            (_, _) => Ok(Warnings::new()),
        }
    }

    fn reader(&self) -> &Reader {
        &self.admission.reader
    }

    /// Freight in rows, once all of it is known.
    fn freight(&self) -> Result<&dyn FreightIndex, Refusal> {
        let index = &*self.admission.freight;
        index.is_filled().then_some(index).ok_or(Refusal::Starting)
    }

    fn operation(&self) -> &Operation {
        &self.request.operation
    }

    fn cache_by_tag(&self) -> CacheByTagPolicy {
        self.admission.settings.cache_by_tag
    }

    fn is_create(&self) -> bool {
        self.request.operation == Operation::Create
    }

    /// The object as it would be stored.
    fn object<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let object = self.request.object.as_ref();
        parse(&serde_json::to_value(object).map_err(Refusal::malformed)?)
    }

    /// The object as it is stored.
    fn old_object<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let object = self.request.old_object.as_ref();
        parse(&serde_json::to_value(object).map_err(Refusal::malformed)?)
    }
}

fn parse<T: DeserializeOwned>(object: &Value) -> Result<T, Refusal> {
    T::deserialize(object).map_err(Refusal::malformed)
}
