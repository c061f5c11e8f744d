//! A Kubernetes API without a cluster: objects in one file, watched, patched and admitted as an API server does it.
//!
//! ```text
//! kube::Client ─ in process ─┐
//! kubectl ─ https, token ─ listen ─→ http ─→ verbs ─→ admission, schema, rules ─→ store ─→ one redb file
//!                            routes, negotiate ↲        patch, apply ↲              │ every change
//!                                                    watch, collector, expiry ←─────┘
//! ```
//!
//! Start at [`EmbeddedApi`]; a request's way begins in `http`. Reads never wait for the disk, and a write that was answered
//! is on it.

mod admission;
mod api;
pub mod apply;
mod body;
mod collector;
mod crds;
mod discovery;
mod duplicates;
mod expiry;
mod failure;
mod http;
mod json_path;
mod kinds;
pub mod label;
mod listen;
mod negotiate;
mod openapi;
pub mod patch;
mod pattern;
mod protobuf;
mod query;
mod reviews;
mod routes;
mod rules;
pub mod schema;
mod selection;
pub mod selector;
pub mod shape;
mod store;
mod table;
mod tokens;
mod verbs;
mod watch;

pub use admission::{AdmissionHook, ReviewFn};
pub use api::{Clock, EmbeddedApi, InstallError, Options, all_operations};
pub use failure::FieldCause;
pub use http::ApiService;
pub use k8s_openapi::api::authentication::v1::UserInfo;
pub use kinds::{Kind, KindTable};
pub use listen::{Listen, ListenError, Listening, Reach, read_or_create_token, write_private};
pub use redb::StorageBackend;
pub use store::{History, OpenError};
