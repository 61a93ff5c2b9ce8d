// A long session read from its start by some readers at once: how fast history comes back after a
// reload, a reconnect or a new tab. No peer: nchan keeps no history on disk.
#include "clock.hpp"
#include "peers/soma.hpp"
#include "scenarios/filled_session.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t sweeps_a_round = 10;

void sweep(const options& o, soma_server& soma, const std::string& request, report& r) {
  event_loop loop;
  sse_crowd crowd(loop, soma.port(), request, soma.ids());
  const auto wanted = (o.replay_events + 1) * o.replay_readers;  // and session.open
  const auto begin = now_ns();
  crowd.open(o.replay_readers, 20 * ns_per_s);
  loop.run_until(20 * ns_per_s, [&] { return crowd.group().events >= wanted; });
  const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
  const auto load =
      with_commas(o.replay_readers) + " readers of " + with_commas(o.replay_events) + " events";
  r.add({"replay", load, "replayed", "MB/s"}, "soma",
        static_cast<double>(crowd.group().bytes) / 1e6 / seconds);
  r.add({"replay", load, "replayed events", "events/s"}, "soma",
        static_cast<double>(crowd.group().events) / seconds);
  r.add({"replay", load, "until all have all", "ms"}, "soma", seconds * 1e3);
  const auto events = crowd.group().events;
  r.add_check("replay: events missing or too many",
              events > wanted ? events - wanted : wanted - events);
  r.add_check("replay: gaps in ids", crowd.gaps());
  r.add_check("replay: repeated ids", crowd.repeats());
}

}  // namespace

void run_replay(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  const soma_launch launch{scratch.path() / "data", scratch.path() / "soma.log", {}};
  soma_server soma(o, launch);
  const auto session = soma.new_session();
  fill_session(o, soma, session, o.replay_events);
  const auto request = soma.replay_request(session);
  for (std::size_t i = 0; i < o.rounds * sweeps_a_round; ++i) sweep(o, soma, request, r);
  const auto load =
      with_commas(o.replay_readers) + " readers of " + with_commas(o.replay_events) + " events";
  r.add_target({"replay over four readers", r.median({"replay", load, "replayed", "MB/s"}, "soma"),
                bound::at_least, 500, "MB/s"});
}

}  // namespace soma::bench
