// Many live readers of one session. Two loads a round:
//  saturated: publishers run `window` events ahead of the average reader, no further (fewer with
//             very many readers), so every system is driven as hard as it can deliver and no queue
//             grows without bound;
//  paced:     the same modest rate for every system, where latency says something. Its stamp is
//             the time an event was due, so a stalled system cannot hide the events it delayed.
#include <algorithm>

#include "clock.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

class fanout_round {
 public:
  fanout_round(const options& o, stream_server& server, std::size_t readers)
      : o_(o),
        server_(server),
        channel_(server.new_channel()),
        crowd_(loop_, server.port(), server.subscribe_request(channel_), server.ids()),
        load_(
            loop_, {server.port(), o.publishers, 1, parse_http_reply},
            [this](std::size_t, std::int64_t now, std::string& out) { return next(now, out); },
            [this](std::size_t, const reply& r) { acked_ += r.ok; }) {
    crowd_.group().on_event = [this](sse_reader&, const sse_frame& frame) { sample(frame); };
    window_ = std::max<std::size_t>(1, std::min(o.window, o.window_deliveries / readers));
    crowd_.open(readers, 60 * ns_per_s);
  }

  void measure(report& r, const std::string& load) {
    load_.clear_counts();
    latency_.clear();
    const auto cpu = server_.process().cpu_seconds(), own_cpu = own_cpu_seconds();
    const auto events = delivered();
    const auto begin = now_ns();
    run_for(o_.seconds);
    const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
    const auto got = static_cast<double>(delivered() - events);
    const auto add = [&](const char* metric, const char* unit, double value) {
      r.add({"fanout", load, metric, unit}, server_.name(), value);
    };
    add("delivered", "events/s", got / seconds);
    add("published", "acks/s", static_cast<double>(load_.acks()) / seconds);
    add("server CPU a delivered event", "µs",
        1e6 * (server_.process().cpu_seconds() - cpu) / std::max(got, 1.0));
    add("server CPU", "cores", (server_.process().cpu_seconds() - cpu) / seconds);
    add("harness CPU", "cores", (own_cpu_seconds() - own_cpu) / seconds);
    for (const double p : {50.0, 99.0}) {
      const std::string label = "publish to read p" + std::to_string(static_cast<int>(p));
      add(label.c_str(), "ms", static_cast<double>(latency_.percentile(p)) / ns_per_ms);
    }
    add("publish to ack p50", "ms",
        static_cast<double>(load_.latency().percentile(50)) / ns_per_ms);
  }

  void saturate() {
    loop_.set_nap(ns_per_ms);
    interval_ns_ = 0;
    sample_mask_ = 15;
    run_for(o_.warm_up_s);
  }

  void pace() {
    interval_ns_ = static_cast<std::int64_t>(static_cast<double>(crowd_.size()) *
                                             static_cast<double>(ns_per_s) / o_.paced_deliveries_s);
    due_ns_ = now_ns();
    loop_.set_nap(0);
    sample_mask_ = 0;
    run_for(o_.warm_up_s);
  }

  // Every acknowledged event must reach every reader, once.
  void settle(report& r) {
    load_.drain(60 * ns_per_s);
    const auto wanted = acked_ * crowd_.size();
    auto seen = delivered();
    auto moved_at = now_ns();
    loop_.run(60 * ns_per_s, [&](std::int64_t now) {
      if (std::exchange(seen, delivered()) != delivered()) moved_at = now;
      const bool over = delivered() >= wanted || failed() > 0 || now - moved_at > 5 * ns_per_s;
      return over ? event_loop::stop : now + ns_per_ms;
    });
    const auto who = "fanout, " + server_.name() + ": ";
    const auto missing = wanted > delivered() ? wanted - delivered() : delivered() - wanted;
    r.add_check(who + "acknowledged events that did not reach a reader exactly once", missing);
    r.add_check(who + "gaps in ids", crowd_.gaps());
    r.add_check(who + "repeated ids", crowd_.repeats());
    r.add_check(who + "streams lost", failed(), crowd_.group().first_failure);
    r.add_check(who + "publishes refused", load_.errors(), load_.first_error());
  }

 private:
  std::uint64_t delivered() const { return const_cast<sse_crowd&>(crowd_).group().events; }
  std::uint64_t failed() const { return const_cast<sse_crowd&>(crowd_).group().failed; }

  std::int64_t next(std::int64_t now, std::string& out) {
    std::int64_t stamp = now;
    if (interval_ns_ > 0) {
      if (due_ns_ > now) return request_load::nothing;
      stamp = std::exchange(due_ns_, due_ns_ + interval_ns_);
    } else if (sent_ * crowd_.size() >= delivered() + window_ * crowd_.size()) {
      return request_load::nothing;
    }
    ++sent_;
    out += server_.publish_request(channel_, stamped_payload(stamp, o_.payload_bytes));
    return stamp;
  }

  void sample(const sse_frame& frame) {
    if (++seen_ & sample_mask_) return;
    if (const auto stamp = stamp_of(frame.data); stamp > 0) latency_.add(now_ns() - stamp);
  }

  void run_for(double seconds) {
    loop_.run(to_ns(seconds), [&](std::int64_t now) {
      load_.pump(now);
      return interval_ns_ > 0 ? due_ns_ : now + ns_per_ms;
    });
  }

  const options& o_;
  stream_server& server_;
  event_loop loop_;
  std::string channel_;
  sse_crowd crowd_;
  std::uint64_t window_ = 1;
  std::uint64_t sent_ = 0, acked_ = 0, seen_ = 0;
  std::uint64_t sample_mask_ = 0;
  std::int64_t interval_ns_ = 0;  // 0: saturate
  std::int64_t due_ns_ = 0;
  histogram latency_;
  request_load load_;
};

}  // namespace

void run_fanout(const options& o, report& r) {
  scratch_folder scratch(o.work_dir);
  const auto systems = start_stream_servers(o, scratch.path());
  for (const auto readers : o.fanout_readers) {
    const auto who = with_commas(readers) + " readers";
    for (std::size_t round = 0; round < o.rounds; ++round) {
      for (auto* server : in_order_of_round(systems, round)) {
        fanout_round one(o, *server, readers);
        one.saturate();
        one.measure(r, who + ", saturated");
        one.settle(r);
        one.pace();
        one.measure(r, who + ", paced");
        one.settle(r);
      }
    }
    const metric_name delivered{"fanout", who + ", saturated", "delivered", "events/s"};
    if (systems.size() == 2) {
      r.add_target({"fan-out to " + who + ", delivered events/s against nchan",
                    r.median(delivered, "soma") / r.median(delivered, "nchan"), bound::at_least, 6,
                    "×"});
    }
  }
}

}  // namespace soma::bench
