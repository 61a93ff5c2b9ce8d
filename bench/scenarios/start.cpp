// Start-up with many sessions on disk: from the fork of the server until /readyz says 200, and what
// it holds in memory then. The sessions are made over the API, once; the page cache is warm.
#include <fstream>
#include <stdexcept>

#include "clock.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t makers = 64;

void make_sessions(const options& o, const soma_server& soma, report& r) {
  event_loop loop;
  std::size_t sent = 0;
  const auto request = soma.new_session_request();
  request_load load(loop, {soma.port(), makers},
                    [&](std::size_t, std::int64_t now, std::string& out) {
                      if (sent == o.start_sessions) return request_load::nothing;
                      ++sent;
                      out += request;
                      return now;
                    });
  const auto begin = now_ns();
  loop.run(300 * ns_per_s, [&](std::int64_t now) {
    load.pump(now);
    return load.acks() + load.errors() >= o.start_sessions ? event_loop::stop : now + ns_per_ms;
  });
  if (load.acks() != o.start_sessions) {
    throw std::runtime_error(std::to_string(load.acks()) +
                             " sessions were made: " + load.first_error());
  }
  r.add({"start", "making the sessions", "made", "sessions/s"}, "soma",
        static_cast<double>(load.acks()) * ns_per_s / static_cast<double>(now_ns() - begin));
}

// True when `folder` already holds the sessions wanted.
bool prepared(const std::filesystem::path& mark, std::size_t sessions) {
  std::ifstream file(mark);
  std::size_t made = 0;
  return file >> made && made == sessions;
}

}  // namespace

void run_start(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  const auto folder = o.start_data_dir.empty() ? scratch.path() / "start" : o.start_data_dir;
  const auto mark = folder / "bench-sessions";
  const soma_launch launch{folder / "data", scratch.path() / "soma.log", {}};
  if (!prepared(mark, o.start_sessions)) {
    soma_server soma(o, launch);
    make_sessions(o, soma, r);
    soma.process().stop();
    write_file(mark, std::to_string(o.start_sessions));
  }
  const auto load = with_commas(o.start_sessions) + " sessions on disk";
  for (std::size_t round = 0; round < o.rounds + 2; ++round) {
    soma_server soma(o, launch);
    r.add({"start", load, "until ready", "s"}, "soma", soma.ready_after_s());
    event_loop idle;
    idle.run_until(to_ns(o.quick ? 0.2 : 2), [] { return false; });
    const auto memory = soma.process().memory();
    r.add({"start", load, "idle RSS", "MB"}, "soma", memory.rss_bytes / 1e6);
    r.add({"start", load, "idle PSS", "MB"}, "soma", memory.pss_bytes / 1e6);
  }
  r.add_target({"start-up with " + load, r.median({"start", load, "until ready", "s"}, "soma"),
                bound::at_most, 2, "s"});
  r.add_target({"idle memory with " + load, r.median({"start", load, "idle RSS", "MB"}, "soma"),
                bound::at_most, 100, "MB"});
}

}  // namespace soma::bench
