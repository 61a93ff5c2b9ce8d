// Durable small events: each connection sends one, waits for its acknowledgement, sends the next.
// Against Redis Streams with an fsync a write, the Durable Streams server with a stream a
// connection, and against nginx answering at once, which does no
// work at all: the ceiling of HTTP and of the harness on this machine.
#include "clock.hpp"
#include "peers/durable_streams.hpp"
#include "peers/nginx.hpp"
#include "peers/redis.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"

namespace soma::bench {
namespace {

struct appender {
  std::string name;
  child_process* process;
  load_options load;
  std::function<std::string(std::size_t connection, const std::string& json)> request;
};

void append(const options& o, const appender& a, report& r) {
  event_loop loop;
  request_load load(loop, a.load, [&](std::size_t connection, std::int64_t now, std::string& out) {
    out += a.request(connection, stamped_payload(now, o.payload_bytes));
    return now;
  });
  const auto run_for = [&](double seconds) {
    loop.run(to_ns(seconds), [&](std::int64_t now) {
      load.pump(now);
      return now + 10 * ns_per_ms;
    });
  };
  run_for(o.warm_up_s);
  load.clear_counts();
  const auto cpu = a.process->cpu_seconds(), own_cpu = own_cpu_seconds();
  const auto begin = now_ns();
  run_for(o.seconds);
  const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
  const auto acks = static_cast<double>(load.acks());
  const auto add = [&](const char* metric, const char* unit, double value) {
    r.add({"append", with_commas(o.append_connections) + " connections", metric, unit}, a.name,
          value);
  };
  add("appended", "acks/s", acks / seconds);
  add("send to ack p50", "ms", static_cast<double>(load.latency().percentile(50)) / ns_per_ms);
  add("send to ack p99", "ms", static_cast<double>(load.latency().percentile(99)) / ns_per_ms);
  add("server CPU an append", "µs", 1e6 * (a.process->cpu_seconds() - cpu) / std::max(acks, 1.0));
  add("harness CPU", "cores", (own_cpu_seconds() - own_cpu) / seconds);
  load.drain(10 * ns_per_s);
  r.add_check("append, " + a.name + ": requests refused or lost", load.errors(),
              load.first_error());
}

}  // namespace

void run_append(const options& o, report& r) {
  scratch_folder scratch(o.work_dir);
  std::vector<appender> systems;
  std::unique_ptr<soma_server> soma;
  std::unique_ptr<redis_server> redis;
  std::unique_ptr<nginx_server> nginx;
  std::vector<std::string> sessions;
  if (o.with_soma) {
    const soma_launch launch{scratch.path() / "data", scratch.path() / "soma.log", {}};
    soma = std::make_unique<soma_server>(o, launch);
    for (std::size_t i = 0; i < o.append_connections; ++i) sessions.push_back(soma->new_session());
    systems.push_back({"soma",
                       &soma->process(),
                       {soma->port(), o.append_connections},
                       [&](std::size_t connection, const std::string& json) {
                         return soma->publish_request(sessions[connection], json);
                       }});
  }
  if (o.with_peers && redis_server::installed()) {
    redis = std::make_unique<redis_server>(scratch.path());
    systems.push_back({"redis XADD",
                       &redis->process(),
                       {redis->port(), o.append_connections, 1, parse_resp_reply},
                       [&](std::size_t connection, const std::string& json) {
                         return redis->xadd_request("s" + std::to_string(connection), json);
                       }});
  }
  std::unique_ptr<stream_server> durable;
  std::vector<std::string> streams;
  if (o.with_peers) durable = start_durable_streams(o.components, scratch.path());
  if (durable) {
    for (std::size_t i = 0; i < o.append_connections; ++i)
      streams.push_back(durable->new_channel());
    systems.push_back({durable->name(),
                       &durable->process(),
                       {durable->port(), o.append_connections},
                       [&](std::size_t connection, const std::string& json) {
                         return durable->publish_request(streams[connection], json);
                       }});
  } else if (o.with_peers) {
    r.add_note(std::string("append: ") + durable_streams_missing);
  }
  if (o.with_peers && nchan_installed()) {
    nginx = std::make_unique<nginx_server>(scratch.path());
    systems.push_back(
        {"nginx fixed reply",
         &nginx->process(),
         {nginx->port(), o.append_connections},
         [&](std::size_t, const std::string& json) { return nginx->fixed_request(json); }});
  }
  for (std::size_t round = 0; round < o.rounds; ++round) {
    for (std::size_t i = 0; i < systems.size(); ++i) {
      append(o, systems[round % 2 ? systems.size() - 1 - i : i], r);
    }
  }
  const auto median = [&](const char* metric, const char* unit, const std::string& system) {
    return r.median({"append", with_commas(o.append_connections) + " connections", metric, unit},
                    system);
  };
  if (!soma) return;
  const auto rate = median("appended", "acks/s", "soma");
  if (redis) {
    r.add_target({"durable appends/s against Redis XADD, appendfsync always",
                  rate / median("appended", "acks/s", "redis XADD"), bound::at_least, 1.5, "×"});
  }
  if (durable) {
    r.add_target({"durable appends/s against the Durable Streams server",
                  rate / median("appended", "acks/s", durable->name()), bound::at_least, 1, "×"});
  }
  r.add_target({"server CPU an append", median("server CPU an append", "µs", "soma"),
                bound::at_most, 22, "µs"});
}

}  // namespace soma::bench
