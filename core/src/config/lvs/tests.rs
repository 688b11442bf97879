//! The blocks of the load balancer.
