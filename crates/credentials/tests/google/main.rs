//! Who acts at Google's registries, over a real API and a Google on loopback.

mod installation;

mod every_fault;
mod faults;
mod hosts;
mod keys;
mod namespaces;
mod renewal;
