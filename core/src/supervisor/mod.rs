//! The parent that watches over the children.
