//! What the configuration says to the parent.

use crate::config::bound::Bound;
use crate::time::Duration;

use super::Kinds;

/// How long a child may take to leave before it is killed: keepalived's `child_wait_time`.
pub const CHILD_WAIT_TIME: Duration = Duration::from_secs(5);

/// How often each child is said hello to, unless `relevo_hello_interval` says otherwise.
pub const HELLO_INTERVAL: Duration = Duration::from_secs(5);

/// Intervals after which a child has shown that it can work.
const SETTLED_INTERVALS: u64 = 10;

/// The least time after which a child counts as settled, however short the intervals.
const SETTLED_MIN: Duration = Duration::from_secs(1);

/// What the configuration says to the parent.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The kinds of children that have something to do.
    pub wanted: Kinds,
    /// Time between two hellos (`relevo_hello_interval`). A child that leaves one unanswered for
    /// two intervals is killed and replaced.
    pub hello_interval: Duration,
    /// How long a child may take to leave (`child_wait_time`).
    pub child_wait_time: Duration,
    /// A child that has worked for so long is started again at once when it dies.
    pub settled_after: Duration,
}

impl Terms {
    /// The terms of a configuration under which the kinds `wanted` have something to do.
    ///
    /// A child has settled after ten intervals: of hellos or, where they are shorter, of adverts.
    /// Virtual routers that count in tenths of a second cannot wait for a pause meant for routers
    /// that count in seconds.
    pub fn new(wanted: Kinds, bound: &Bound) -> Self {
        let global = &bound.global;
        let hello_interval = global.hello_interval.unwrap_or(HELLO_INTERVAL);
        let adverts = bound
            .instances
            .iter()
            .map(|instance| instance.advert_interval);
        let shortest = adverts.fold(hello_interval, Duration::min);
        Self {
            wanted,
            hello_interval,
            child_wait_time: global.child_wait_time.unwrap_or(CHILD_WAIT_TIME),
            settled_after: (shortest * SETTLED_INTERVALS).max(SETTLED_MIN),
        }
    }
}
