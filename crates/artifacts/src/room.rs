//! What a discovery occupies while it works. It is left to others while one discovery only waits for what another does.

use std::fmt;
use std::pin::pin;

use futures::FutureExt as _;
use futures::future::BoxFuture;

/// Room for a discovery among those that run at a time.
pub trait Room: fmt::Debug + Send + Sync {
    /// Leaves it to others.
    fn leave(&self);

    /// Waits until there is room again.
    fn enter(&self) -> BoxFuture<'_, ()>;
}

/// As much room as anybody wants: for who runs no more than one discovery.
#[derive(Debug, Clone, Copy)]
pub struct Boundless;

impl Room for Boundless {
    fn leave(&self) {}

    fn enter(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

/// Waits for others, outside of the room if it takes any time.
pub(crate) async fn wait_outside<T>(room: &dyn Room, others: impl Future<Output = T>) -> T {
    let mut others = pin!(others);
    if let Some(done) = others.as_mut().now_or_never() {
        return done;
    }
    room.leave();
    let done = others.await;
    room.enter().await;
    done
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Noted(Mutex<Vec<&'static str>>);

    impl Room for Noted {
        fn leave(&self) {
            self.0.lock().expect("nobody panics").push("left");
        }

        fn enter(&self) -> BoxFuture<'_, ()> {
            self.0.lock().expect("nobody panics").push("entered");
            std::future::ready(()).boxed()
        }
    }

    #[tokio::test]
    async fn the_room_is_left_only_by_who_has_to_wait() {
        let room = Noted::default();
        assert_eq!(wait_outside(&room, std::future::ready(1)).await, 1);
        assert_eq!(*room.0.lock().expect("nobody panics"), [""; 0]);
        wait_outside(&room, tokio::task::yield_now()).await;
        assert_eq!(*room.0.lock().expect("nobody panics"), ["left", "entered"]);
    }
}
