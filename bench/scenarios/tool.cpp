// Tool round trips: POST a call by hand, wait for its tool.result on the session's stream. `echo`
// runs in the server: what is measured is the runtime, its two durable events included. A program
// of one word shows what the sandbox adds; bare bubblewrap beside it, with the same namespaces and
// no filter, limits or cgroup, is what a sandbox costs at the least.
#include <spawn.h>
#include <sys/wait.h>

#include <stdexcept>

#include "clock.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

extern char** environ;

namespace soma::bench {
namespace {

struct tool_load {
  const char* name;
  const char* tool;
  const char* inputs;
  std::size_t sessions, calls;  // calls: a session and round
};

struct caller {
  std::string session;
  std::unique_ptr<sse_reader> stream;
  std::int64_t asked_ns = 0;
  bool busy = false;
  std::size_t calls_left = 0;
};

double ms(std::uint64_t ns) {
  return static_cast<double>(ns) / ns_per_ms;
}

void publish(const tool_load& l, const std::string& system, const histogram& times, report& r) {
  r.add({"tool", l.name, "round trip p50", "ms"}, system, ms(times.percentile(50)));
  r.add({"tool", l.name, "round trip p99", "ms"}, system, ms(times.percentile(99)));
}

void call_soma(soma_server& soma, const tool_load& l, report& r) {
  event_loop loop;
  histogram times;
  sse_group group(loop);
  std::vector<caller> callers(l.sessions);
  std::size_t done = 0, failed = 0;
  group.on_event = [&](sse_reader& reader, const sse_frame& frame) {
    auto& c = callers[reader.tag];
    if (frame.event != "tool.result" || !c.busy) return;
    times.add(now_ns() - c.asked_ns);
    failed += frame.data.find("\"status\":\"success\"") == frame.data.npos;
    c.busy = false;
    ++done;
  };
  for (std::size_t i = 0; i < l.sessions; ++i) {
    auto& c = callers[i];
    c.session = soma.new_session();
    c.calls_left = l.calls;
    c.stream = std::make_unique<sse_reader>(group, soma.port(), soma.subscribe_request(c.session),
                                            soma.ids());
    c.stream->tag = i;
  }
  loop.run_until(20 * ns_per_s, [&] { return group.ready == l.sessions || group.failed > 0; });
  if (group.ready != l.sessions) throw std::runtime_error("streams: " + group.first_failure);
  request_load load(loop, {soma.port(), l.sessions},
                    [&](std::size_t i, std::int64_t now, std::string& out) {
                      auto& c = callers[i];
                      if (c.busy || c.calls_left == 0) return request_load::nothing;
                      --c.calls_left;
                      c.busy = true;
                      c.asked_ns = now;
                      out += soma.tool_request(c.session, l.tool, l.inputs);
                      return now;
                    });
  loop.run(120 * ns_per_s, [&](std::int64_t now) {
    load.pump(now);
    const bool over = done == l.sessions * l.calls || group.failed + load.errors() > 0;
    return over ? event_loop::stop : now + ns_per_ms / 4;
  });
  publish(l, "soma", times, r);
  r.add_check(std::string("tool, ") + l.name + ": results that never came",
              l.sessions * l.calls - done);
  r.add_check(std::string("tool, ") + l.name + ": calls that failed", failed);
}

// As the sandbox starts a program, one after another.
void call_bubblewrap(const tool_load& l, report& r) {
  const char* arguments[] = {"/usr/bin/bwrap",
                             "--unshare-all",
                             "--die-with-parent",
                             "--ro-bind",
                             "/usr",
                             "/usr",
                             "--symlink",
                             "usr/lib",
                             "/lib",
                             "--symlink",
                             "usr/lib64",
                             "/lib64",
                             "--symlink",
                             "usr/bin",
                             "/bin",
                             "--proc",
                             "/proc",
                             "--dev",
                             "/dev",
                             "--tmpfs",
                             "/tmp",
                             "/usr/bin/bash",
                             "-c",
                             ":",
                             nullptr};
  histogram times;
  for (std::size_t n = 0; n < l.calls; ++n) {
    const auto begin = now_ns();
    pid_t child = 0;
    if (posix_spawn(&child, arguments[0], nullptr, nullptr, const_cast<char**>(arguments),
                    environ) != 0)
      return;
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) return;  // no namespaces here: nothing to compare with
    times.add(now_ns() - begin);
  }
  publish(l, "bare bubblewrap", times, r);
}

}  // namespace

void run_tool(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  rehearsal_server model(o, scratch.path());
  soma_server soma(o, {scratch.path() / "data",
                       scratch.path() / "soma.log",
                       {{"SOMA_LLM_BASE_URL", model.base_url()}, {"SOMA_LLM_MODEL", "rehearsal"}}});
  const tool_load loads[] = {
      {"echo, one call at a time", "echo", R"({"text":"x"})", 1, 40 * o.turns},
      {"echo, 64 sessions at once", "echo", R"({"text":"x"})", 64, 4 * o.turns},
      {"an empty program, one at a time", "code_execute", R"({"language":"bash","code":":"})", 1,
       4 * o.turns},
  };
  for (std::size_t round = 0; round < o.rounds; ++round) {
    for (const auto& l : loads) call_soma(soma, l, r);
    call_bubblewrap(loads[2], r);
  }
  r.add_target({"tool round trip in the server, p50, one at a time",
                r.median({"tool", loads[0].name, "round trip p50", "ms"}, "soma"), bound::at_most,
                2, "ms"});
}

}  // namespace soma::bench
