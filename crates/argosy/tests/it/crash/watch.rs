//! Follows a promotion by the log of `argosy up`, and says when the moment of a kill has come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::kill::{At, Kill, When, index_of};
use super::usual::{Child, Usual};

/// What is known of the promotion that runs now.
#[derive(Debug)]
pub(crate) struct Watch {
    log: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How much of the log was read.
    read: u64,
    kills: VecDeque<Kill>,
    /// Kills whose place was passed before they happened.
    missed: Vec<Kill>,
    /// The step that runs, and since when.
    step: Option<(usize, Timestamp)>,
    /// How many programs it ran.
    children: usize,
    /// The moment of a kill has come.
    struck: bool,
    ended: bool,
    usual: Usual,
}

/// What is to be done with the process.
#[derive(Debug, PartialEq)]
pub(crate) enum Due {
    Nothing,
    Kill,
    /// The promotion has ended.
    End,
}

impl Watch {
    pub(crate) fn new(log: &Path) -> Self {
        Self {
            log: log.to_owned(),
            seen: Mutex::default(),
        }
    }

    /// Begins with a new promotion, to be killed at each of these places, which are in the order of the steps.
    pub(crate) fn begin(&self, kills: &[Kill]) {
        let mut seen = self.look();
        *seen = Seen {
            read: seen.read,
            kills: kills.iter().copied().collect(),
            usual: std::mem::take(&mut seen.usual),
            ..Seen::default()
        };
    }

    /// What is known so far of a promotion that nobody disturbs.
    pub(crate) fn usual(&self) -> Usual {
        self.look().usual.clone()
    }

    pub(crate) fn due(&self) -> Due {
        let seen = self.look();
        if seen.ended {
            Due::End
        } else if seen.struck || seen.is_instant_there() {
            Due::Kill
        } else {
            Due::Nothing
        }
    }

    /// Takes note that the process was killed.
    pub(crate) fn killed(&self) {
        let mut seen = self.look();
        let step = seen.step.map_or(0, |(index, _)| index);
        seen.struck = false;
        seen.children = 0;
        // A kill whose place was passed meanwhile has been found missing by the look.
        if seen.kills.front().is_some_and(|it| it.index() == step) {
            seen.kills.pop_front();
        }
    }

    /// The kills that came too late.
    pub(crate) fn missed(&self) -> Vec<Kill> {
        let seen = self.look();
        seen.missed.iter().chain(&seen.kills).copied().collect()
    }

    /// Takes note of a program that is about to run; says when it is to be killed, if it is.
    pub(crate) fn child_starts(&self, command: &str) -> (Child, Option<When>) {
        let mut seen = self.look();
        seen.children += 1;
        let child = Child {
            step: seen.step.map_or(0, |(index, _)| index),
            number: seen.children,
            command: command.to_owned(),
            took: Duration::ZERO,
        };
        let when = seen.kills.front().and_then(|kill| kill.when(&child));
        (child, when)
    }

    pub(crate) fn child_ended(&self, child: Child, took: Duration) {
        self.look().usual.learn_child(Child { took, ..child });
    }

    pub(crate) fn usual_of_child(&self, child: &Child) -> Duration {
        self.look().usual.of_child(child)
    }

    /// Says that the moment of the kill at this child has come, unless its step has ended meanwhile.
    pub(crate) fn strike(&self, child: &Child) {
        let mut seen = self.look();
        seen.struck = seen
            .kills
            .front()
            .is_some_and(|it| it.index() == child.step);
    }

    /// Reads what the log says since the last look.
    fn look(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.seen.lock().unwrap();
        let mut new = String::new();
        if let Ok(mut log) = File::open(&self.log) {
            log.seek(SeekFrom::Start(seen.read)).unwrap();
            log.read_to_string(&mut new).unwrap();
        }
        let whole = new.rfind('\n').map_or(0, |end| end + 1);
        seen.read += whole as u64;
        for line in new[..whole].lines() {
            if let Ok(line) = serde_json::from_str::<Value>(line) {
                let time = line["timestamp"].as_str().and_then(|it| it.parse().ok());
                seen.take_in(&line["fields"], time.unwrap());
            }
        }
        seen
    }
}

impl Seen {
    /// Says whether the next kill is at an instant, and that is now or was.
    fn is_instant_there(&self) -> bool {
        let (Some(kill), Some((index, since))) = (self.kills.front(), self.step) else {
            return false;
        };
        let At::Share(share) = kill.at else {
            return false;
        };
        let moment = self.usual.of_step(kill.step).mul_f64(share);
        index == kill.index() && passed(since, Timestamp::now()) >= moment
    }

    fn take_in(&mut self, line: &Value, time: Timestamp) {
        match line["message"].as_str() {
            Some("runs the steps of a Promotion") => {
                let index = self.step.map_or(0, |(index, _)| index);
                self.step = Some((index, time));
                self.children = 0;
            }
            Some("step ended") => {
                let index = index_of(line["step"].as_str().unwrap_or_default());
                if let Some((_, since)) = self.step {
                    self.usual.learn(index, passed(since, time));
                }
                self.step = Some((index + 1, time));
                self.children = 0;
                while self.kills.front().is_some_and(|it| it.index() <= index) {
                    self.missed.extend(self.kills.pop_front());
                }
            }
            Some("a Promotion ended") => self.ended = true,
            Some(_) | None => {}
        }
    }
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(since).unsigned_abs()
}
