//! Acceptance: what Postledger promises, over real HTTP and the real consumer, while things go wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod advisories;
mod api;
mod api_commands;
mod api_fuzz;
mod api_speed;
mod ask;
mod bad_input;
mod bearer;
mod beside;
mod beside_commands;
mod blast;
mod body_memory;
mod causes;
mod circles;
mod clients;
mod commands;
mod consumer;
mod costs;
mod doctor;
mod door;
mod erase;
mod examples;
mod fixtures;
mod given;
mod house;
mod lasting;
mod lists;
mod masked;
mod odd_bodies;
mod one_machine;
mod operator;
mod ops;
mod privacy;
mod reconcile;
mod reconcile_memory;
mod revoke;
mod screens;
mod sim;
mod soak;
mod streams;
mod sweep;
mod template;
mod tenants;
mod timers;
