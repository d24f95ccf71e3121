//! What shows on standard error that work goes on.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::time::Duration;

/// How often what shows that work goes on moves.
const TICK: Duration = Duration::from_millis(200);

/// A progress bar on standard error. It moves while nothing else does: an answer may take long.
pub fn progress(length: Option<u64>, what: &str) -> ProgressBar {
    match length {
        Some(length) => {
            bar(ProgressBar::new(length), "{spinner} {msg} {wide_bar} {pos}/{len} {per_sec} {eta}", what)
        }
        None => bar(ProgressBar::new_spinner(), "{spinner} {msg} {pos} {per_sec}", what),
    }
}

/// Shows on standard error that work goes on, and for how long.
pub fn busy(what: &str) -> ProgressBar {
    bar(ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}", what)
}

fn bar(bar: ProgressBar, template: &str, what: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    // Where work ends by a failure, too, what is told then begins on a line of its own.
    let bar = bar.with_finish(ProgressFinish::AndClear).with_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
