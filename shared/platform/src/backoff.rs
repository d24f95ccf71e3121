//! The one backoff: how long to wait before something is tried again.

use std::time::Duration;

/// Pauses between tries. Each is drawn from between half of a length and all of it, so that those who failed together do
/// not try again together; the length doubles from pause to pause, up to a longest.
#[derive(Clone, Debug)]
pub struct Backoff {
    length: Duration,
    longest: Duration,
}

impl Backoff {
    /// Begins with a length.
    pub fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { length: first.min(longest), longest }
    }

    /// How long to wait now.
    pub fn pause(&mut self) -> Duration {
        let pause = self.length.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.length = (self.length * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_drawn_from_their_upper_half() {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(50));
        for most in [20, 40, 50, 50] {
            let pause = backoff.pause();
            assert!(
                (Duration::from_millis(most / 2)..=Duration::from_millis(most)).contains(&pause),
                "{pause:?}"
            );
        }
    }
}
