//! What expressions in a promotion see, and how conditions and configurations are evaluated.
//!
//! Evaluation itself is synchronous. Where an expression asks for something outside, all such calls are answered at once
//! and it is evaluated again, until nothing is missing. One [`Evaluation`] is one attempt at a step: what it read once it
//! does not read again, so an object cannot change in the middle.

use std::collections::BTreeMap;

use expr::{Budget, Call, CallError, Environment, Memo, Record, Value, template};
use futures::future::try_join_all;
use jiff::{Timestamp, tz::TimeZone};
use resources::{StepExecution, StepStatus, Variable};
use serde_json::{Map, Value as Json};

use crate::{
    context::Context,
    functions::{self, Reader},
    progress::{Progress, is_failing},
    run::Run,
};

/// How often one template may ask for more after it was answered.
const MOST_ROUNDS: usize = 64;

/// Why an expression has no value.
#[derive(Debug)]
pub(crate) enum EvaluationError {
    /// Asking again cannot help.
    Wrong(String),
    /// What it asks for cannot be read now.
    Unavailable(String),
}

/// The expressions of one attempt at a step.
pub(crate) struct Evaluation<'a> {
    run: &'a Run,
    index: usize,
    cx: &'a Context,
    outputs: Map<String, Json>,
    executions: Vec<StepExecution>,
    reader: Reader<'a>,
    memo: futures::lock::Mutex<Memo>,
}

impl<'a> Evaluation<'a> {
    /// Looks at how far the promotion came; later changes are not seen.
    pub(crate) fn new(run: &'a Run, index: usize, progress: &Progress, cx: &'a Context) -> Self {
        Self {
            run,
            index,
            cx,
            outputs: progress.outputs(),
            executions: progress
                .step_execution_metadata
                .iter()
                .take(index)
                .cloned()
                .collect(),
            reader: Reader::new(run, cx),
            memo: futures::lock::Mutex::default(),
        }
    }

    /// Says whether the step is to run; without a condition it runs unless an earlier one went wrong.
    pub(crate) async fn condition(&self) -> Result<bool, EvaluationError> {
        let condition = &self.run.steps[self.index].condition;
        if condition.is_empty() {
            return Ok(!self.failing());
        }
        let variables = self.variables().await?;
        let value = self
            .settle(
                |scope, budget| template::evaluate_string(condition, scope, budget),
                &variables,
                Functions::All,
            )
            .await?;
        let not_bool = || EvaluationError::Wrong(format!("{condition:?} is not true or false"));
        value.as_bool().ok_or_else(not_bool)
    }

    /// The configuration of the step with its expressions evaluated.
    pub(crate) async fn config(&self) -> Result<Json, EvaluationError> {
        let Some(config) = &self.run.steps[self.index].config else {
            return Ok(Json::Object(Map::new()));
        };
        let variables = self.variables().await?;
        self.settle(
            |scope, budget| template::evaluate_tree(config, scope, budget),
            &variables,
            Functions::All,
        )
        .await
    }

    /// All that an expression of the step can name: the promotion's variables, then the step's, each seeing those before.
    async fn variables(&self) -> Result<BTreeMap<String, Value>, EvaluationError> {
        let step = &self.run.steps[self.index];
        let mut seen = BTreeMap::from([("ctx".to_owned(), self.ctx())]);
        let mut vars = BTreeMap::new();
        self.add_vars(&self.run.vars, &mut vars, &mut seen).await?;
        seen.insert(
            "outputs".to_owned(),
            Value::from(Json::Object(self.outputs.clone())),
        );
        seen.insert("stepMetas".to_owned(), self.step_metas());
        if let Some((task, _)) = step.alias.split_once("::") {
            let prefix = format!("{task}::");
            let of_task = self
                .outputs
                .iter()
                .filter_map(|(alias, output)| Some((alias.strip_prefix(&prefix)?, output)));
            let outputs: Map<String, Json> = of_task
                .map(|(alias, output)| (alias.to_owned(), output.clone()))
                .collect();
            seen.insert(
                "task".to_owned(),
                map([("outputs", Value::from(Json::Object(outputs)))]),
            );
        }
        self.add_vars(&step.vars, &mut vars, &mut seen).await?;
        Ok(seen)
    }

    async fn add_vars(
        &self,
        variables: &[Variable],
        vars: &mut BTreeMap<String, Value>,
        seen: &mut BTreeMap<String, Value>,
    ) -> Result<(), EvaluationError> {
        seen.insert("vars".to_owned(), Value::from(vars.clone()));
        for variable in variables {
            let evaluate = |scope: &dyn Environment, budget: &mut Budget| {
                template::evaluate_string(&variable.value, scope, budget)
            };
            let value = self
                .settle(evaluate, seen, Functions::WithoutStatus)
                .await
                .map_err(|error| match error {
                    EvaluationError::Wrong(message) => {
                        EvaluationError::Wrong(format!("variable {:?}: {message}", variable.name))
                    }
                    EvaluationError::Unavailable(_) => error,
                })?;
            vars.insert(variable.name.clone(), value);
            seen.insert("vars".to_owned(), Value::from(vars.clone()));
        }
        Ok(())
    }

