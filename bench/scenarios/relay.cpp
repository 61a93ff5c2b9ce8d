// Model calls through a gateway, against the same calls made at the provider itself: what the
// gateway adds. Beside nginx as a plain reverse proxy, the least a relay can cost, and Portkey's
// gateway, LiteLLM and the Ferro gateway, which do a like job.
//
// requests: a provider that answers at once, so that all that is measured is the relay. streams: a
// provider that writes a stamped chunk every 5 ms; the latency of a chunk is from its writing to
// its reading.
#include <algorithm>
#include <stdexcept>

#include "clock.hpp"
#include "network_namespace.hpp"
#include "peers/provider.hpp"
#include "peers/relays.hpp"
#include "request_load.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t stream_readers = 64;
const std::string question =
    R"({"model":"default","messages":[{"role":"user","content":"Say something of some length."}]})";
const std::string streamed_question =
    R"({"model":"default","stream":true,"messages":[{"role":"user","content":"Say something."}]})";

struct way {
  std::string name;
  chat_relay* relay;
  std::size_t calls_max = SIZE_MAX;  // at once; more only wait in it
};

struct measured {
  double rate = 0, p50_ms = 0, p99_ms = 0, cpu_us = 0, rss_mb = 0;
};

double ms(std::uint64_t ns) {
  return static_cast<double>(ns) / ns_per_ms;
}

measured ask(const options& o, const way& w, std::size_t connections, report& r) {
  event_loop loop;
  const auto request = w.relay->request(question);
  request_load load(loop, {w.relay->port(), connections},
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
  const auto cpu = w.relay->process().cpu_seconds();
  const auto begin = now_ns();
  run_for(o.seconds);
  const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
  const auto answers = static_cast<double>(load.acks());
  measured m;
  m.rate = answers / seconds;
  m.p50_ms = ms(load.latency().percentile(50));
  m.p99_ms = ms(load.latency().percentile(99));
  m.cpu_us = 1e6 * (w.relay->process().cpu_seconds() - cpu) / std::max(answers, 1.0);
  m.rss_mb = w.relay->process().memory().rss_bytes / 1e6;
  load.drain(10 * ns_per_s);
  r.add_check("relay, " + w.name + ": requests refused or lost", load.errors(), load.first_error());
  return m;
}

std::string load_name(std::size_t connections) {
  return with_commas(connections) + " calls at once";
}

void measure_requests(const options& o, const way& direct, const std::vector<way>& all,
                      std::size_t connections, report& r) {
  std::vector<way> ways;
  for (const auto& w : all)
    if (connections <= w.calls_max) ways.push_back(w);
  for (std::size_t round = 0; round < o.rounds; ++round) {
    const auto base = ask(o, direct, connections, r);
    std::vector<measured> found(ways.size());
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const auto at = round % 2 ? ways.size() - 1 - i : i;
      found[at] = ask(o, ways[at], connections, r);
    }
    const auto add = [&](const char* metric, const char* unit, const std::string& system,
                         double value) {
      r.add({"relay", load_name(connections), metric, unit}, system, value);
    };
    for (std::size_t i = 0; i < ways.size(); ++i) {
      add("answered", "calls/s", ways[i].name, found[i].rate);
      add("added p50", "ms", ways[i].name, found[i].p50_ms - base.p50_ms);
      add("added p99", "ms", ways[i].name, found[i].p99_ms - base.p99_ms);
      add("relay CPU a call", "µs", ways[i].name, found[i].cpu_us);
      add("RSS", "MB", ways[i].name, found[i].rss_mb);
    }
    add("answered", "calls/s", direct.name, base.rate);
  }
}

// Latency of chunks from their stamp, over streams opened again as each ends.
histogram read_streams(const options& o, event_loop& loop, stamping_provider& provider,
                       std::uint16_t port, const std::string& request) {
  histogram latency;
  sse_group group(loop);
  std::vector<std::unique_ptr<sse_reader>> readers(stream_readers);
  std::vector<bool> over(stream_readers, true);
  group.on_event = [&](sse_reader& reader, const sse_frame& frame) {
    if (const auto stamp = stamp_of(frame.data); stamp > 0) latency.add(now_ns() - stamp);
    if (frame.data == "[DONE]") over[reader.tag] = true;
  };
  const auto end = now_ns() + to_ns(o.seconds);
  loop.run(to_ns(o.seconds + 5), [&](std::int64_t now) {
    if (now > end) return event_loop::stop;
    for (std::size_t i = 0; i < stream_readers; ++i) {
      if (!over[i]) continue;
      over[i] = false;
      readers[i] = std::make_unique<sse_reader>(group, port, request, id_form::epoch_seq);
      readers[i]->tag = i;
    }
    return provider.pump(now);
  });
  return latency;
}

}  // namespace

