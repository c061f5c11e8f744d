//! Google Cloud: who we are, whose tokens we may have, and what is wrong when we may not.
//!
//! [`Identities`] gives tokens: the controller's own, a Project's service account's, a Kubernetes account's, a key's.
//! It remembers them, asks once however many wait, and says of every failure what it means ([`TokenError`]). Every
//! address is an argument ([`Endpoints`]), so is the time; nothing here reads the environment or knows of tests.

pub mod audit;
pub mod doctor;
pub mod facts;
pub mod network;
pub mod policy;
pub mod principal;
pub mod repository;
pub mod setup;

mod apis;
mod authorized_user;
mod cache;
mod endpoints;
mod error;
mod external_account;
mod fallback;
mod granted;
mod http;
mod iam_credentials;
mod identities;
mod impersonated_account;
#[cfg(test)]
mod loopback;
mod metadata;
mod redact;
mod refusal;
mod service_account_key;
mod sts;
mod token;

use std::sync::Arc;

use jiff::Timestamp;

pub use apis::{Apis, Service, Touch, shown};
pub use authorized_user::AuthorizedUser;
pub use endpoints::{EndpointError, Endpoints, HostError, is_on_this_machine, named_address};
pub use error::{Absence, Problem, TokenError};
pub use external_account::{ExternalAccount, FileError, subject_of};
pub use fallback::{Fallback, UnknownFallback};
pub use http::{Call, Observer};
pub use identities::{Base, Identities, Settings};
pub use impersonated_account::ImpersonatedAccount;
pub use metadata::{Glance, Metadata};
pub use service_account_key::{KeyError, ServiceAccountKey};
pub use sts::{NamespaceProvider, PoolProvider, Provider};
pub use token::{Identity, SIMULATED_TOKENS, Scope, Token};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
