//! Local time of day.

/// A moment in the host's time zone.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct LocalTime {
    pub(crate) year: i32,
    /// From 0.
    pub(crate) month: u8,
    /// From 1.
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    /// From Sunday, which is 0.
    pub(crate) weekday: u8,
}

/// Seconds that local time is ahead of UTC at a moment in seconds since 1970.
pub(crate) fn east_of_utc(secs: i64) -> i64 {
    // SAFETY: all-zero is a valid value of this plain C struct; its pointer may be null.
    let mut broken: libc::tm = unsafe { std::mem::zeroed() };
    let secs: libc::time_t = secs;
    // SAFETY: both pointers are to locals of the right types; on failure `broken` is untouched.
    unsafe { libc::localtime_r(&raw const secs, &raw mut broken) };
    broken.tm_gmtoff
}

/// Seconds since 1970 as local time; the epoch itself if the year does not fit.
pub(crate) fn from_unix(secs: i64) -> LocalTime {
    // SAFETY: all-zero is a valid value of this plain C struct; its pointer may be null.
    let mut broken: libc::tm = unsafe { std::mem::zeroed() };
    let secs: libc::time_t = secs;
    // SAFETY: both pointers are to locals of the right types; on failure `broken` is untouched.
    unsafe { libc::localtime_r(&raw const secs, &raw mut broken) };
    LocalTime {
        year: broken.tm_year + 1900,
        month: broken.tm_mon as u8,
        day: broken.tm_mday as u8,
        hour: broken.tm_hour as u8,
        minute: broken.tm_min as u8,
        second: broken.tm_sec as u8,
        weekday: broken.tm_wday as u8,
    }
}
