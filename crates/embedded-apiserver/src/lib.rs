//! A Kubernetes API without a cluster: objects in one file, watched, patched and admitted as an API server does it.

mod admission;
mod api;
pub mod apply;
mod body;
mod collector;
mod crds;
mod discovery;
mod expiry;
mod failure;
mod http;
mod kinds;
pub mod label;
mod listen;
mod negotiate;
pub mod patch;
mod pattern;
mod protobuf;
mod query;
mod routes;
mod rules;
mod schema;
mod selection;
pub mod selector;
pub mod shape;
mod store;
mod verbs;
mod watch;

pub use admission::{AdmissionHook, ReviewFn};
pub use api::{Clock, EmbeddedApi, InstallError, Options, all_operations};
pub use http::ApiService;
pub use k8s_openapi::api::authentication::v1::UserInfo;
pub use kinds::{Kind, KindTable};
pub use listen::{Listen, ListenError, Listening, Reach, read_or_create_token, write_private};
pub use redb::StorageBackend;
pub use store::{History, OpenError};
