//! A line on a terminal while a discovery goes on: how many requests, for how long, and a bar once there is an end to count to.

use std::future::Future;
use std::time::{Duration, Instant};

use artifacts::{Cost, Spent};
use indicatif::{ProgressBar, ProgressStyle};

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(100);

/// While nobody knows how much is to be done.
const SPINNER: &str = "{spinner} {msg} [{elapsed}]";
/// Once it is known how many images are looked at; first, so that a long name does not push the bar out of the line.
const BAR: &str = "{spinner} [{bar:24}] {pos} of {len} images, {msg} [{elapsed}]";

/// Does `work` and says how far it is; nothing is written where standard error is no terminal.
pub(super) async fn shown<T>(
    what: &str,
    cost: &Cost,
    work: impl Future<Output = T>,
) -> (T, Duration) {
    let bar = ProgressBar::new_spinner();
    let started = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    let mut work = std::pin::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = tick.tick() => show(&bar, what, &cost.spent()),
        }
    };
    bar.finish_and_clear();
    (result, started.elapsed())
}

/// Writes the line anew.
fn show(bar: &ProgressBar, what: &str, spent: &Spent) {
    let looks = spent.looks;
    let template = if looks.wanted == 0 { SPINNER } else { BAR };
    // The templates are ours, so they can be read.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if looks.wanted > 0 {
        bar.set_length(looks.wanted);
        bar.set_position(looks.ended);
    }
    bar.set_message(message(what, spent));
    bar.tick();
}

/// Says what it has cost so far.
fn message(what: &str, spent: &Spent) -> String {
    let requests = counted(spent.total(), "request", "requests");
    let git: u64 = spent.git.values().sum();
    match git {
        0 => format!("{what}: {requests}"),
        git => format!(
            "{what}: {requests}, {}",
            counted(git, "git fetch", "git fetches")
        ),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use artifacts::{Looks, Outcome};
    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    fn spent(requests: u64, git: u64, looks: Looks) -> Spent {
        let host = || "registry.example".to_owned();
        Spent {
            requests: BTreeMap::from([((host(), Outcome::Answered), requests)]),
            git: BTreeMap::from([(host(), git)]),
            looks,
            ..Spent::default()
        }
    }

    /// Remembers what is written on it.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        /// Gives what was written since this was last asked.
        fn take(&self) -> String {
            std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            written.push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_message_counts_requests_and_fetches() {
        for (requests, git, expected) in [
            (0, 0, "acme/web: 0 requests"),
            (1, 0, "acme/web: 1 request"),
            (12, 0, "acme/web: 12 requests"),
            (1, 1, "acme/web: 1 request, 1 git fetch"),
            (2, 3, "acme/web: 2 requests, 3 git fetches"),
        ] {
            let spent = spent(requests, git, Looks::default());
            assert_eq!(message("acme/web", &spent), expected);
        }
    }

    #[test]
    fn a_bar_comes_once_it_is_known_how_many_images_are_looked_at() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let bar = ProgressBar::with_draw_target(None, target);
        let is_bar = |line: &str| line.contains('█') || line.contains('░');

        show(&bar, "acme/web", &spent(3, 0, Looks::default()));
        let line = screen.take();
        assert!(line.contains("acme/web: 3 requests"), "{line}");
        assert!(!is_bar(&line), "{line}");

        for (ended, full) in [(0, 0), (5, 6), (20, 24)] {
            let wanted = 20;
            show(
                &bar,
                "acme/web",
                &spent(3 + 2 * ended, 0, Looks { wanted, ended }),
            );
            let line = screen.take();
            let last = line.rsplit('[').nth(1).unwrap_or_default();
            assert!(
                last.contains(&format!("] {ended} of 20 images, acme/web: ")),
                "{line}"
            );
            assert!(is_bar(last), "{line}");
            assert_eq!(last.matches('█').count(), full, "{line}");
        }
    }
}
