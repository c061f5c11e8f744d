//! Reads the index of a repository of charts while it arrives.
//!
//! An index can be tens of megabytes of descriptions, links and digests; of all that only the names of charts and their
//! versions are kept, so no document is ever built. What is held is bounded whatever arrives: one value, the depth, the
//! anchors, and what is kept. The YAML (or JSON, which is YAML) is read by granit-parser, event by event.
//!
//! Source: <https://helm.sh/docs/topics/chart_repository/#the-index-file>

mod characters;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use domain::version::MAX_VERSION_LENGTH;
use granit_parser::{ErrorKind, Event, FallibleBufferedInput, Parser, ScalarStyle, ScanError};

use characters::Characters;

/// What a name costs beside its letters.
const NAME_COST: usize = 128;

/// Bounds what is held while an index arrives.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Most characters between two events: a value with the blanks and comments before it, give or take one token.
    value: usize,
    /// Deepest nesting; real ones go down to ten.
    depth: usize,
    /// Most anchors; Helm writes none.
    anchors: usize,
    /// Most bytes of names and versions.
    kept: usize,
}

const BOUNDS: Bounds = Bounds {
    value: 4 << 20,
    depth: 64,
    anchors: 10_000,
    kept: 4 << 20,
};

/// Holds the versions of the charts of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The versions of each chart, one a line.
    charts: BTreeMap<Box<str>, Box<str>>,
    scope: Scope,
}

/// Says which charts an [`Index`] knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Only the one that was asked for: all of them would have been too many.
    One,
}

/// Says why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("failed to read the index")]
    Read(#[source] io::Error),
    #[error("the answer is not YAML: {0}")]
    Yaml(#[source] ScanError),
    #[error("the answer is not an index of charts: {0}")]
    NotAnIndex(&'static str),
    #[error("line {line} of the index has an alias or a merge key in the place of versions")]
    Alias { line: usize },
    #[error("the index has {0}")]
    Excess(&'static str),
    #[error("the index has more than {bound} bytes of versions of chart {chart:?}")]
    ManyVersions { chart: String, bound: usize },
}

impl Index {
    /// Gives the versions of a chart as they are listed; none where the index does not name the chart.
    pub fn versions(&self, chart: &str) -> Option<impl Iterator<Item = &str>> {
        self.charts.get(chart).map(|versions| versions.lines())
    }

    /// Says which charts the index knows of.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Counts the charts that the index knows of.
    pub fn chart_count(&self) -> usize {
        self.charts.len()
    }

    /// Estimates the memory it takes.
    pub fn bytes(&self) -> usize {
        let charts = self.charts.iter();
        charts
            .map(|(name, versions)| name.len() + versions.len() + NAME_COST)
            .sum()
    }
}

/// Reads an index.
///
/// All charts are kept where there is room, since whoever asks for one is likely to ask for another; `chart` is kept in
/// any case. Entries that have no version are passed over, as Helm does with those it cannot read.
pub fn read(source: impl io::Read, chart: &str) -> Result<Index, IndexError> {
    read_within(BOUNDS, source, chart)
}

fn read_within(bounds: Bounds, source: impl io::Read, chart: &str) -> Result<Index, IndexError> {
    let gap = Rc::new(Cell::new(0));
    let characters = Characters::new(source, bounds.value, Rc::clone(&gap));
    let mut options = granit_parser::options! {
        flow_nesting_limit: bounds.depth,
        block_nesting_limit: bounds.depth,
    };
    options.set_emit_comments(false);
    let mut reading = Reading {
        parser: Parser::new_from_fallible_iter_with_options(characters, options),
        gap,
        line: 0,
        anchors_left: bounds.anchors,
        kept: Kept {
            wanted: chart,
            charts: BTreeMap::new(),
            bytes: 0,
            bound: bounds.kept,
            scope: Scope::All,
        },
    };
    reading.root()?;
    let Kept { charts, scope, .. } = reading.kept;
    let charts = charts
        .into_iter()
        .map(|(name, versions)| (name, versions.into_boxed_str()));
    Ok(Index {
        charts: charts.collect(),
        scope,
    })
}

/// Follows the events of one document.
struct Reading<'a, R: io::Read> {
    parser: Parser<'static, FallibleBufferedInput<Characters<R>>>,
    /// Characters that were read since the last event.
    gap: Rc<Cell<usize>>,
    line: usize,
    anchors_left: usize,
    kept: Kept<'a>,
}

/// What a key leads to.
enum Key {
    Text(String),
    /// A key that is a list or an alias: none that is looked for.
    Other,
    /// There is no further key.
    End,
}

impl<R: io::Read> Reading<'_, R> {
    fn root(&mut self) -> Result<(), IndexError> {
        let start = loop {
            match self.next()? {
                Event::StreamStart | Event::DocumentStart(..) => {}
                other => break other,
            }
        };
        match start {
            Event::MappingStart(..) => {}
            Event::StreamEnd => return Err(IndexError::NotAnIndex("it is empty")),
            _ => return Err(IndexError::NotAnIndex("it is no map")),
        }
        let mut is_index = false;
        loop {
            match self.key()? {
                Key::Text(key) if key == "entries" => {
                    is_index = true;
                    self.entries()?;
                }
                Key::Text(key) => {
                    is_index |= key == "apiVersion";
                    self.skip()?;
                }
                Key::Other => self.skip()?,
                Key::End if is_index => return Ok(()),
                Key::End => return Err(IndexError::NotAnIndex("it has no entries")),
            }
        }
    }

    /// Reads the map from charts to their entries.
    fn entries(&mut self) -> Result<(), IndexError> {
        match self.next()? {
            Event::MappingStart(..) => {}
            event if is_null(&event) => return Ok(()),
            Event::Alias(_) => return Err(self.alias()),
            _ => return Err(IndexError::NotAnIndex("its entries are no map")),
        }
        loop {
            match self.key()? {
                Key::Text(name) => self.chart(&name)?,
                Key::Other => self.skip()?,
                Key::End => return Ok(()),
            }
        }
    }

    /// Reads the entries of one chart.
    fn chart(&mut self, name: &str) -> Result<(), IndexError> {
        self.kept.chart(name)?;
        match self.next()? {
            Event::SequenceStart(..) => {}
            event if is_null(&event) => return Ok(()),
            Event::Alias(_) => return Err(self.alias()),
            _ => {
                return Err(IndexError::NotAnIndex(
                    "the entries of one of its charts are no list",
                ));
            }
        }
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(()),
                Event::MappingStart(..) => self.entry(name)?,
                Event::Alias(_) => return Err(self.alias()),
                other => self.skip_from(&other)?,
            }
        }
    }

    /// Reads one entry: the metadata of one version.
    fn entry(&mut self, name: &str) -> Result<(), IndexError> {
        loop {
            match self.key()? {
                Key::Text(key) if key == "version" => match self.next()? {
                    event if is_null(&event) => {}
                    Event::Scalar(version, ..) => self.kept.version(name, &version)?,
                    Event::Alias(_) => return Err(self.alias()),
                    other => self.skip_from(&other)?,
                },
                Key::Text(_) | Key::Other => self.skip()?,
                Key::End => return Ok(()),
            }
        }
    }

    /// Reads the next key of a map.
    fn key(&mut self) -> Result<Key, IndexError> {
        match self.next()? {
            Event::MappingEnd => Ok(Key::End),
            Event::Scalar(key, ScalarStyle::Plain, ..) if key == "<<" => Err(self.alias()),
            Event::Scalar(key, ..) => Ok(Key::Text(key.into_owned())),
            other => {
                self.skip_from(&other)?;
                Ok(Key::Other)
            }
        }
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<(), IndexError> {
        let first = self.next()?;
        self.skip_from(&first)
    }

    /// Passes over the rest of what begins with an event.
    fn skip_from(&mut self, first: &Event<'static>) -> Result<(), IndexError> {
        let mut depth = change_of_depth(first);
        while depth > 0 {
            depth += change_of_depth(&self.next()?);
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Event<'static>, IndexError> {
        let next = self.parser.next_event();
        let next = next.ok_or(IndexError::NotAnIndex("it ends too early"))?;
        let (event, span) = next.map_err(fault)?;
        self.gap.set(0);
        self.line = span.start.line();
        if event.anchor_id().is_some() {
            let left = self.anchors_left.checked_sub(1);
            let excess = IndexError::Excess("more anchors than any index needs");
            self.anchors_left = left.ok_or(excess)?;
        }
        Ok(event)
    }

    fn alias(&self) -> IndexError {
        IndexError::Alias { line: self.line }
    }
}

fn change_of_depth(event: &Event<'_>) -> i32 {
    match event {
        Event::MappingStart(..) | Event::SequenceStart(..) => 1,
        Event::MappingEnd | Event::SequenceEnd => -1,
        _ => 0,
    }
}

fn is_null(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
}

fn fault(error: ScanError) -> IndexError {
    match error.kind() {
        ErrorKind::InputByteLimitExceeded { .. } => {
            IndexError::Excess("a value longer than any index needs")
        }
        ErrorKind::RecursionLimitExceeded => IndexError::Excess("more levels than any index needs"),
        ErrorKind::InputIo { error } => {
            IndexError::Read(io::Error::other(error.message().to_owned()))
        }
        _ => IndexError::Yaml(error),
    }
}

/// What is kept so far.
struct Kept<'a> {
    wanted: &'a str,
    charts: BTreeMap<Box<str>, String>,
    bytes: usize,
    bound: usize,
    scope: Scope,
}

