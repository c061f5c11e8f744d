//! The place of one task, shared by its parts, and left to others while all of them wait for other tasks.
//!
//! Whoever comes back goes before those of the same project that have not begun.

use std::fmt;
use std::sync::Arc;

use artifacts::Room;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::places::{Place, Places, Project};

/// Where a task works.
pub(crate) struct Seat {
    places: Places,
    project: Project,
    state: Mutex<State>,
    /// Held by whoever asks for a place for all.
    asking: tokio::sync::Mutex<()>,
}

struct State {
    place: Option<Place>,
    /// Parts that work, and parts that wait for others.
    working: usize,
    waiting: usize,
}

/// One part of a task: it works from the beginning.
pub(crate) struct Part {
    seat: Arc<Seat>,
    is_working: Mutex<bool>,
}

impl Seat {
    /// Begins with a place, or without one where there is nothing to do but to stop.
    pub(crate) fn new(places: Places, project: Project, place: Option<Place>) -> Self {
        let state = State {
            place,
            working: 0,
            waiting: 0,
        };
        Self {
            places,
            project,
            state: Mutex::new(state),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// Begins a part as soon as the task has a place.
    pub(crate) async fn part(self: &Arc<Self>) -> Part {
        self.begin(|_| {}).await;
        Part {
            seat: Arc::clone(self),
            is_working: Mutex::new(true),
        }
    }

    /// Counts one more that works, once there is a place.
    async fn begin(&self, count: impl Fn(&mut State)) {
        let _asking = self.asking.lock().await;
        let begin = |state: &mut State| {
            state.working += 1;
            count(state);
        };
        {
            let mut state = self.state.lock();
            if state.place.is_some() {
                begin(&mut state);
                return;
            }
        }
        let place = self.places.take_again(&self.project).await;
        let mut state = self.state.lock();
        state.place = Some(place);
        begin(&mut state);
    }

    /// Counts, and gives up the place where all that is left waits for others.
    fn end(&self, count: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        count(&mut state);
        let is_idle = state.working == 0 && state.waiting > 0;
        let place = is_idle.then(|| state.place.take());
        // Others are served when it is dropped.
        drop(state);
        drop(place);
    }
}

impl Room for Part {
    fn leave(&self) {
        *self.is_working.lock() = false;
        self.seat.end(|state| {
            state.working -= 1;
            state.waiting += 1;
        });
    }

    fn enter(&self) -> BoxFuture<'_, ()> {
        async {
            self.seat.begin(|state| state.waiting -= 1).await;
            *self.is_working.lock() = true;
        }
        .boxed()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let is_working = *self.is_working.get_mut();
        self.seat.end(|state| {
            let count = if is_working {
                &mut state.working
            } else {
                &mut state.waiting
            };
            *count -= 1;
        });
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Part")
            .field("project", &self.seat.project)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Share;

    /// One place, and a task of `acme` that has it.
    async fn seated() -> (Places, Arc<Seat>) {
        let places = Places::new(Share::undivided(1));
        let project = Project::from("acme");
        let place = places.take(&project).await;
        let seat = Seat::new(places.clone(), project, Some(place));
        (places, Arc::new(seat))
    }

    fn is_free(places: &Places) -> bool {
        places
            .take(&Project::from("other"))
            .now_or_never()
            .is_some()
    }

    #[tokio::test]
    async fn a_place_is_free_while_all_parts_wait() {
        let (places, seat) = seated().await;
        let (one, other) = (seat.part().await, seat.part().await);
        one.leave();
        assert!(!is_free(&places), "the other works");
        other.leave();
        assert!(is_free(&places));
        one.enter().await;
        assert!(!is_free(&places));
        other.enter().await;
        drop((one, other));
        assert!(!is_free(&places), "the task has not ended");
        drop(seat);
        assert!(is_free(&places));
    }

    #[tokio::test]
    async fn a_part_that_ends_leaves_the_place_where_the_others_wait() {
        let (places, seat) = seated().await;
        let (one, other) = (seat.part().await, seat.part().await);
        one.leave();
        drop(other);
        assert!(is_free(&places));
        // One that begins later takes it again.
        let third = seat.part().await;
        assert!(!is_free(&places));
        drop(third);
        assert!(is_free(&places));
        drop(one);
        assert!(is_free(&places));
    }

    #[tokio::test]
    async fn whoever_comes_back_goes_before_those_that_have_not_begun() {
        let (places, seat) = seated().await;
        let part = seat.part().await;
        part.leave();
        let project = Project::from("acme");
        let taken = places.take(&project).await;
        let mut next = Box::pin(places.take(&project));
        assert!((&mut next).now_or_never().is_none());
        let mut back = part.enter();
        assert!((&mut back).now_or_never().is_none());
        drop(taken);
        assert!((&mut next).now_or_never().is_none());
        back.await;
    }

    #[tokio::test]
    async fn of_those_that_come_back_the_first_goes_first() {
        let (places, seat) = seated().await;
        let project = Project::from("acme");
        let first = seat.part().await;
        first.leave();
        let other = Arc::new(Seat::new(places.clone(), project.clone(), None));
        let second = other.part().await;
        second.leave();
        let taken = places.take(&project).await;
        let (mut first, mut second) = (first.enter(), second.enter());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(taken);
        assert!((&mut second).now_or_never().is_none());
        first.await;
    }
}
