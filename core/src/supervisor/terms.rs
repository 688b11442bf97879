//! What the configuration says to the parent.

use crate::config::bound::Bound;
use crate::time::Duration;
use crate::vrrp::snapshot::ADVERTS;

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
    /// After a pause of at most so long a master's successor is there in time: no peer can have
    /// taken over.
    pub patience: Duration,
}

impl Terms {
    /// The terms of a configuration under which the kinds `wanted` have something to do.
    ///
    /// A child has settled after ten intervals: of hellos or, where they are shorter, of adverts.
    /// Virtual routers that count in tenths of a second cannot wait for a pause meant for routers
    /// that count in seconds.
    pub fn new(wanted: Kinds, bound: &Bound) -> Self {
        let hello_interval = bound.global.hello_interval.unwrap_or(HELLO_INTERVAL);
        Self::with_hello(wanted, bound, hello_interval)
    }

    /// The same with another time between hellos than the configuration's.
    pub fn with_hello(wanted: Kinds, bound: &Bound, hello_interval: Duration) -> Self {
        let global = &bound.global;
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
            patience: patience(bound),
        }
    }
}

/// The last advert may have left a whole interval before the death. Of what a peer then still waits,
/// half is for the start of the successor.
fn patience(bound: &Bound) -> Duration {
    let left = bound.instances.iter().map(|instance| {
        let missed = u64::from(instance.down_timer_adverts.min(ADVERTS));
        let span = instance.advert_interval * missed.saturating_sub(1);
        Duration::from_micros(span.as_micros() / 2)
    });
    left.min().unwrap_or(Duration::ZERO)
}