impl Kept<'_> {
    fn chart(&mut self, name: &str) -> Result<(), IndexError> {
        if self.keeps(name) && !self.charts.contains_key(name) {
            self.charts.insert(name.into(), String::new());
            self.bytes += name.len() + NAME_COST;
            self.make_room()?;
        }
        Ok(())
    }

    fn version(&mut self, name: &str, version: &str) -> Result<(), IndexError> {
        let Some(versions) = self.charts.get_mut(name) else {
            return Ok(());
        };
        let before = versions.len();
        // What is longer than a version stays so, and nothing that is shown begins a new line.
        let start = version.chars().take(MAX_VERSION_LENGTH + 1);
        versions.extend(start.map(|it| {
            if it.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                it
            }
        }));
        versions.push('\n');
        self.bytes += versions.len() - before;
        self.make_room()
    }

    fn keeps(&self, name: &str) -> bool {
        self.scope == Scope::All || name == self.wanted
    }

    /// Keeps only the chart that was asked for once all of them are too many.
    fn make_room(&mut self) -> Result<(), IndexError> {
        if self.bytes <= self.bound {
            return Ok(());
        }
        if self.scope == Scope::One {
            return Err(IndexError::ManyVersions {
                chart: self.wanted.to_owned(),
                bound: self.bound,
            });
        }
        self.scope = Scope::One;
        let wanted = self.wanted;
        self.charts.retain(|name, _| &**name == wanted);
        let mut one = self.charts.iter();
        self.bytes = one.next().map_or(0, |(name, versions)| {
            name.len() + versions.len() + NAME_COST
        });
        self.make_room()
    }
}

#[cfg(test)]
mod tests;
