//! What the claims of a verified token become in the pool: a subject and attributes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::audience::{Mapping, Target};
use super::refusal::ExchangeRefusal;
use crate::principal::Federated;

/// Longer subjects are refused.
///
/// Source: <https://cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes>
const LONGEST_SUBJECT: usize = 127;

pub(super) fn of(target: &Target, claims: &Value) -> Result<Federated, ExchangeRefusal> {
    let workload = match &target.mapping {
        Mapping::Cluster { url } => of_cluster(target, url, claims),
        Mapping::Provider(mapping) => of_provider(target, mapping, claims),
    }
    .ok_or_else(ExchangeRefusal::subject_missing)?;
    if workload.subject.len() > LONGEST_SUBJECT {
        return Err(ExchangeRefusal::subject_too_long());
    }
    Ok(workload)
}

fn of_cluster(target: &Target, url: &str, claims: &Value) -> Option<Federated> {
    let account = claims["sub"]
        .as_str()?
        .strip_prefix("system:serviceaccount:")?;
    let (namespace, account) = account.split_once(':')?;
    let mut attributes = BTreeMap::from([("kubernetes.cluster".to_owned(), url.to_owned())]);
    if let Some(uid) = claims["kubernetes.io"]["serviceaccount"]["uid"].as_str() {
        attributes.insert("kubernetes.serviceaccount.uid".to_owned(), uid.to_owned());
    }
    Some(Federated::of_cluster(
        target.project_number,
        &target.pool,
        namespace,
        account,
        attributes,
    ))
}

fn of_provider(
    target: &Target,
    mapping: &BTreeMap<String, String>,
    claims: &Value,
) -> Option<Federated> {
    let subject = mapping
        .get("google.subject")
        .map_or("assertion.sub", String::as_str);
    let subject = claim(claims, subject).filter(|subject| !subject.is_empty())?;
    let attributes = mapping
        .iter()
        .filter(|(name, _)| *name != "google.subject")
        .filter_map(|(name, path)| Some((name.clone(), claim(claims, path)?)))
        .collect();
    Some(Federated {
        project_number: target.project_number,
        pool: target.pool.clone(),
        subject,
        attributes,
    })
}

/// Follows `assertion.sub` or `assertion['kubernetes.io']['namespace']`; anything cleverer maps to nothing.
fn claim(claims: &Value, path: &str) -> Option<String> {
    let mut rest = path.strip_prefix("assertion")?;
    let mut found = claims;
    while !rest.is_empty() {
        let (name, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (quoted, after) = inner.split_once(']')?;
            (quoted.trim_matches(['\'', '"']), after)
        } else {
            let inner = rest.strip_prefix('.')?;
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            inner.split_at(end)
        };
        found = found.get(name)?;
        rest = after;
    }
    found.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_found_by_dots_and_brackets() {
        let claims = json!({"sub": "s", "kubernetes.io": {"namespace": "argosy"}});
        for (path, found) in [
            ("assertion.sub", Some("s")),
            ("assertion['kubernetes.io']['namespace']", Some("argosy")),
            ("assertion['kubernetes.io'].namespace", Some("argosy")),
            ("assertion.aud", None),
            ("assertion.sub + 'x'", None),
        ] {
            assert_eq!(claim(&claims, path).as_deref(), found, "{path}");
        }
    }
}
