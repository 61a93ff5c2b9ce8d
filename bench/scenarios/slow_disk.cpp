// A disk on which every fsync takes 20 ms more (preload/preload.c), beside the same server on the
// disk as it is, under the same load: 64 connections that append, 16 answers that stream, and one
// connection each that asks for health, a session and a page of its events. Reads and health may
// not notice; appends gather.
#include "clock.hpp"
#include "cost_probe.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/filled_session.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

#include <stdexcept>

namespace soma::bench {
namespace {

constexpr std::size_t talkers = 16;
constexpr const char* question = "Say something. [[rehearsal words=60 delay_ms=20]]";
const std::string load_name = "64 appending connections, 16 answers, reads beside them";

struct talker {
  std::string session;
  std::unique_ptr<sse_reader> stream;
  std::int64_t asked_ns = 0, heard_ns = 0;
  bool busy = false;
};

// A closed loop of one request every 5 ms at the most.
std::unique_ptr<request_load> probe(event_loop& loop, soma_server& soma, std::string request) {
  auto next = std::make_shared<std::int64_t>(0);
  return std::make_unique<request_load>(
      loop, load_options{soma.port(), 1},
      [next, text = std::move(request)](std::size_t, std::int64_t now, std::string& out) {
        if (*next > now) return request_load::nothing;
        *next = now + 5 * ns_per_ms;
        out += text;
        return now;
      });
}

void measure(const options& o, rehearsal_server& model, const std::string& name, environment extra,
             report& r) {
  scratch_folder scratch(o.work_dir);
  extra.emplace_back("SOMA_LLM_BASE_URL", model.base_url());
  extra.emplace_back("SOMA_LLM_API_KEY", "rehearsal");
  extra.emplace_back("SOMA_LLM_MODEL", "rehearsal");
  soma_server soma(o, {scratch.path() / "data", scratch.path() / "soma.log", std::move(extra)});
  event_loop loop;
  std::vector<std::string> sessions;
  for (std::size_t i = 0; i < o.append_connections; ++i) sessions.push_back(soma.new_session());
  const auto read = soma.new_session();
  fill_session(o, soma, read, 200);

  std::vector<talker> all(talkers);
  sse_group group(loop);
  histogram first_delta, between;
  group.on_event = [&](sse_reader& reader, const sse_frame& frame) {
    auto& t = all[reader.tag];
    const auto now = now_ns();
    if (frame.event == "llm.delta") {
      if (t.heard_ns == 0)
        first_delta.add(now - t.asked_ns);
      else
        between.add(now - t.heard_ns);
      t.heard_ns = now;
    } else if (frame.event == "message.assistant") {
      t.busy = false;
    }
  };
  for (std::size_t i = 0; i < talkers; ++i) {
    all[i].session = soma.new_session();
    all[i].stream = std::make_unique<sse_reader>(
        group, soma.port(), soma.subscribe_request(all[i].session), soma.ids());
    all[i].stream->tag = i;
  }
  loop.run_until(20 * ns_per_s, [&] { return group.ready == talkers || group.failed > 0; });
  if (group.ready != talkers) throw std::runtime_error("streams: " + group.first_failure);

  request_load append(loop, {soma.port(), o.append_connections},
                      [&](std::size_t i, std::int64_t now, std::string& out) {
                        out += soma.publish_request(sessions[i],
                                                    stamped_payload(now, o.payload_bytes));
                        return now;
                      });
  request_load ask(loop, {soma.port(), talkers},
                   [&](std::size_t i, std::int64_t now, std::string& out) {
                     if (all[i].busy) return request_load::nothing;
                     all[i].busy = true;
                     all[i].asked_ns = now;
                     all[i].heard_ns = 0;
                     out += soma.message_request(all[i].session, question);
                     return now;
                   });
  const auto health = probe(loop, soma, soma.get_request("/healthz"));
  const auto document = probe(loop, soma, soma.get_request("/v1/sessions/" + read));
  const auto page =
      probe(loop, soma, soma.get_request("/v1/sessions/" + read + "/events?limit=100"));
  const auto every = {&append, &ask, health.get(), document.get(), page.get()};
  const auto run_for = [&](double seconds) {
    loop.run(to_ns(seconds), [&](std::int64_t now) {
      for (auto* load : every) load->pump(now);
      return now + ns_per_ms;
    });
  };
  run_for(o.warm_up_s);
  for (auto* load : every) load->clear_counts();
  first_delta.clear();
  between.clear();
  const auto batches = soma.metric("soma_append_batches_total");
  const auto begin = now_ns();
  run_for(o.seconds);
  const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
  const auto add = [&](const std::string& metric, const char* unit, double value) {
    r.add({"slow_disk", load_name, metric, unit}, name, value);
  };
  const auto times = [&](const std::string& what, const histogram& h) {
    if (h.count() == 0) return;  // no answer began in so short a run
    for (const int p : {50, 99})
      add(what + " p" + std::to_string(p), "ms", static_cast<double>(h.percentile(p)) / ns_per_ms);
  };
  add("appended", "acks/s", static_cast<double>(append.acks()) / seconds);
  add("synced writes", "writes/s", (soma.metric("soma_append_batches_total") - batches) / seconds);
  times("GET /healthz", health->latency());
  times("GET a session", document->latency());
  times("GET a page of 100 events", page->latency());
  times("first delta", first_delta);
  times("between two deltas", between);
  for (auto* load : every) {
    load->drain(10 * ns_per_s);
    r.add_check("slow_disk: requests refused or lost", load->errors(), load->first_error());
  }
  std::uint64_t broken = 0;
  for (const auto& t : all) broken += t.stream->order().gaps() + t.stream->order().repeats();
  r.add_check("slow_disk: gaps or repeats in ids", broken);
}

}  // namespace

void run_slow_disk(const options& o, report& r) {
  if (!o.with_soma) return;
  if (!std::filesystem::exists(preload_library())) {
    r.add_note("slow_disk: not measured, " + preload_library().filename().string() +
               " is not built");
    return;
  }
  scratch_folder scratch(o.work_dir);
  rehearsal_server model(o, scratch.path());
  const std::string slow_name = "soma, fsync 20 ms";
  const environment slow{{"LD_PRELOAD", preload_library().string()},
                         {"BENCH_SYNC_DELAY_US", "20000"}};
  for (std::size_t round = 0; round < o.rounds; ++round) {
    if (round % 2) measure(o, model, slow_name, slow, r);
    measure(o, model, "soma", {}, r);
    if (round % 2 == 0) measure(o, model, slow_name, slow, r);
  }
  for (const char* read :
       {"GET /healthz p99", "GET a session p99", "GET a page of 100 events p99"}) {
    const metric_name name{"slow_disk", load_name, read, "ms"};
    r.add_target(
        {std::string("fsync 20 ms, ") + read, r.median(name, slow_name), bound::at_most, 20, "ms"});
  }
}

}  // namespace soma::bench
