// The scenarios. Each starts its own servers in a scratch folder, measures in rounds that alternate
// between the systems (the machine is noisy: what is compared must share its weather), adds what it
// found to the report and leaves nothing running. They throw std::runtime_error when a server
// cannot be started or driven at all; wrong or missing events are counted as checks instead.
#pragma once

#include "options.hpp"
#include "report.hpp"

namespace soma::bench {

void run_fanout(const options& o, report& r);     // many live readers of one session
void run_parked(const options& o, report& r);     // memory of readers to whom nothing happens
void run_append(const options& o, report& r);     // durable small events, closed loop
void run_replay(const options& o, report& r);     // a long session read from its start
void run_paths(const options& o, report& r);      // what a unit of work of the hot paths costs
void run_start(const options& o, report& r);      // start-up with many sessions on disk
void run_relay(const options& o, report& r);      // model calls through the gateway
void run_tls(const options& o, report& r);        // the same over TLS, beside plain
void run_turn(const options& o, report& r);       // a message, its first delta, its whole answer
void run_live(const options& o, report& r);       // live readers of a log, publishers unchecked
void run_activate(const options& o, report& r);   // a long session that has left memory
void run_memory(const options& o, report& r);     // what a session holds, and leaves behind
void run_streaming(const options& o, report& r);  // very many slow answers at once
void run_slow_disk(const options& o, report& r);  // who notices a disk that syncs slowly
void run_tool(const options& o, report& r);       // a tool's call and its result

}  // namespace soma::bench
