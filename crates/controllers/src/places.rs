//! Places for tasks, shared fairly between projects.
//!
//! There are so many in all, and a project takes no more than its share of them at a time, so that some are left whatever it
//! has to do. Where more is wanted than there is, projects take turns; within a project whoever came first goes first, and
//! those that had a place before go before all that had none.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// How many tasks may run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// In all.
    pub places: usize,
    /// Of one project.
    pub of_one_project: usize,
}

impl Share {
    /// Lets a project have every place.
    pub fn undivided(places: usize) -> Self {
        Self {
            places,
            of_one_project: places,
        }
    }

    /// Leaves three quarters to others.
    pub fn quartered(places: usize) -> Self {
        Self {
            places,
            of_one_project: places.div_ceil(4),
        }
    }
}

/// The name of a project.
pub(crate) type Project = Arc<str>;

/// Those of one project that wait, the first to come first.
#[derive(Default)]
struct Waiting {
    /// Had a place before, and left it for a while.
    again: VecDeque<oneshot::Sender<Place>>,
    new: VecDeque<oneshot::Sender<Place>>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.again.is_empty() && self.new.is_empty()
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Place>> {
        self.again.pop_front().or_else(|| self.new.pop_front())
    }
}

struct State {
    free: usize,
    taken: HashMap<Project, usize>,
    waiting: HashMap<Project, Waiting>,
    /// Every project that waits, the one that was served longest ago first.
    turns: VecDeque<Project>,
}

/// The places of one loop. Clones share them.
#[derive(Clone)]
pub(crate) struct Places {
    share: Share,
    state: Arc<Mutex<State>>,
}

/// A place that is taken until this is dropped.
pub(crate) struct Place {
    places: Places,
    /// None where nobody was there to take it.
    project: Option<Project>,
}

impl Places {
    pub(crate) fn new(share: Share) -> Self {
        let share = Share {
            places: share.places.max(1),
            of_one_project: share.of_one_project.max(1),
        };
        let state = State {
            free: share.places,
            taken: HashMap::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
        };
        Self {
            share,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Waits for a place. Whoever stops waiting gives up the turn.
    pub(crate) async fn take(&self, project: &Project) -> Place {
        self.wait(project, |waiting| &mut waiting.new).await
    }

    /// The same for whoever had a place before: it goes before those of its project that had none.
    pub(crate) async fn take_again(&self, project: &Project) -> Place {
        self.wait(project, |waiting| &mut waiting.again).await
    }

    async fn wait(
        &self,
        project: &Project,
        queue: fn(&mut Waiting) -> &mut VecDeque<oneshot::Sender<Place>>,
    ) -> Place {
        let (sender, place) = oneshot::channel();
        {
            let mut state = self.state.lock();
            let waiting = state.waiting.entry(Arc::clone(project)).or_default();
            let is_new = waiting.is_empty();
            queue(waiting).push_back(sender);
            if is_new {
                state.turns.push_back(Arc::clone(project));
            }
            self.hand_out(&mut state);
        }
        place.await.expect("whoever waits is served in the end")
    }

    /// Gives free places to those whose turn it is.
    fn hand_out(&self, state: &mut State) {
        while state.free > 0 {
            let next = state.turns.iter().position(|project| {
                let taken = state.taken.get(project).copied().unwrap_or_default();
                taken < self.share.of_one_project
            });
            let Some(project) = next.and_then(|index| state.turns.remove(index)) else {
                return;
            };
            self.serve(state, project);
        }
    }

    /// Gives a place to the first of `project` that still waits, and sends the project to the end.
    fn serve(&self, state: &mut State, project: Project) {
        let Some(waiting) = state.waiting.get_mut(&project) else {
            return;
        };
        while let Some(first) = waiting.pop() {
            let place = Place {
                places: self.clone(),
                project: Some(Arc::clone(&project)),
            };
            match first.send(place) {
                Ok(()) => {
                    state.free -= 1;
                    *state.taken.entry(Arc::clone(&project)).or_default() += 1;
                    break;
                }
                // It waits no more; the place was never counted as taken.
                Err(mut place) => place.project = None,
            }
        }
        if waiting.is_empty() {
            state.waiting.remove(&project);
        } else {
            state.turns.push_back(project);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(project) = self.project.take() else {
            return;
        };
        let mut state = self.places.state.lock();
        state.free += 1;
        if let Some(taken) = state.taken.get_mut(&project) {
            *taken -= 1;
            if *taken == 0 {
                state.taken.remove(&project);
            }
        }
        self.places.hand_out(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    fn places(places: usize, of_one_project: usize) -> Places {
        Places::new(Share {
            places,
            of_one_project,
        })
    }

    /// Starts to wait; whoever finds a place has it at once.
    fn wait(places: &Places, project: &str) -> (BoxFuture<'static, Place>, Option<Place>) {
        let (places, project) = (places.clone(), Project::from(project));
        let mut waiting = async move { places.take(&project).await }.boxed();
        let place = (&mut waiting).now_or_never();
        (waiting, place)
    }

    #[test]
    fn a_project_takes_no_more_than_its_share() {
        let places = places(4, 2);
        let (_, first) = wait(&places, "slow");
        let (_, second) = wait(&places, "slow");
        let (third, none) = wait(&places, "slow");
        assert!(first.is_some() && second.is_some() && none.is_none());
        assert!(wait(&places, "quick").1.is_some());
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn projects_that_wait_take_turns() {
        let places = places(1, 1);
        let (_, mut taken) = wait(&places, "a");
        let order = ["a", "a", "a", "b", "c", "b"];
        let mut waiting: Vec<_> = order
            .into_iter()
            .map(|project| Some((project, wait(&places, project).0)))
            .collect();
        let mut served = Vec::new();
        while waiting.iter().any(Option::is_some) {
            drop(taken.take());
            for one in &mut waiting {
                let Some((project, future)) = one else {
                    continue;
                };
                if let Some(place) = future.now_or_never() {
                    served.push(*project);
                    taken = Some(place);
                    *one = None;
                }
            }
        }
        assert_eq!(served, ["a", "b", "c", "a", "b", "a"]);
    }

    #[test]
    fn whoever_stops_waiting_leaves_the_place_to_others() {
        let places = places(1, 1);
        let (_, taken) = wait(&places, "a");
        let (gone, _) = wait(&places, "a");
        let (next, _) = wait(&places, "b");
        drop(gone);
        drop(taken);
        let place = next.now_or_never();
        assert!(place.is_some());
        // Given a place, and gone before it was picked up.
        let (gone, _) = wait(&places, "a");
        drop(place);
        drop(gone);
        assert!(wait(&places, "b").1.is_some());
        let state = places.state.lock();
        assert!(state.waiting.is_empty() && state.turns.is_empty());
    }

    #[test]
    fn nobody_is_left_without_any_place() {
        assert!(wait(&places(0, 0), "a").1.is_some());
    }
}
