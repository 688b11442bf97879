#![forbid(unsafe_code)]
//! Fuzz targets.
