//! Replaces tasks by their steps, with variables filled in: what makes a Promotion self-contained.

use resources::{PromotionStep, TaskReference, TaskSpec, Variable};

/// Why steps could not be made self-contained.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InflateError {
    #[error("{kind} {name:?} does not exist; apply it, then create the Promotion again")]
    UnknownTask { kind: String, name: String },
    #[error(
        "missing value for variable {variable:?} of {kind} {task:?}; give it one in the Stage's vars"
    )]
    MissingValue {
        kind: String,
        task: String,
        variable: String,
    },
    #[error("two steps are called {alias:?}")]
    SameName { alias: String },
    #[error(
        "conditions {outer:?} and {inner:?} cannot be combined: each must be one expression in ${{{{ }}}}"
    )]
    Condition { outer: String, inner: String },
}

/// Lists the tasks that steps name, so that they can be fetched before [`inflate`].
pub fn references(steps: &[PromotionStep]) -> impl Iterator<Item = &TaskReference> {
    steps.iter().filter_map(|step| step.task.as_ref())
}

/// Replaces every task among `steps` by the steps of the task, and gives every step a name.
///
/// `promotion_vars` are the variables of the Stage and its template; `find` gives what a reference names.
///
/// # Errors
/// [`InflateError::UnknownTask`] when `find` has none, [`InflateError::MissingValue`] when a task's variable has neither
/// a default nor a value, [`InflateError::SameName`] when two steps would share their outputs.
pub fn inflate<'a>(
    steps: &[PromotionStep],
    promotion_vars: &[Variable],
    find: impl Fn(&TaskReference) -> Option<&'a TaskSpec>,
) -> Result<Vec<PromotionStep>, InflateError> {
    let mut inflated: Vec<PromotionStep> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let alias = step.name_at(index);
        match &step.task {
            None => inflated.push(PromotionStep {
                alias,
                ..step.clone()
            }),
            Some(reference) => {
                let task = find(reference).ok_or_else(|| InflateError::UnknownTask {
                    kind: kind_of(reference),
                    name: reference.name.clone(),
                })?;
                let vars = task_vars(reference, task, step, promotion_vars)?;
                for (index, inner) in task.steps.iter().enumerate() {
                    inflated.push(PromotionStep {
                        alias: format!("{alias}::{}", inner.name_at(index)),
                        condition: both(&step.condition, &inner.condition)?,
                        vars: vars.iter().chain(&inner.vars).cloned().collect(),
                        ..inner.clone()
                    });
                }
            }
        }
    }
    for (index, step) in inflated.iter().enumerate() {
        if inflated[..index]
            .iter()
            .any(|earlier| earlier.alias == step.alias)
        {
            return Err(InflateError::SameName {
                alias: step.alias.clone(),
            });
        }
    }
    Ok(inflated)
}

/// The variables that every step of a task begins with: the task's defaults, then what the step that uses it sets.
fn task_vars(
    reference: &TaskReference,
    task: &TaskSpec,
    step: &PromotionStep,
    promotion_vars: &[Variable],
) -> Result<Vec<Variable>, InflateError> {
    let has_value = |vars: &[Variable], name: &str| {
        vars.iter()
            .any(|it| it.name == name && !it.value.is_empty())
    };
    let mut vars = Vec::new();
    for variable in &task.vars {
        let set_outside = has_value(promotion_vars, &variable.name);
        if variable.value.is_empty() && !set_outside && !has_value(&step.vars, &variable.name) {
            return Err(InflateError::MissingValue {
                kind: kind_of(reference),
                task: reference.name.clone(),
                variable: variable.name.clone(),
            });
        }
        if !set_outside && !variable.value.is_empty() {
            vars.push(variable.clone());
        }
    }
    vars.extend(step.vars.iter().cloned());
    Ok(vars)
}

/// A condition that holds where both do; an empty one says nothing.
fn both(outer: &str, inner: &str) -> Result<String, InflateError> {
    let expression = |text: &str| {
        let inside = text.trim().strip_prefix("${{")?.strip_suffix("}}")?;
        (!inside.contains("${{") && !inside.contains("}}")).then(|| inside.trim().to_owned())
    };
    match (outer.trim(), inner.trim()) {
        ("", it) | (it, "") => Ok(it.to_owned()),
        (outer, inner) => match (expression(outer), expression(inner)) {
            (Some(outer), Some(inner)) => Ok(format!("${{{{ ({outer}) && ({inner}) }}}}")),
            (None, _) | (_, None) => Err(InflateError::Condition {
                outer: outer.to_owned(),
                inner: inner.to_owned(),
            }),
        },
    }
}

