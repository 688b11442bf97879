//! Every ceiling of the core, with its reason.

/// Actions pushed by one call before the machine yields with `more()`: the loop shall see its
/// sockets and due adverts at least this often, whatever the size of a burst.
pub const SLICE: usize = 200;

/// The same while a deadline is near: a thousand virtual routers that take over one after the other
/// within some milliseconds shall each send its advert in time, whatever the addresses of the first.
pub const SLICE_SHORT: usize = 16;

/// And the one of the first look in a burst of due timers: the first address is announced while the
/// other adverts are still to be sent.
pub const SLICE_FIRST: usize = 2;

/// How near a deadline must be for slices to be short, in microseconds: about what the kernel needs
/// for a long one.
pub const SLICE_SHORT_WITHIN_US: u64 = 10_000;

/// How late a wake-up may be, in microseconds, before whatever waits in the sockets is read first,
/// whichever timer is due.
pub const LATE_US: u64 = 5_000;

/// Timers acted on by one call before the machine yields: as many adverts leave in one burst, and a
/// foreign peer's receive buffer of default size holds 256.
pub const TIMERS: usize = 128;

/// So many timers in one call, and the next deadline so near (in microseconds), are a burst: more will
/// be due before any queued work were done.
pub const BURST_TIMERS: usize = 8;
/// See [`BURST_TIMERS`].
pub const BURST_WITHIN_US: u64 = 1_000;

/// Calls in a row in which due timers come before queued kernel changes and announcements. A host
/// that cannot keep up with its adverts must still get its addresses.
pub const TIMERS_FIRST: u8 = 64;

/// Addresses in one advert: the count field has eight bits (RFC 9568 section 5.2.5).
pub const ADVERT_ADDRESSES: usize = 255;

/// Octets of an Ethernet frame's payload below which a sender pads: surplus octets behind a short
/// IPv4 packet are padding up to here and an error beyond.
pub const ETHERNET_PAYLOAD_MIN: usize = 46;

/// Characters of an interface name: IFNAMSIZ less its terminating zero.
pub const INTERFACE_NAME: usize = 15;

/// Octets of a VRRPv2 password (RFC 2338 section 5.3.10): longer ones are cut.
pub const PASSWORD: usize = 8;

/// Octets of one line of configuration, as in the original.
pub const CONFIG_LINE: usize = 1024;

/// Nesting of configuration blocks: far beyond any real file, small enough never to exhaust the
/// stack on a hostile one.
pub const CONFIG_DEPTH: usize = 32;

/// Files that one configuration is read from.
pub const CONFIG_FILES: usize = 10_000;

/// Files that include each other, one in the other.
pub const INCLUDE_DEPTH: usize = 16;

/// Patterns that the braces of one include may stand for.
pub const INCLUDE_PATTERNS: usize = 1_000;

/// Definitions that use each other, one in the other: a definition that uses itself is noticed here.
pub const DEFINITION_DEPTH: usize = 32;

/// Octets of one line of configuration with its definitions put in: wide enough for any real one,
/// short enough that putting in thousands costs little.
pub const EXPANDED_LINE: usize = 8_192;

/// Octets of a whole configuration that definitions and repetitions make: 200,000 servers of twelve
/// lines fit, exponential definitions end soon.
pub const EXPANDED: usize = 128 << 20;

/// The same for a text that is read alone, by a test or a simulation.
pub const EXPANDED_ALONE: usize = 2 << 20;

/// Times that one prefix repeats its line.
pub const REPETITIONS: u64 = 1_000_000;

/// Repetitions and definitions of several lines, one in the other.
pub const WORK_DEPTH: usize = 64;

/// Words of one block of the top level: 200,000 servers of twelve lines in one virtual server fit
/// twice.
pub const BLOCK_WORDS: usize = if cfg!(test) { 200_000 } else { 16_000_000 };

/// Diagnostics kept for one configuration: what comes after is counted, not kept.
pub const DIAGNOSTICS: usize = 1_000;
