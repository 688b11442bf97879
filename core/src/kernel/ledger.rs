//! Want / have / in flight: turns what the machines ask for into ordered kernel changes.