void run_relay(const options& o, report& r) {
  if (!o.with_soma) return;
  scratch_folder scratch(o.work_dir);
  // Before any socket: the Ferro gateway listens on every address.
  std::unique_ptr<network_namespace> own_network;
  if (o.with_peers) own_network = std::make_unique<network_namespace>();
  const auto folder = [&](const char* name) { return scratch.path() / name; };
  const auto provider = start_fixed_provider(folder("provider"));
  const auto soma = start_soma_relay(o, folder("soma"), provider->port());
  std::unique_ptr<chat_relay> nginx, portkey, litellm, ferro;
  std::vector<way> ways = {{"soma", soma.get()}};
  if (o.with_peers) {
    nginx = start_nginx_proxy(folder("nginx"), provider->port());
    portkey = start_portkey(o, scratch.path(), provider->port());
    ways.push_back({"nginx proxy", nginx.get()});
    if (portkey)
      ways.push_back({"portkey", portkey.get()});
    else
      r.add_note("relay: Portkey's gateway is not installed, so it was not measured");
    litellm = start_litellm(o, scratch.path(), provider->port());
    if (litellm)
      ways.push_back({"litellm", litellm.get(), 64});
    else
      r.add_note("relay: LiteLLM is not installed, so it was not measured");
    if (own_network->entered()) ferro = start_ferro(o, scratch.path(), provider->port());
    if (ferro)
      ways.push_back({"ferro", ferro.get()});
    else
      r.add_note(own_network->entered()
                     ? "relay: the Ferro gateway is not installed, so it was not measured"
                     : "relay: the Ferro gateway listens on every address and there is no network "
                       "namespace to put it in, so it was not measured");
  }
  const way direct{"provider itself", provider.get()};
  for (const auto connections : o.relay_calls) measure_requests(o, direct, ways, connections, r);

  event_loop loop;
  stamping_provider stamps(loop, {});
  const auto soma_stream = start_soma_relay(o, folder("soma-stream"), stamps.port());
  for (std::size_t round = 0; round < o.rounds; ++round) {
    const auto base =
        read_streams(o, loop, stamps, stamps.port(), provider->request(streamed_question));
    const auto through =
        read_streams(o, loop, stamps, soma_stream->port(), soma_stream->request(streamed_question));
    const auto load = with_commas(stream_readers) + " streams, a chunk every 5 ms";
    const auto add = [&](const char* metric, double value) {
      r.add({"relay", load, metric, "ms"}, "soma", value);
    };
    add("added to a chunk p50", ms(through.percentile(50)) - ms(base.percentile(50)));
    add("added to a chunk p99", ms(through.percentile(99)) - ms(base.percentile(99)));
  }

  const auto median = [&](const std::string& load, const char* metric, const char* unit,
                          const char* system) {
    return r.median({"relay", load, metric, unit}, system);
  };
  const auto middle = load_name(64), most = load_name(512);
  if (portkey)
    r.add_target({"calls/s at 64 at once against Portkey",
                  median(middle, "answered", "calls/s", "soma") /
                      median(middle, "answered", "calls/s", "portkey"),
                  bound::at_least, 20, "×"});
  for (const char* peer : {"litellm", "ferro"}) {
    const auto better = [&](const char* what, const char* metric, const char* unit, bound kind) {
      const auto theirs = median(middle, metric, unit, peer);
      if (!(theirs > 0)) return;
      r.add_target({std::string(what) + " at 64 at once against " + peer,
                    median(middle, metric, unit, "soma") / theirs, kind, 1, "×"});
    };
    better("calls/s", "answered", "calls/s", bound::at_least);
    better("CPU a call", "relay CPU a call", "µs", bound::at_most);
    better("RSS", "RSS", "MB", bound::at_most);
  }
  if (nginx)
    r.add_target({"added p50 at 64 at once against nginx",
                  median(middle, "added p50", "ms", "soma") /
                      median(middle, "added p50", "ms", "nginx proxy"),
                  bound::at_most, 1.5, "×"});
  r.add_target({"relay CPU a call at 64 at once", median(middle, "relay CPU a call", "µs", "soma"),
                bound::at_most, 22, "µs"});
  r.add_target(
      {"RSS under 512 calls at once", median(most, "RSS", "MB", "soma"), bound::at_most, 50, "MB"});
  r.add_target({"added to a streamed chunk, p50",
                median(with_commas(stream_readers) + " streams, a chunk every 5 ms",
                       "added to a chunk p50", "ms", "soma"),
                bound::at_most, 0.2, "ms"});
}

}  // namespace soma::bench
