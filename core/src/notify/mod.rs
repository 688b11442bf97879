//! What people and programs read: log lines with the original's wording where programs match it.

pub mod text;
