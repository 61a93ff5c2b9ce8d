// Whole message round trips: POST a message, wait for its first llm.delta and for its final
// message.assistant on the session's stream. The model is the rehearsal server; it is also asked
// directly, so that what remains is what the runtime adds: recall, durable events, fan-out. Its
// directive (docs/rehearsal.md) sets the pace: words some ms apart, as a model speaks, and as fast
// as they can be written, which no model does but which shows what the runtime can take.
#include <stdexcept>

#include "clock.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

struct pace {
  const char* name;
  const char* message;
};

constexpr pace paces[] = {
    {"60 words 10 ms apart", "Say something. [[rehearsal words=60 delay_ms=10]]"},
    {"60 words at once", "Say something. [[rehearsal words=60 delay_ms=0]]"},
};

struct asker {
  std::string session;
  std::unique_ptr<sse_reader> stream;
  std::int64_t asked_ns = 0;
  bool busy = false, seen_delta = false;
  std::size_t turns_left = 0;
};

struct turn_times {
  histogram first_delta, whole;
  std::int64_t begin_ns = now_ns();
  std::size_t answers = 0;
};

struct turn_load {
  std::size_t sessions;
  const pace& how;
};

void publish(const options& o, const turn_load& l, const std::string& system, const turn_times& t,
             report& r) {
  const auto load = with_commas(l.sessions) + " at once, " + l.how.name;
  const auto add = [&](const std::string& metric, const char* unit, double value) {
    r.add({"turn", load, metric, unit}, system, value);
  };
  const auto ms = [](std::uint64_t ns) { return static_cast<double>(ns) / ns_per_ms; };
  add("first delta p50", "ms", ms(t.first_delta.percentile(50)));
  add("first delta p99", "ms", ms(t.first_delta.percentile(99)));
  add("whole answer p50", "ms", ms(t.whole.percentile(50)));
  add("whole answer p99", "ms", ms(t.whole.percentile(99)));
  add("answers", "answers/s",
      static_cast<double>(t.answers) * ns_per_s / static_cast<double>(now_ns() - t.begin_ns));
  r.add_check("turn, " + system + ": answers that never came", l.sessions * o.turns - t.answers);
}

void note_delta(asker& a, turn_times& t) {
  if (!std::exchange(a.seen_delta, true)) t.first_delta.add(now_ns() - a.asked_ns);
}

void note_answer(asker& a, turn_times& t) {
  t.whole.add(now_ns() - a.asked_ns);
  ++t.answers;
  a.busy = false;
}

void begin_turn(asker& a, std::int64_t now) {
  --a.turns_left;
  a.busy = true;
  a.seen_delta = false;
  a.asked_ns = now;
}

void ask_soma(const options& o, soma_server& soma, const turn_load& l, report& r) {
  const auto sessions = l.sessions;
  event_loop loop;
  turn_times times;
  sse_group group(loop);
  std::vector<asker> askers(sessions);
  group.on_event = [&](sse_reader& reader, const sse_frame& frame) {
    auto& a = askers[reader.tag];
    if (!a.busy) return;
    if (frame.event == "llm.delta") note_delta(a, times);
    if (frame.event == "message.assistant" &&
        frame.data.find("\"final\":true") != frame.data.npos) {
      note_answer(a, times);
    }
  };
  for (std::size_t i = 0; i < sessions; ++i) {
    auto& a = askers[i];
    a.session = soma.new_session();
    a.turns_left = o.turns;
    a.stream = std::make_unique<sse_reader>(group, soma.port(), soma.subscribe_request(a.session),
                                            soma.ids());
    a.stream->tag = i;
  }
  loop.run_until(20 * ns_per_s, [&] { return group.ready == sessions || group.failed > 0; });
  if (group.ready != sessions) throw std::runtime_error("streams: " + group.first_failure);
  request_load load(loop, {soma.port(), sessions},
                    [&](std::size_t i, std::int64_t now, std::string& out) {
                      auto& a = askers[i];
                      if (a.busy || a.turns_left == 0) return request_load::nothing;
                      begin_turn(a, now);
                      out += soma.message_request(a.session, l.how.message);
                      return now;
                    });
  times.begin_ns = now_ns();
  loop.run(120 * ns_per_s, [&](std::int64_t now) {
    load.pump(now);
    const bool over = times.answers == sessions * o.turns || group.failed + load.errors() > 0;
    return over ? event_loop::stop : now + ns_per_ms;
  });
  publish(o, l, "soma", times, r);
  std::uint64_t broken = 0;
  for (const auto& a : askers) broken += a.stream->order().gaps() + a.stream->order().repeats();
  r.add_check("turn, soma: gaps or repeats in ids", broken);
  r.add_check("turn, soma: messages refused", load.errors(), load.first_error());
}

