//! Requests forwarded over real sockets, to servers that behave well and to servers that do not.

#[path = "forwarding/bodies.rs"]
mod bodies;
#[path = "forwarding/connections.rs"]
mod connections;
#[path = "forwarding/endings.rs"]
mod endings;
#[path = "forwarding/support.rs"]
mod support;
#[path = "forwarding/tunnels.rs"]
mod tunnels;
