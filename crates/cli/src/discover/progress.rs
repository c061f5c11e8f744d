//! A line on a terminal while a discovery goes on: how many requests, and for how long.

use std::future::Future;
use std::time::{Duration, Instant};

use artifacts::Cost;
use indicatif::{ProgressBar, ProgressStyle};

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(100);

/// Does `work` and says how far it is; nothing is written where standard error is no terminal.
pub(super) async fn shown<T>(
    what: &str,
    cost: &Cost,
    work: impl Future<Output = T>,
) -> (T, Duration) {
    let bar = ProgressBar::new_spinner();
    // The template is ours, so it can be read.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
        bar.set_style(style);
    }
    let started = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    let mut work = std::pin::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = tick.tick() => {
                let spent = cost.spent();
                let git: u64 = spent.git.values().sum();
                let mut message = format!("{what}: {} requests", spent.total());
                if git > 0 {
                    message = format!("{message}, git is fetching");
                }
                bar.set_message(message);
                bar.tick();
            }
        }
    };
    bar.finish_and_clear();
    (result, started.elapsed())
}
