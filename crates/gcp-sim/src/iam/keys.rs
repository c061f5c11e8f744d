//! Keys of service accounts: the one that Google keeps, and those that people take home.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::At;
use crate::apis::Answer;
use crate::call::Enums;
use crate::keys::SigningKey;
use crate::org_policy;
use crate::refusal::Refusal;
use crate::world::{Key, KeyOrigin};

/// Keys that one account may have.
///
/// Source: <https://cloud.google.com/iam/quotas>
const MOST_KEYS: usize = 10;

pub(super) fn answer(at: &At<'_>, rest: &[&str]) -> Answer {
    match (&at.call.method, rest, at.call.verb.as_deref()) {
        (&Method::GET, [], None) => list(at),
        (&Method::POST, [], None) => create(at),
        (&Method::GET, [id], None) => {
            at.may("iam.serviceAccountKeys.get")?;
            change(at, id, |_| {})
        }
        (&Method::DELETE, [id], None) => delete(at, id),
        (&Method::POST, [id], Some("disable")) => {
            at.may("iam.serviceAccountKeys.disable")?;
            change(at, id, |key| key.disabled = true).map(|_| json!({}))
        }
        (&Method::POST, [id], Some("enable")) => {
            at.may("iam.serviceAccountKeys.enable")?;
            change(at, id, |key| key.disabled = false).map(|_| json!({}))
        }
        _ => Err(Refusal::no_such_route(&at.call.path)),
    }
}

fn list(at: &At<'_>) -> Answer {
    at.may("iam.serviceAccountKeys.list")?;
    let wanted = at.call.query_all("keyTypes");
    let any =
        |kinds: [&str; 2]| wanted.is_empty() || kinds.iter().any(|kind| wanted.contains(kind));
    let mut keys = Vec::new();
    if any(["SYSTEM_MANAGED", "2"]) {
        let id = at.google.keys().google().id.clone();
        let key = Key {
            id,
            created: at.google.now(),
            ..Key::default()
        };
        keys.push(to_json(
            at,
            &key,
            &at.call.enums().write("SYSTEM_MANAGED", 2),
        ));
    }
    if any(["USER_MANAGED", "1"]) {
        let own = at.google.read(|world| {
            let account = world.service_account(at.email());
            account.map_or_else(Vec::new, |(_, account)| account.keys.clone())
        });
        keys.extend(own.iter().map(|key| to_json(at, key, &user_managed(at))));
    }
    Ok(if keys.is_empty() {
        json!({})
    } else {
        json!({ "keys": keys })
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Create {
    /// Only Google's own credential files are made.
    private_key_type: Option<Value>,
    key_algorithm: Option<Value>,
}

fn create(at: &At<'_>) -> Answer {
    at.may("iam.serviceAccountKeys.create")?;
    let Create {
        private_key_type,
        key_algorithm: _,
    } = at.call.json()?;
    if private_key_type.is_some_and(|it| it == "TYPE_PKCS12_FILE" || it == 1) {
        return Err(Refusal::not_simulated(
            "keys are made as TYPE_GOOGLE_CREDENTIALS_FILE only",
        ));
    }
    let constraint = at.google.read(|world| {
        [
            "iam.disableServiceAccountKeyCreation",
            "iam.managed.disableServiceAccountKeyCreation",
        ]
        .into_iter()
        .find(|constraint| org_policy::enforced(world, at.project(), constraint))
    });
    if constraint.is_some() {
        return Err(Refusal::failed_precondition(
            "Key creation is not allowed on this service account.",
        ));
    }
    let pair = SigningKey::generate();
    let key = Key {
        id: pair.id.clone(),
        created: at.google.now(),
        public: Some(pair.jwk()),
        ..Key::default()
    };
    let full = at.google.change(|world| {
        let account = world.service_account_mut(at.email())?;
        let full = account.keys.len() >= MOST_KEYS;
        if !full {
            account.keys.push(key.clone());
        }
        Some(full)
    });
    if full.unwrap_or(true) {
        return Err(Refusal::failed_precondition(
            "Maximum number of keys on account reached.",
        ));
    }
    let mut answer = to_json(at, &key, &user_managed(at));
    answer["privateKeyType"] = at.call.enums().write("TYPE_GOOGLE_CREDENTIALS_FILE", 2);
    answer["privateKeyData"] = json!(STANDARD.encode(key_file(at, &pair).to_string()));
    Ok(answer)
}

/// What is taken home. Its addresses are Google's own; a client that is to reach the simulator replaces `token_uri`.
fn key_file(at: &At<'_>, pair: &SigningKey) -> Value {
    let unique_id = at.google.read(|world| {
        let account = world.service_account(at.email());
        account.map_or_else(String::new, |(_, account)| account.unique_id.clone())
    });
    json!({
        "type": "service_account", "project_id": at.project(), "private_key_id": pair.id,
        "private_key": pair.pem(), "client_email": at.email(), "client_id": unique_id,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": at.google.read(|world| world.universe().to_owned()),
    })
}

fn delete(at: &At<'_>, id: &str) -> Answer {
    at.may("iam.serviceAccountKeys.delete")?;
    change(at, id, |_| {})?;
    at.google.change(|world| {
        if let Some(account) = world.service_account_mut(at.email()) {
            account.keys.retain(|key| key.id != id);
        }
    });
    Ok(json!({}))
}

/// Changes a key and shows it.
fn change(at: &At<'_>, id: &str, change: impl FnOnce(&mut Key)) -> Answer {
    let key = at.google.change(|world| {
        let account = world.service_account_mut(at.email())?;
        let key = account.keys.iter_mut().find(|key| key.id == id)?;
        change(key);
        Some(key.clone())
    });
    let key =
        key.ok_or_else(|| Refusal::not_found(format!("Service account key {id} does not exist.")))?;
    Ok(to_json(at, &key, &user_managed(at)))
}

fn user_managed(at: &At<'_>) -> Value {
    at.call.enums().write("USER_MANAGED", 1)
}

fn to_json(at: &At<'_>, key: &Key, kind: &Value) -> Value {
    let enums: Enums = at.call.enums();
    let origin = match key.origin {
        KeyOrigin::UserProvided => enums.write("USER_PROVIDED", 1),
        KeyOrigin::GoogleProvided => enums.write("GOOGLE_PROVIDED", 2),
    };
    let day = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let end = key.created + SignedDuration::from_hours(24 * 365 * 8);
    let mut answer = json!({
        "name": format!("projects/{}/serviceAccounts/{}/keys/{}", at.project(), at.email(), key.id),
        "keyAlgorithm": enums.write("KEY_ALG_RSA_2048", 2), "keyOrigin": origin, "keyType": kind,
        "validAfterTime": day(key.created), "validBeforeTime": day(end),
    });
    if key.disabled {
        answer["disabled"] = json!(true);
    }
    answer
}
