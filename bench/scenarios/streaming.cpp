// Very many answers under way at once, a word every two seconds, for as long as one likes: does the
// server's memory stay where it is? Each answer is a session of its own that begins, speaks for a
// minute, rests and leaves memory, so that what ends is followed by what begins and nothing grows
// by itself. `--streaming-seconds 3600` watches for an hour.
#include <algorithm>
#include <stdexcept>

#include "clock.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"

namespace soma::bench {
namespace {

constexpr double answer_s = 60;
constexpr const char* question = "Say something. [[rehearsal words=30 delay_ms=2000]]";

// One tenant and one provider take all of it, and a session leaves memory soon.
std::string config_for(std::size_t answers) {
  const auto places = std::to_string(4 * answers);
  return "[session]\nidle_s = 5\n[turn]\ntimeout_s = 300\n[llm]\ncalls_max = " + places +
         "\nprovider_calls_max = " + places + "\n";
}

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace

void run_streaming(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  rehearsal_server model(o, scratch.path());
  const soma_launch launch{scratch.path() / "data",
                           scratch.path() / "soma.log",
                           {{"SOMA_LLM_BASE_URL", model.base_url()},
                            {"SOMA_LLM_API_KEY", "rehearsal"},
                            {"SOMA_LLM_MODEL", "rehearsal"}},
                           config_for(o.streaming_sessions)};
  soma_server soma(o, launch);
  const auto interval = to_ns(answer_s / static_cast<double>(o.streaming_sessions));
  const auto load_name = with_commas(o.streaming_sessions) + " answers at once, a word every 2 s";
  event_loop loop;
  std::uint64_t asked = 0;
  auto due = now_ns();
  bool over = false;
  request_load load(loop, {soma.port(), 64}, [&](std::size_t, std::int64_t now, std::string& out) {
    if (over || due > now) return request_load::nothing;
    ++asked;
    const auto stamp = std::exchange(due, due + interval);
    out += soma.first_message_request(question);
    return stamp;
  });
  const auto run_for = [&](double seconds) {
    loop.run(to_ns(seconds), [&](std::int64_t now) {
      load.pump(now);
      return std::max(due, now + ns_per_ms);
    });
  };
  const auto idle_mb = soma.process().memory().rss_bytes / 1e6;
  run_for(o.quick ? 5 : answer_s + 8);  // as many as shall be are under way, the first ones end
  load.clear_counts();
  const auto cpu = soma.process().cpu_seconds();
  const auto events = soma.metric("soma_append_events_total");
  std::vector<double> rss, active;
  const auto samples = static_cast<std::size_t>(std::clamp(o.streaming_s, 6.0, 600.0));
  for (std::size_t i = 0; i < samples; ++i) {
    run_for(o.streaming_s / static_cast<double>(samples));
    rss.push_back(soma.process().memory().rss_bytes / 1e6);
    active.push_back(soma.metric("soma_sessions_active"));
  }
  const auto used_s = soma.process().cpu_seconds() - cpu;
  const auto words = soma.metric("soma_append_events_total") - events;
  over = true;
  load.drain(10 * ns_per_s);
  const auto third = static_cast<std::ptrdiff_t>(rss.size() / 3);
  const auto early = middle({rss.begin(), rss.begin() + third});
  const auto late = middle({rss.end() - third, rss.end()});
  const auto add = [&](const char* metric, const char* unit, double value) {
    r.add({"streaming", load_name, metric, unit}, "soma", value);
  };
  add("RSS, first third", "MB", early);
  add("RSS, last third", "MB", late);
  add("RSS, most", "MB", *std::max_element(rss.begin(), rss.end()));
  add("RSS before", "MB", idle_mb);
  add("sessions active", "sessions", middle(active));
  add("server CPU", "cores", used_s / o.streaming_s);
  add("server CPU a durable event", "µs", 1e6 * used_s / std::max(words, 1.0));
  add("message to its 202 p50", "ms",
      static_cast<double>(load.latency().percentile(50)) / ns_per_ms);
  add("message to its 202 p99", "ms",
      static_cast<double>(load.latency().percentile(99)) / ns_per_ms);
  r.add_check("streaming: messages refused", load.errors(), load.first_error());
  r.add_check("streaming: model calls that failed",
              static_cast<std::uint64_t>(soma.metric("soma_llm_failures_total")));
  r.add_target({load_name + ", RSS", late, bound::at_most, 100, "MB"});
  r.add_target({"its growth from the first to the last third of the time", late - early,
                bound::at_most, 2, "MB"});
}

}  // namespace soma::bench
