//! What is known of the interfaces and their addresses.
