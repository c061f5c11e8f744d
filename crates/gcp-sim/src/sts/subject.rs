//! What the claims of a verified token become in the pool: a subject and attributes, if the provider lets them in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::audience::{Mapping, Target};
use super::refusal::ExchangeRefusal;
use crate::cel::{Expression, Names};
use crate::principal::Federated;

/// Longer subjects are refused.
///
/// Source: <https://cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes>
const LONGEST_SUBJECT: usize = 127;

pub(super) fn of(target: &Target, claims: &Value) -> Result<Federated, ExchangeRefusal> {
    let workload = match &target.mapping {
        Mapping::Cluster { url } => of_cluster(target, url, claims),
        Mapping::Provider { attributes, .. } => of_provider(target, attributes, claims),
    }
    .ok_or_else(ExchangeRefusal::subject_missing)?;
    if workload.subject.len() > LONGEST_SUBJECT {
        return Err(ExchangeRefusal::subject_too_long());
    }
    if let Mapping::Provider {
        condition: Some(condition),
        ..
    } = &target.mapping
    {
        let names = Names::with_mapped(claims, &workload.subject, &mapped(&workload));
        if !condition.holds(&names) {
            return Err(ExchangeRefusal::condition_failed());
        }
    }
    Ok(workload)
}

/// The attributes as a condition sees them: `attribute.team` is `team` of `attribute`.
fn mapped(workload: &Federated) -> Value {
    let own = workload.attributes.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("attribute.")?;
        Some((name.to_owned(), json!(value)))
    });
    Value::Object(own.collect())
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
    mapping: &BTreeMap<String, Expression>,
    claims: &Value,
) -> Option<Federated> {
    let names = Names::of_claims(claims);
    let text = |expression: &Expression| match expression.evaluate(&names) {
        Ok(Value::String(text)) => Some(text),
        Ok(_) | Err(_) => None,
    };
    let subject = match mapping.get("google.subject") {
        Some(expression) => text(expression),
        None => claims["sub"].as_str().map(str::to_owned),
    };
    let subject = subject.filter(|subject| !subject.is_empty())?;
    let attributes = mapping
        .iter()
        .filter(|(name, _)| *name != "google.subject")
        .filter_map(|(name, expression)| Some((name.clone(), text(expression)?)))
        .collect();
    Some(Federated {
        project_number: target.project_number,
        pool: target.pool.clone(),
        subject,
        attributes,
    })
}
