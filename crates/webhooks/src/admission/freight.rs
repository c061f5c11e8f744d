//! Freight: its name is its contents, its alias is its own, and it stays while a Stage holds it.

use std::ops::ControlFlow;

use domain::availability::Row;
use domain::freight::moniker;
use domain::message::with_next;
use domain::validation::{self, Cause};
use jiff::Timestamp;
use kube::core::admission::Operation;
use resources::names::label;
use resources::{Freight, Stage, Warehouse};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Call, Warnings, edit, events};

/// How many names of two words are tried before a number is put behind one.
const ATTEMPTS: usize = 8;

pub(super) fn default(call: &Call<'_>, object: &mut Value) -> Result<(), Refusal> {
    let freight: Freight = super::parse(object)?;
    if call.is_create() {
        object["metadata"]["name"] = json!(freight.generate_name());
    }
    if freight.discovered_at.is_none() {
        let created = freight.metadata.creation_timestamp.as_ref().map(|it| it.0);
        object["discoveredAt"] = json!(written(created.unwrap_or(call.now)));
    }
    let mut alias = freight.alias;
    if alias.is_empty() && call.is_create() {
        alias = free_alias(call)?;
        object["alias"] = json!(alias);
    }
    edit::label(
        object,
        label::ALIAS,
        Some(alias.as_str()).filter(|it| !it.is_empty()),
    );
    Ok(())
}

/// A time as Kubernetes writes it, to the second.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn free_alias(call: &Call<'_>) -> Result<String, Refusal> {
    for _ in 0..ATTEMPTS {
        let alias = moniker(rand::random());
        if !is_taken(call, &alias, "")? {
            return Ok(alias);
        }
    }
    Ok(format!(
        "{}-{}",
        moniker(rand::random()),
        rand::random::<u32>()
    ))
}

/// Says whether Freight of another name has the alias.
fn is_taken(call: &Call<'_>, alias: &str, name: &str) -> Result<bool, Refusal> {
    let mut taken = false;
    call.freight()?
        .walk(call.namespace, Row::Alias(alias), &mut |it| {
            taken = it.name() != name;
            if taken {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    Ok(taken)
}

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    match call.operation() {
        Operation::Create => validate_create(call).await?,
        Operation::Update => validate_update(call).await?,
        Operation::Delete => validate_delete(call).await?,
        Operation::Connect => {}
    }
    Ok(Warnings::new())
}

async fn validate_create(call: &Call<'_>) -> Result<(), Refusal> {
    let freight: Freight = call.object()?;
    let warehouse: Option<Warehouse> = call
        .reader()
        .find(call.namespace, &freight.origin.name)
        .await?;
    let mut causes = validation::freight_contents(&freight, warehouse.as_ref());
    causes.extend(call.reader().project(call.namespace).await?);
    let is_label = is_label(&freight.alias);
    if !is_label {
        let why = "must be at most 63 letters, digits, dashes, underscores and dots, as a label is";
        causes.push(Cause::invalid("alias", &freight.alias, why));
    }
    // Freight of the same name is this Freight: that it exists is for the API to say.
    if is_label && is_taken(call, &freight.alias, freight.name())? {
        let why = "another piece of Freight in the project has this alias";
        causes.push(Cause::invalid("alias", &freight.alias, why));
    }
    Refusal::unless_empty(causes)
}

fn is_label(alias: &str) -> bool {
    let is_end = |it: Option<&u8>| it.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = alias.as_bytes();
    bytes.len() <= resources::names::LABEL_VALUE_MAX
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes
            .iter()
            .all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(it))
}

async fn validate_update(call: &Call<'_>) -> Result<(), Refusal> {
    let (old, new): (Freight, Freight) = (call.old_object()?, call.object()?);
    Refusal::unless_empty(validation::freight_change(&old, &new))?;
    if new.alias != old.alias {
        if !is_label(&new.alias) {
            let why =
                "must be at most 63 letters, digits, dashes, underscores and dots, as a label is";
            return Refusal::unless_empty(vec![Cause::invalid("alias", &new.alias, why)]);
        }
        if is_taken(call, &new.alias, new.name())? {
            return Err(Refusal::Conflict {
                message: with_next(
                    format!(
                        "another piece of Freight in the project has the alias {:?}",
                        new.alias
                    ),
                    format!(
                        "choose another, or see which it is: kubectl get freight --namespace {}",
                        call.namespace
                    ),
                ),
            });
        }
    }
    if !call.requester.is_control_plane() {
        let approved = new.status.iter().flat_map(|it| it.approved_for.keys());
        for stage in approved.filter(|it| !old.is_approved_for(it)) {
            let event = domain::event::freight_approved(&new, stage, &call.requester.actor());
            events::tell(call, "freight-webhook", event).await;
        }
    }
    Ok(())
}

/// Freight that a Stage holds now cannot be deleted. The Stages say so, since Freight hears of it a moment later.
async fn validate_delete(call: &Call<'_>) -> Result<(), Refusal> {
    let freight: Freight = call.old_object()?;
    let stages: Vec<Stage> = call.reader().list(call.namespace).await?;
    let holds = |it: &&Stage| {
        it.current_freight()
            .is_some_and(|it| it.includes(freight.name()))
    };
    let holders: Vec<String> = stages
        .iter()
        .filter(holds)
        .map(|it| format!("{:?}", it.name()))
        .collect();
    if holders.is_empty() {
        return Ok(());
    }
    Err(Refusal::Forbidden {
        message: with_next(
            format!(
                "Freight {:?} is in use by stages ({})",
                freight.name(),
                holders.join(", ")
            ),
            "promote other Freight into them, then delete it",
        ),
    })
}
