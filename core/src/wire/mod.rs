//! Packets: `Packet` gives access to bytes without judging them, `Repr` is their meaning.