    /// Evaluates until nothing is missing; the budget is one for all rounds.
    async fn settle<T>(
        &self,
        evaluate: impl Fn(&dyn Environment, &mut Budget) -> Result<expr::Evaluation<T>, expr::Error>,
        variables: &BTreeMap<String, Value>,
        functions: Functions,
    ) -> Result<T, EvaluationError> {
        let mut memo = self.memo.lock().await;
        let mut budget = Budget::default();
        for _round in 0..MOST_ROUNDS {
            let scope = Scope {
                evaluation: self,
                variables,
                functions,
                memo: &memo,
            };
            let evaluated = evaluate(&scope, &mut budget);
            let calls =
                match evaluated.map_err(|error| EvaluationError::Wrong(error.to_string()))? {
                    expr::Evaluation::Done(value) => return Ok(value),
                    expr::Evaluation::Pending(calls) => calls,
                };
            let answers = try_join_all(calls.iter().map(|call| self.reader.answer(call))).await?;
            for (call, answer) in calls.iter().zip(answers) {
                memo.remember(call, answer);
            }
        }
        Err(EvaluationError::Wrong(
            "it asks for more each time it is answered".to_owned(),
        ))
    }

    fn failing(&self) -> bool {
        self.executions
            .iter()
            .filter(|it| !it.continue_on_error)
            .any(is_failing)
    }

    /// How a step ended, by its name as the current step would say it.
    fn status(&self, alias: &str) -> &str {
        let step = &self.run.steps[self.index];
        let full = match step.alias.split_once("::") {
            Some((task, _)) => format!("{task}::{alias}"),
            None => alias.to_owned(),
        };
        let execution = self.executions.iter().find(|it| it.alias == full);
        execution.and_then(|it| it.status.as_ref()).map_or("", word)
    }

    fn ctx(&self) -> Value {
        let run = self.run;
        let text = |text: &str| Value::from(text);
        let freight = map([
            ("name", text(&run.freight.name)),
            ("alias", text(&run.freight_alias)),
            ("origin", map([("name", text(&run.freight.origin.name))])),
        ]);
        // The annotation has a kind in front: `email:ann@example.com`.
        let actor = run.actor.as_deref().map_or("", |actor| {
            actor.split_once(':').map_or(actor, |(_, name)| name)
        });
        let promotion = map([
            ("actor", text(actor)),
            ("rollback", Value::from(run.rollback)),
        ]);
        let step = map([("alias", text(&run.steps[self.index].alias))]);
        map([
            ("uiBaseUrl", text(&self.cx.settings.ui_base_url)),
            ("project", text(&run.project)),
            ("stage", text(&run.stage)),
            ("promotion", text(&run.promotion)),
            ("targetFreight", freight),
            ("meta", map([("promotion", promotion), ("step", step)])),
        ])
    }

    fn step_metas(&self) -> Value {
        let metas = self
            .executions
            .iter()
            .map(|it| (it.alias.clone(), Value::from(step_meta(it))));
        metas.collect()
    }
}

/// Which functions an expression may call beside those of the language and of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Functions {
    All,
    /// Variables cannot ask how steps ended.
    WithoutStatus,
}

/// What one expression sees.
struct Scope<'a> {
    evaluation: &'a Evaluation<'a>,
    variables: &'a BTreeMap<String, Value>,
    functions: Functions,
    memo: &'a Memo,
}

impl Environment for Scope<'_> {
    fn variable(&self, name: &str) -> Option<Value> {
        self.variables.get(name).cloned()
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>> {
        let evaluation = self.evaluation;
        if self.functions == Functions::All {
            let answer = match (name, arguments) {
                ("always", []) => Some(Value::from(true)),
                ("failure", []) => Some(Value::from(evaluation.failing())),
                ("success", []) => Some(Value::from(!evaluation.failing())),
                ("status", [Value::String(alias)]) => Some(Value::from(evaluation.status(alias))),
                ("always" | "failure" | "success", _) => {
                    return Some(Err(CallError::Failed(format!("{name} takes no argument"))));
                }
                ("status", _) => {
                    return Some(Err(CallError::Failed(
                        "status takes the name of a step".to_owned(),
                    )));
                }
                _ => None,
            };
            if let Some(answer) = answer {
                return Some(Ok(answer));
            }
        }
        if let Some(answer) = functions::call(name, arguments) {
            return Some(answer.map_err(CallError::Failed));
        }
        functions::is_outside(name).then(|| self.memo.answer(Call::new(name, arguments)))
    }

    fn variables(&self) -> Value {
        Value::from(self.variables.clone())
    }

    fn now(&self) -> Option<jiff::Zoned> {
        Some(self.evaluation.cx.now().to_zoned(TimeZone::UTC))
    }
}

fn step_meta(execution: &StepExecution) -> Record {
    let time = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| match time {
        Some(time) => Value::Time(to_zoned(time.0).into()),
        None => Value::Nil,
    };
    Record::new("v1alpha1.StepExecutionMetadata")
        .with("Alias", "alias", execution.alias.as_str())
        .with("StartedAt", "startedAt", time(&execution.started_at))
        .with("FinishedAt", "finishedAt", time(&execution.finished_at))
        .with("ErrorCount", "errorCount", i64::from(execution.error_count))
        .with(
            "Status",
            "status",
            execution.status.as_ref().map_or("", word),
        )
        .with("Message", "message", execution.message.as_str())
        .with(
            "ContinueOnError",
            "continueOnError",
            execution.continue_on_error,
        )
}

fn to_zoned(time: Timestamp) -> jiff::Zoned {
    time.to_zoned(TimeZone::UTC)
}

fn word(status: &StepStatus) -> &str {
    match status {
        StepStatus::Running => "Running",
        StepStatus::Succeeded => "Succeeded",
        StepStatus::Failed => "Failed",
        StepStatus::Errored => "Errored",
        StepStatus::Aborted => "Aborted",
        StepStatus::Skipped => "Skipped",
        StepStatus::Other(other) => other,
    }
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
