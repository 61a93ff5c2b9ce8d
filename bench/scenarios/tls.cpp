// What TLS costs the server: model calls at 64 connections, over TLS and plain. The harness speaks
// no TLS, so an nginx stands before each of both servers alike and only the server's own CPU
// counts; connections are kept, so handshakes are not in it.
#include <stdexcept>

#include "clock.hpp"
#include "peers/relays.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t connections = 64;
const std::string question =
    R"({"model":"default","messages":[{"role":"user","content":"Say something of some length."}]})";

struct way {
  const char* name;
  chat_relay* server;  // whose CPU counts
  chat_relay* front;   // that is asked
};

double cpu_of_a_call(const options& o, const way& w, report& r) {
  event_loop loop;
  const auto request = w.server->request(question);
  request_load load(loop, {w.front->port(), connections},
                    [&](std::size_t, std::int64_t now, std::string& out) {
                      out += request;
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
  const auto cpu = w.server->process().cpu_seconds();
  run_for(o.seconds);
  const auto answers = static_cast<double>(load.acks());
  const auto each = 1e6 * (w.server->process().cpu_seconds() - cpu) / std::max(answers, 1.0);
  load.drain(10 * ns_per_s);
  r.add_check(std::string("tls, ") + w.name + ": requests refused or lost", load.errors(),
              load.first_error());
  return each;
}

}  // namespace

void run_tls(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  const auto folder = [&](const char* name) { return scratch.path() / name; };
  const auto provider = start_fixed_provider(folder("provider"));
  const auto files = make_tls_files(folder("certificate"));
  const auto plain = start_soma_relay(o, folder("plain"), provider->port());
  const auto tls = start_soma_tls_relay(o, folder("tls"), provider->port(), files);
  const auto plain_front = start_nginx_proxy(folder("plain-front"), plain->port());
  const auto tls_front = start_nginx_tls_client(folder("tls-front"), tls->port());
  const way ways[] = {{"plain", plain.get(), plain_front.get()},
                      {"soma", tls.get(), tls_front.get()}};  // `compare` looks for soma
  const metric_name name{"tls", "64 connections", "server CPU a call", "µs"};
  for (std::size_t round = 0; round < o.rounds; ++round)
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& w = ways[round % 2 ? 1 - i : i];
      r.add(name, w.name, cpu_of_a_call(o, w, r));
    }
  r.add_target({"server CPU a relayed call over TLS against plain",
                r.median(name, "soma") / r.median(name, "plain"), bound::at_most, 1.6, "×"});
}

}  // namespace soma::bench
