// The first command of a long session that is not in memory, until its answer: after the session
// has left memory in a running server, and after a start. Beside the same of a short session, and
// of one that is active: what is between them is reading and folding the log.
#include <unistd.h>

#include <stdexcept>

#include "clock.hpp"
#include "peers/soma.hpp"
#include "scenarios/filled_session.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

constexpr const char* config = "[session]\nidle_s = 1\n";

// One event appended on a connection of its own, in ms.
double append_one(soma_server& soma, const std::string& session, const options& o) {
  auto request = soma.publish_request(session, stamped_payload(now_ns(), o.payload_bytes));
  request.insert(request.find("\r\n"), "\r\nConnection: close");
  const auto begin = now_ns();
  const auto answer = exchange(soma.port(), request, 60'000);
  if (!answer.starts_with("HTTP/1.1 20"))
    throw std::runtime_error("not appended: " + answer.substr(0, 400));
  return static_cast<double>(now_ns() - begin) / ns_per_ms;
}

void wait_until_passive(soma_server& soma) {
  const auto deadline = now_ns() + 60 * ns_per_s;
  while (soma.metric("soma_sessions_active") > 0) {
    throw_if_interrupted();
    if (now_ns() > deadline) throw std::runtime_error("sessions do not leave memory");
    ::usleep(100'000);
  }
}

}  // namespace

void run_activate(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  const soma_launch launch{scratch.path() / "data", scratch.path() / "soma.log", {}, config};
  const auto load = "a session of " + with_commas(o.activate_events) + " events";
  const auto add = [&](const char* metric, double value) {
    r.add({"activate", load, metric, "ms"}, "soma", value);
  };
  std::string longer, shorter;
  {
    soma_server soma(o, launch);
    longer = soma.new_session();
    shorter = soma.new_session();
    fill_session(o, soma, longer, o.activate_events);
    for (std::size_t round = 0; round < o.rounds + 2; ++round) {
      wait_until_passive(soma);
      add("a short session, passive", append_one(soma, shorter, o));
      add("first command, passive", append_one(soma, longer, o));
      add("next command, active", append_one(soma, longer, o));
    }
  }
  for (std::size_t round = 0; round < o.rounds; ++round) {
    soma_server soma(o, launch);
    append_one(soma, shorter, o);
    add("first command, after a start", append_one(soma, longer, o));
  }
  r.add_target({"activating " + load,
                r.median({"activate", load, "first command, passive", "ms"}, "soma"),
                bound::at_most, 10, "ms"});
}

}  // namespace soma::bench
