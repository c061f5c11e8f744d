//! IAM Service Account Credentials: tokens, ID tokens and signatures in the name of a service account.
//!
//! The order of checks is what recorded answers imply: who asks, is the API enabled, does the account exist, may they.
//!
//! Sources: <https://cloud.google.com/iam/docs/reference/credentials/rest>,
//! <https://github.com/google-github-actions/auth/issues/471>

mod lifetime;
mod relay;
mod sign;

use http::Method;
use jiff::{SignedDuration, Timestamp, Unit};
use serde::Deserialize;
use serde_json::json;

use crate::apis::Answer;
use crate::call::Call;
use crate::faults::Effect;
use crate::google::{CLOUD_PLATFORM, Caller, Google};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

pub(crate) use relay::{Unanswered, ask};
pub(crate) use sign::{IdClaims, own_identity_token};

/// What a token must be good for to be allowed here at all.
const SCOPES: &[&str] = &[CLOUD_PLATFORM, "https://www.googleapis.com/auth/iam"];

const GET_ACCESS_TOKEN: &str = "iam.serviceAccounts.getAccessToken";

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let [
        "v1",
        "projects",
        project,
        "serviceAccounts",
        account,
        rest @ ..,
    ] = parts.as_slice()
    else {
        return Err(Refusal::no_such_route(&call.path));
    };
    let caller = call.caller(google, SCOPES)?;
    if *project != "-" {
        return Err(Refusal::invalid_argument(
            "Request contains an invalid argument.",
        ));
    }
    require_api(google, call, &caller, account)?;
    match (&call.method, rest, call.verb.as_deref()) {
        (&Method::POST, [], Some("generateAccessToken")) => {
            generate_access_token(google, call, &caller, account)
        }
        (&Method::POST, [], Some("generateIdToken")) => {
            sign::generate_id_token(google, call, &caller, account)
        }
        (&Method::POST, [], Some("signJwt")) => sign::sign_jwt(google, call, &caller, account),
        (&Method::POST, [], Some("signBlob")) => sign::sign_blob(google, call, &caller, account),
        (&Method::GET, ["allowedLocations"], None) => {
            exists(google, account)?;
            Ok(json!({ "locations": [], "encodedLocations": "0x0" }))
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// The API must be enabled where the caller comes from; which project pays for a federated caller is assumed.
fn require_api(
    google: &Google,
    call: &Call,
    caller: &Caller,
    account: &str,
) -> Result<(), Refusal> {
    if let Some(project) = call.user_project(google, caller)? {
        return call.require_api_in(google, caller, &project);
    }
    let home = google.home_of(caller.principal()).or_else(|| {
        let owner = |world: &World| {
            let (project, _) = world.service_account(account)?;
            Some(project.id.clone())
        };
        google.read(owner)
    });
    home.map_or(Ok(()), |project| {
        call.require_api_in(google, caller, &project)
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct GenerateAccessToken {
    delegates: Vec<String>,
    scope: Vec<String>,
    lifetime: Option<String>,
}

fn generate_access_token(google: &Google, call: &Call, caller: &Caller, account: &str) -> Answer {
    let body: GenerateAccessToken = call.json()?;
    if body.scope.is_empty() {
        return Err(Refusal::invalid_field("scope", "Scope required."));
    }
    let lifetime = lifetime::parse(body.lifetime.as_deref())?;
    let request = TokenRequest {
        account,
        delegates: &body.delegates,
        scopes: &body.scope,
        lifetime,
    };
    let chain = caller.token().map_or(&[][..], |token| &token.chain);
    let Grant { token, expires_at } = mint(google, caller.principal(), chain, &request)?;
    let whole = expires_at.round(Unit::Second).unwrap_or(expires_at);
    Ok(
        json!({ "accessToken": token, "expireTime": whole.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }),
    )
}

/// A token that somebody wants to have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRequest<'a> {
    /// Email or unique id.
    pub(crate) account: &'a str,
    pub(crate) delegates: &'a [String],
    pub(crate) scopes: &'a [String],
    pub(crate) lifetime: SignedDuration,
}

/// A token, and when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
}

/// Makes a token of an account, if the caller may.
pub(crate) fn mint(
    google: &Google,
    caller: &Principal,
    chain: &[Principal],
    request: &TokenRequest<'_>,
) -> Result<Grant, Refusal> {
    let email = exists(google, request.account)?;
    let chain = may(
        google,
        caller,
        chain,
        request.delegates,
        &email,
        GET_ACCESS_TOKEN,
    )?;
    lifetime::check(google, request.lifetime, &email)?;
    let scopes = request
        .scopes
        .iter()
        .map(|scope| known_scope(scope))
        .collect::<Result<Vec<_>, _>>()?;
    let principal = Principal::service_account(&email);
    let expires_at = google.now() + request.lifetime;
    let token = google.issue(principal, scopes, request.lifetime, chain);
    Ok(Grant { token, expires_at })
}

/// Finds an account by email or unique id, and gives its email.
fn exists(google: &Google, account: &str) -> Result<String, Refusal> {
    let missing = |effect: &Effect| matches!(effect, Effect::GsaMissing);
    if google.fault_about(account, missing).is_some() {
        return Err(Refusal::account_not_found(account));
    }
    google
        .read(|world| {
            world
                .service_account(account)
                .map(|(_, it)| it.email.clone())
        })
        .ok_or_else(|| Refusal::account_not_found(account))
}

/// Lets each of the chain pass who may act as the next; gives the chain of the token that comes out.
fn may(
    google: &Google,
    caller: &Principal,
    chain: &[Principal],
    delegates: &[String],
    email: &str,
    permission: &str,
) -> Result<Vec<Principal>, Refusal> {
    let denied =
        |effect: &Effect| matches!(effect, Effect::GsaDenied | Effect::BindingRevoked { .. });
    if google.fault_about(email, denied).is_some() {
        return Err(Refusal::permission_denied(permission));
    }
    let mut chain = chain.to_vec();
    let mut actor = caller.clone();
    for delegate in delegates {
        let name = delegate
            .strip_prefix("projects/-/serviceAccounts/")
            .unwrap_or(delegate);
        let next = exists(google, name)?;
        act_as(
            google,
            &actor,
            &next,
            "iam.serviceAccounts.implicitDelegation",
        )?;
        chain.push(std::mem::replace(
            &mut actor,
            Principal::service_account(&next),
        ));
    }
    act_as(google, &actor, email, permission)?;
    chain.push(actor);
    let off = |effect: &Effect| matches!(effect, Effect::GsaDisabled);
    let disabled = google.read(|world| {
        world
            .service_account(email)
            .is_some_and(|(_, it)| it.disabled)
    });
    if disabled || google.fault_about(email, off).is_some() {
        return Err(Refusal::account_disabled(email));
    }
    Ok(chain)
}

fn act_as(
    google: &Google,
    actor: &Principal,
    email: &str,
    permission: &str,
) -> Result<(), Refusal> {
    let resource = google.read(|world| {
        let (project, account) = world.service_account(email)?;
        Some(ResourceName::service_account(&project.id, &account.email))
    });
    let allowed = resource.is_some_and(|it| google.has_permission(actor, permission, &it));
    if allowed {
        return Ok(());
    }
    Err(Refusal::permission_denied(permission))
}

/// An empty scope counts as the widest; what is no scope at all is refused.
fn known_scope(scope: &str) -> Result<String, Refusal> {
    match scope {
        "" => Ok(CLOUD_PLATFORM.to_owned()),
        "openid" | "email" | "profile" => Ok(scope.to_owned()),
        _ if scope.starts_with("https://www.googleapis.com/auth/") => Ok(scope.to_owned()),
        _ => Err(Refusal::invalid_argument(
            "Request contains an invalid argument.",
        )),
    }
}
