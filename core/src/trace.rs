//! One line of text for each event and action, and events back from text.