fn kind_of(reference: &TaskReference) -> String {
    format!("{:?}", reference.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(uses: &str, alias: &str) -> PromotionStep {
        PromotionStep {
            uses: uses.to_owned(),
            alias: alias.to_owned(),
            ..PromotionStep::default()
        }
    }

    fn uses_task(alias: &str, vars: Vec<Variable>) -> PromotionStep {
        let task = Some(TaskReference {
            name: "build".to_owned(),
            kind: None,
        });
        PromotionStep {
            task,
            vars,
            ..step("", alias)
        }
    }

    fn task(vars: Vec<Variable>, steps: Vec<PromotionStep>) -> TaskSpec {
        TaskSpec { vars, steps }
    }

    #[track_caller]
    fn check(
        steps: &[PromotionStep],
        vars: &[Variable],
        task: &TaskSpec,
        expected: Result<&[&str], &str>,
    ) {
        let written = inflate(steps, vars, |_| Some(task)).map(|steps| {
            let write = |step: &PromotionStep| {
                let vars: Vec<_> = step
                    .vars
                    .iter()
                    .map(|it| format!("{}={}", it.name, it.value))
                    .collect();
                format!("{} {} {}", step.alias, step.uses, vars.join(","))
                    .trim()
                    .to_owned()
            };
            steps.iter().map(write).collect::<Vec<_>>()
        });
        let expected =
            expected.map(|lines| lines.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(
            written.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn steps_without_a_name_are_named_by_their_place() {
        let inner = task(Vec::new(), vec![step("copy", ""), step("fail", "stop")]);
        let steps = [
            step("git-clone", ""),
            uses_task("", Vec::new()),
            step("fail", "end"),
            uses_task("x", Vec::new()),
        ];
        let expected = [
            "step-1 git-clone",
            "task-2::step-1 copy",
            "task-2::stop fail",
            "end fail",
            "x::step-1 copy",
            "x::stop fail",
        ];
        check(&steps, &[], &inner, Ok(&expected));
    }

    #[test]
    fn a_step_of_a_task_sees_defaults_then_the_uses_values_then_its_own() {
        let mut own = step("copy", "");
        own.vars = vec![Variable::new("c", "3")];
        let inner = task(
            vec![Variable::new("a", "1"), Variable::new("b", "")],
            vec![own],
        );
        let uses = uses_task("t", vec![Variable::new("b", "2")]);
        check(
            std::slice::from_ref(&uses),
            &[],
            &inner,
            Ok(&["t::step-1 copy a=1,b=2,c=3"]),
        );
        check(
            &[uses],
            &[Variable::new("a", "9")],
            &inner,
            Ok(&["t::step-1 copy b=2,c=3"]),
        );
    }

    #[test]
    fn a_variable_of_a_task_needs_a_value_from_somewhere() {
        let inner = task(vec![Variable::new("a", "")], vec![step("copy", "")]);
        let missing = Err(
            "missing value for variable \"a\" of PromotionTask \"build\"; give it one in the Stage's vars",
        );
        check(&[uses_task("t", Vec::new())], &[], &inner, missing);
        check(
            &[uses_task("t", vec![Variable::new("a", "")])],
            &[],
            &inner,
            missing,
        );
        check(
            &[uses_task("t", Vec::new())],
            &[Variable::new("a", "1")],
            &inner,
            Ok(&["t::step-1 copy"]),
        );
    }

    #[test]
    fn two_steps_of_one_name_are_refused() {
        check(
            &[step("copy", "a"), step("copy", "a")],
            &[],
            &TaskSpec::default(),
            Err("two steps are called \"a\""),
        );
    }

    #[test]
    fn a_task_that_does_not_exist_is_named() {
        let error = inflate(&[uses_task("t", Vec::new())], &[], |_| None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "PromotionTask \"build\" does not exist; apply it, then create the Promotion again"
        );
    }

    #[test]
    fn the_condition_of_a_task_holds_for_each_of_its_steps() {
        assert_eq!(both("", "${{ a }}").as_deref(), Ok("${{ a }}"));
        assert_eq!(both("${{ a }}", "").as_deref(), Ok("${{ a }}"));
        assert_eq!(
            both("${{ a || b }}", "${{ c }}").as_deref(),
            Ok("${{ (a || b) && (c) }}")
        );
        assert!(both("yes ${{ a }}", "${{ c }}").is_err());
    }
}
