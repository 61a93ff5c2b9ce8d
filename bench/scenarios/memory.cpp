// What a session with one turn behind it holds in memory: while it is active, right after it has
// left memory, and for good. Two waves of sessions of which each has a reader during its turn:
// what the first brings into memory once (code, pools, buffers of the store that are filled and
// kept) is there when the second begins, so what the second leaves behind is what a session does.
#include <unistd.h>

#include <stdexcept>

#include "clock.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t at_once = 100;
// Long enough that the first session of a wave is still active when the last one is done; a turn's
// deadline is short, so that what it holds is let go while the bench waits.
constexpr const char* config = "[session]\nidle_s = 20\n[turn]\ntimeout_s = 30\n";
constexpr int settled_s = 45;  // past the feeds' 30 s and the deadline

void one_turn_each(soma_server& soma, std::size_t sessions, report& r) {
  for (std::size_t done = 0; done < sessions; done += at_once) {
    event_loop loop;
    sse_group group(loop);
    std::vector<std::string> ids;
    std::vector<std::unique_ptr<sse_reader>> readers;
    std::size_t answers = 0;
    group.on_event = [&](sse_reader&, const sse_frame& frame) {
      answers += frame.event == "message.assistant" &&
                 frame.data.find("\"final\":true") != frame.data.npos;
    };
    for (std::size_t i = 0; i < at_once; ++i) {
      ids.push_back(soma.new_session());
      readers.push_back(std::make_unique<sse_reader>(
          group, soma.port(), soma.subscribe_request(ids.back()), soma.ids()));
    }
    loop.run_until(20 * ns_per_s, [&] { return group.ready == at_once || group.failed > 0; });
    std::vector<bool> asked(at_once);
    request_load load(
        loop, {soma.port(), at_once}, [&](std::size_t i, std::int64_t now, std::string& out) {
          if (asked[i]) return request_load::nothing;
          asked[i] = true;
          out += soma.message_request(ids[i], "Say something. [[rehearsal words=60 delay_ms=0]]");
          return now;
        });
    loop.run(30 * ns_per_s, [&](std::int64_t now) {
      load.pump(now);
      const bool over = answers == at_once || group.failed + load.errors() > 0;
      return over ? event_loop::stop : now + ns_per_ms;
    });
    r.add_check("memory: answers that never came", at_once - answers);
  }
}

void rest(double seconds) {
  event_loop idle;
  idle.run_until(to_ns(seconds), [] { return false; });
}

}  // namespace

void run_memory(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  rehearsal_server model(o, scratch.path());
  const soma_launch launch{scratch.path() / "data",
                           scratch.path() / "soma.log",
                           {{"SOMA_LLM_BASE_URL", model.base_url()},
                            {"SOMA_LLM_API_KEY", "rehearsal"},
                            {"SOMA_LLM_MODEL", "rehearsal"}},
                           config};
  soma_server soma(o, launch);
  const auto sessions = static_cast<double>(o.memory_sessions);
  const auto rss = [&] { return soma.process().memory().rss_bytes; };
  one_turn_each(soma, at_once, r);  // code and pools
  rest(o.quick ? 1 : 3);
  double settled_before = rss();
  for (const char* wave : {"the first wave", "the second wave"}) {
    const auto load = with_commas(o.memory_sessions) + " sessions with one turn, " + wave;
    const auto add = [&](const char* metric, double value) {
      r.add({"memory", load, metric, "KiB a session"}, "soma", value / 1024 / sessions);
    };
    one_turn_each(soma, o.memory_sessions, r);
    const auto active = soma.metric("soma_sessions_active");
    r.add_check("memory: sessions that were not active when they were measured",
                active < sessions ? static_cast<std::uint64_t>(sessions - active) : 0);
    add("active", rss() - settled_before);
    const auto deadline = now_ns() + 120 * ns_per_s;
    while (soma.metric("soma_sessions_active") > 0 && now_ns() < deadline) rest(0.2);
    add("right after leaving memory", rss() - settled_before);
    rest(o.quick ? 1 : settled_s);
    add("for good", rss() - settled_before);
    settled_before = rss();
  }
  const auto last = with_commas(o.memory_sessions) + " sessions with one turn, the second wave";
  r.add_target({"memory of an active session with one turn behind it",
                r.median({"memory", last, "active", "KiB a session"}, "soma"), bound::at_most, 6,
                "KiB"});
}

}  // namespace soma::bench