// A chunk whose content is not empty, as the first one's is.
bool has_text(std::string_view chunk) {
  constexpr std::string_view key = "\"content\":\"";
  const auto at = chunk.find(key);
  return at != chunk.npos && chunk.substr(at + key.size(), 1) != "\"";
}

void ask_rehearsal(const options& o, rehearsal_server& model, const turn_load& l, report& r) {
  const auto sessions = l.sessions;
  event_loop loop;
  turn_times times;
  sse_group group(loop);
  std::vector<asker> askers(sessions);
  group.on_event = [&](sse_reader& reader, const sse_frame& frame) {
    auto& a = askers[reader.tag];
    if (has_text(frame.data)) note_delta(a, times);
    if (a.busy && frame.data == "[DONE]") note_answer(a, times);
  };
  for (auto& a : askers) a.turns_left = o.turns;
  const auto request = model.chat_request(l.how.message);
  times.begin_ns = now_ns();
  loop.run(120 * ns_per_s, [&](std::int64_t now) {
    for (std::size_t i = 0; i < sessions; ++i) {
      auto& a = askers[i];
      if (a.busy || a.turns_left == 0) continue;
      begin_turn(a, now);
      a.stream = std::make_unique<sse_reader>(group, model.port(), request, id_form::epoch_seq);
      a.stream->tag = i;
    }
    return times.answers == sessions * o.turns ? event_loop::stop : now + ns_per_ms;
  });
  publish(o, l, "rehearsal alone", times, r);
}

}  // namespace

void run_turn(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  rehearsal_server model(o, scratch.path());
  const soma_launch launch{scratch.path() / "data",
                           scratch.path() / "soma.log",
                           {{"SOMA_LLM_BASE_URL", model.base_url()},
                            {"SOMA_LLM_API_KEY", "rehearsal"},
                            {"SOMA_LLM_MODEL", "rehearsal"}},
                           // Sessions shall not wait for places in a provider that has them.
                           "[llm]\ncalls_max = 4096\nprovider_calls_max = 4096\n"};
  soma_server soma(o, launch);
  for (const auto sessions : o.turn_sessions) {
    for (const auto& how : paces) {
      const turn_load load{sessions, how};
      for (std::size_t round = 0; round < o.rounds; ++round) {
        ask_soma(o, soma, load, r);
        ask_rehearsal(o, model, load, r);
      }
    }
    const auto load = with_commas(sessions) + " at once, " + paces[0].name;
    const metric_name first{"turn", load, "first delta p50", "ms"},
        whole{"turn", load, "whole answer p50", "ms"};
    if (sessions >= 64) {
      r.add_target({"first delta p50, " + load, r.median(first, "soma"), bound::at_most,
                    sessions >= 512 ? 30.0 : 5.0, "ms"});
      r.add_target({"whole answer p50 against the provider alone, " + load,
                    r.median(whole, "soma") / r.median(whole, "rehearsal alone"), bound::at_most,
                    1.1, "×"});
    }
  }
}

}  // namespace soma::bench
