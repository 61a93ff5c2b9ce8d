// Live fan-out of a log, beside the Durable Streams server: publishers each post an event, wait for
// its acknowledgement and post the next, while many readers follow; how long until every reader has
// every event. Unlike `fanout` nothing holds publishers back: what a system acknowledges before it
// is delivered waits in it.
#include "clock.hpp"
#include "peers/durable_streams.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t publishers = 16;

struct live_size {
  std::size_t readers, events;
};

// One frame may hold several events.
std::size_t events_in(std::string_view data) {
  constexpr std::string_view key = "{\"t\":";
  std::size_t n = 0;
  for (auto at = data.find(key); at != data.npos; at = data.find(key, at + key.size())) ++n;
  return n;
}

void follow(const options& o, stream_server& server, const live_size& size, report& r) {
  event_loop loop;
  const auto channel = server.new_channel();
  histogram latency;
  std::uint64_t delivered = 0, seen = 0;
  const auto wanted = static_cast<std::uint64_t>(size.readers) * size.events;

  // Once a reader of this server has had an event it is sure to follow: one is published before.
  std::size_t sent = 0, allowed = 1;
  request_load load(loop, {server.port(), publishers},
                    [&](std::size_t, std::int64_t now, std::string& out) {
                      if (sent == allowed) return request_load::nothing;
                      ++sent;
                      out += server.publish_request(channel, stamped_payload(now, o.payload_bytes));
                      return now;
                    });
  loop.run(10 * ns_per_s, [&](std::int64_t now) {
    load.pump(now);
    return load.acks() + load.errors() > 0 ? event_loop::stop : now + ns_per_ms;
  });
  sse_crowd crowd(loop, server.port(), server.subscribe_request(channel), server.ids());
  const auto opened_at = now_ns();
  crowd.open(size.readers, 120 * ns_per_s);
  const auto opened_s = static_cast<double>(now_ns() - opened_at) / ns_per_s;
  loop.run_until(200 * ns_per_ms, [] { return false; });  // what was before them is read
  crowd.group().on_event = [&](sse_reader&, const sse_frame& frame) {
    const auto events = events_in(frame.data);
    delivered += events;
    if (events == 0 || (++seen & 15)) return;
    if (const auto stamp = stamp_of(frame.data); stamp > 0) latency.add(now_ns() - stamp);
  };

  loop.set_nap(ns_per_ms);
  load.clear_counts();
  allowed += size.events;
  const auto cpu = server.process().cpu_seconds();
  const auto begin = now_ns();
  auto last = delivered;
  auto moved_at = begin;
  loop.run(120 * ns_per_s, [&](std::int64_t now) {
    load.pump(now);
    if (std::exchange(last, delivered) != delivered) moved_at = now;
    const bool over = delivered >= wanted || crowd.group().failed + load.errors() > 0 ||
                      now - moved_at > 15 * ns_per_s;
    return over ? event_loop::stop : now + ns_per_ms;
  });
  const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
  const auto name = with_commas(size.readers) + " readers × " + with_commas(size.events) +
                    " events, 16 publishers";
  const auto add = [&](const char* metric, const char* unit, double value) {
    r.add({"live", name, metric, unit}, server.name(), value);
  };
  const auto ms = [](std::uint64_t ns) { return static_cast<double>(ns) / ns_per_ms; };
  add("delivered", "events/s", static_cast<double>(delivered) / seconds);
  add("publish to read p50", "ms", ms(latency.percentile(50)));
  add("publish to read p99", "ms", ms(latency.percentile(99)));
  add("publish to ack p50", "ms", ms(load.latency().percentile(50)));
  add("server CPU a delivered event", "µs",
      1e6 * (server.process().cpu_seconds() - cpu) / std::max(static_cast<double>(delivered), 1.0));
  add("readers taken up in", "s", opened_s);
  const auto who = "live, " + server.name() + ": ";
  r.add_check(who + "events that did not reach a reader exactly once",
              wanted > delivered ? wanted - delivered : delivered - wanted);
  r.add_check(who + "streams lost", crowd.group().failed, crowd.group().first_failure);
  r.add_check(who + "publishes refused", load.errors(), load.first_error());
}

}  // namespace

void run_live(const options& o, report& r) {
  scratch_folder scratch(o.work_dir);
  std::vector<std::unique_ptr<stream_server>> systems;
  if (o.with_soma) {
    const soma_launch launch{scratch.path() / "data", scratch.path() / "soma.log", {}};
    systems.push_back(std::make_unique<soma_server>(o, launch));
  }
  if (o.with_peers) {
    if (auto peer = start_durable_streams(o.components, scratch.path()))
      systems.push_back(std::move(peer));
    else
      r.add_note(std::string("live: ") + durable_streams_missing);
  }
  const auto sizes = o.quick ? std::vector<live_size>{{200, 100}}
                             : std::vector<live_size>{{1000, 600}, {5000, 120}};
  for (const auto& size : sizes) {
    for (std::size_t round = 0; round < o.rounds; ++round) {
      for (auto* server : in_order_of_round(systems, round)) follow(o, *server, size, r);
    }
    if (systems.size() < 2) continue;
    const auto name = with_commas(size.readers) + " readers × " + with_commas(size.events) +
                      " events, 16 publishers";
    const metric_name rate{"live", name, "delivered", "events/s"},
        p50{"live", name, "publish to read p50", "ms"};
    r.add_target({"live to " + with_commas(size.readers) + " readers against Durable Streams",
                  r.median(rate, "soma") / r.median(rate, "durable streams"), bound::at_least, 1,
                  "×"});
    r.add_target({"its p50 against theirs, " + with_commas(size.readers) + " readers",
                  r.median(p50, "soma") / r.median(p50, "durable streams"), bound::at_most, 1,
                  "×"});
  }
}

}  // namespace soma::bench
