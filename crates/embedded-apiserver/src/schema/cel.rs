//! Values as rules see them: fields escaped where their names are no identifiers, times and durations as such.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_cel::KubeCelExt;
use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::{Key, Map, OptionalValue};
use kube_cel::cel::{Context, FunctionContext, Program, Value as Cel};
use regex::Regex;
use serde_json::Value;

use super::formats::Format;
use super::{Additional, Structural, Type};
use crate::pattern;

/// Words that are no identifiers in expressions.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The most patterns that are remembered.
const MOST_PATTERNS: usize = 200;

thread_local! {
    /// The functions rules may call; costly to register.
    static FUNCTIONS: Context<'static> = functions();
    /// Patterns that rules matched before.
    static PATTERNS: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
    static TIMESTAMP: Option<Program> = Program::compile("timestamp(it)").ok();
    static DURATION: Option<Program> = Program::compile("duration(it)").ok();
}

/// Kubernetes' functions; patterns are read as Go reads them.
fn functions() -> Context<'static> {
    let mut context = Context::default().with_all();
    context.add_function(
        "matches",
        |cx: &FunctionContext<'_, '_>, This(text): This<Arc<String>>, pattern: Arc<String>| {
            matches(&text, &pattern).ok_or_else(|| cx.error(format!("{pattern:?} is no pattern")))
        },
    );
    context
}

fn matches(text: &str, pattern: &str) -> Option<bool> {
    PATTERNS.with_borrow_mut(|known| {
        if known.len() >= MOST_PATTERNS {
            known.clear();
        }
        let regex = known
            .entry(pattern.to_owned())
            .or_insert_with(|| pattern::compile(pattern).ok());
        regex.as_ref().map(|it| it.is_match(text))
    })
}

/// What the rules of one node see.
pub(super) struct Scope {
    this: Cel,
    old: Option<Cel>,
}

impl Scope {
    /// At the root, rules see only the name of `metadata`.
    pub(super) fn new(schema: &Structural, value: &Value, old: Option<&Value>, root: bool) -> Self {
        let convert = |value: &Value| to_cel(schema, value, root || schema.embedded_resource);
        Self {
            this: convert(value),
            old: old.filter(|it| !it.is_null()).map(convert),
        }
    }

    pub(super) fn has_old(&self) -> bool {
        self.old.is_some()
    }

    /// Evaluates to a truth value; `None` for any other.
    pub(super) fn evaluate(
        &self,
        program: &Program,
        optional: bool,
    ) -> Result<Option<bool>, String> {
        match self.execute(program, optional)? {
            Cel::Bool(truth) => Ok(Some(truth)),
            _ => Ok(None),
        }
    }

    pub(super) fn text(&self, program: &Program, optional: bool) -> Option<String> {
        match self.execute(program, optional) {
            Ok(Cel::String(text)) => Some(text.as_ref().clone()),
            _ => None,
        }
    }

    fn execute(&self, program: &Program, optional: bool) -> Result<Cel, String> {
        FUNCTIONS.with(|functions| {
            let mut context = functions.new_inner_scope();
            context.add_variable_from_value("self", self.this.clone());
            match (&self.old, optional) {
                (Some(old), false) => context.add_variable_from_value("oldSelf", old.clone()),
                (old, true) => {
                    context.add_variable_from_value("oldSelf", optional_value(old.as_ref()));
                }
                (None, false) => {}
            }
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                program.execute(&context)
            }));
            outcome
                .map_err(|_| "the rule could not be evaluated".to_owned())?
                .map_err(|error| error.to_string())
        })
    }
}

fn to_cel(schema: &Structural, value: &Value, resource: bool) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(truth) => Cel::Bool(*truth),
        Value::Number(number) => number_to_cel(schema, number),
        Value::String(text) => text_to_cel(schema, text),
        Value::Array(items) => {
            let convert = |item: &Value| match &schema.items {
                Some(schema) => to_cel(schema, item, schema.embedded_resource),
                None => plain(item),
            };
            Cel::List(Arc::new(items.iter().map(convert).collect()))
        }
        Value::Object(members) => {
            let keys_are_data = !matches!(schema.additional, Additional::Undeclared);
            let mut map = HashMap::with_capacity(members.len());
            for (name, member) in members {
                let value = match schema.member(name) {
                    _ if resource && name == "metadata" => names_of(member),
                    Some(schema) => to_cel(schema, member, schema.embedded_resource),
                    None => plain(member),
                };
                let name = if keys_are_data {
                    name.clone()
                } else {
                    escape(name)
                };
                map.insert(Key::String(Arc::new(name)), value);
            }
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}

fn number_to_cel(schema: &Structural, number: &serde_json::Number) -> Cel {
    let float = number.as_f64().unwrap_or(f64::NAN);
    match (schema.kind, number.as_i64(), number.as_u64()) {
        (Some(Type::Number), _, _) => Cel::Float(float),
        (_, Some(number), _) => Cel::Int(number),
        (_, None, Some(number)) => Cel::UInt(number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "validated to be a whole number in range"
        )]
        (Some(Type::Integer), None, None) => Cel::Int(float as i64),
        (_, None, None) => Cel::Float(float),
    }
}

fn text_to_cel(schema: &Structural, text: &str) -> Cel {
    let plain = || Cel::String(Arc::new(text.to_owned()));
    if schema.int_or_string {
        return plain();
    }
    match schema.bounds.format {
        Some(Format::Byte) => STANDARD
            .decode(text)
            .map_or_else(|_| plain(), |it| Cel::Bytes(Arc::new(it))),
        Some(Format::DateTime) => TIMESTAMP
            .with(|it| converted(it.as_ref(), text))
            .unwrap_or_else(plain),
        Some(Format::Duration) => DURATION
            .with(|it| converted(it.as_ref(), text))
            .unwrap_or_else(plain),
        _ => plain(),
    }
}

/// Lets an expression make the value, since only it knows the library's types for times.
fn converted(program: Option<&Program>, text: &str) -> Option<Cel> {
    let program = program?;
    FUNCTIONS.with(|functions| {
        let mut context = functions.new_inner_scope();
        context.add_variable_from_value("it", Cel::String(Arc::new(text.to_owned())));
        program.execute(&context).ok()
    })
}

/// A value of which the schema says nothing.
fn plain(value: &Value) -> Cel {
    match value {
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(plain).collect())),
        Value::Object(members) => {
            let map = members
                .iter()
                .map(|(name, member)| (Key::String(Arc::new(name.clone())), plain(member)))
                .collect();
            Cel::Map(Map { map: Arc::new(map) })
        }
        value => to_cel(&Structural::default(), value, false),
    }
}

/// `oldSelf` of a rule that is evaluated whether there is one or not.
fn optional_value(old: Option<&Cel>) -> Cel {
    let value = old.map_or_else(OptionalValue::none, |it| OptionalValue::of(it.clone()));
    Cel::Opaque(Arc::new(value))
}

/// Of `metadata`, rules see the name and what it was generated from.
fn names_of(metadata: &Value) -> Cel {
    let map = ["name", "generateName"]
        .into_iter()
        .filter_map(|name| {
            let text = metadata.get(name)?.as_str()?;
            Some((
                Key::String(Arc::new(name.to_owned())),
                Cel::String(Arc::new(text.to_owned())),
            ))
        })
        .collect();
    Cel::Map(Map { map: Arc::new(map) })
}

/// A field's name as an identifier.
fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}
