// soma-bench: flags, then one scenario or all of them, then the report.
// `compare` measures two builds instead.
// Exit code 0: measured and correct (targets may be missed); 1: not measured; 2: a check counted;
// 3: with --strict, a target was missed.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "compare.hpp"
#include "event_loop.hpp"
#include "process.hpp"
#include "scenarios/scenarios.hpp"

namespace {

using namespace soma::bench;

constexpr scenario scenarios[] = {
    {"fanout", "live readers of one session, beside nchan", run_fanout},
    {"live", "live readers of a log, beside the Durable Streams server", run_live},
    {"parked", "memory of idle readers, beside nchan", run_parked},
    {"append", "durable events, beside Redis XADD, Durable Streams and a fixed reply of nginx",
     run_append},
    {"replay", "a long session read from its start", run_replay},
    {"paths", "CPU, allocations and system calls of the five hot paths", run_paths},
    {"start", "start-up and idle memory with many sessions on disk", run_start},
    {"activate", "the first command of a long session that has left memory", run_activate},
    {"memory", "what a session holds in memory and leaves behind", run_memory},
    {"relay", "model calls through the gateway, beside nginx, Portkey, LiteLLM and Ferro",
     run_relay},
    {"tls", "CPU of a relayed model call over TLS, beside plain", run_tls},
    {"turn", "message round trips against the rehearsal server", run_turn},
    {"streaming", "very many slow answers at once", run_streaming},
    {"slow_disk", "who notices that an fsync takes 20 ms", run_slow_disk},
    {"tool", "tool calls, in the server and in the sandbox, beside bare bubblewrap", run_tool},
};

void add_flags(CLI::App& app, options& o, bool& no_soma, bool& no_peers) {
  app.add_option("--soma", o.soma, "server binary (default: beside this program)");
  app.add_option("--rehearsal", o.rehearsal, "rehearsal binary (default: beside this program)");
  app.add_option("--soma-config", o.soma_config, "configuration file for the server");
  app.add_option("--work-dir", o.work_dir, "where scratch folders are made");
  app.add_option("--results-dir", o.results_dir, "write RESULTS.md and results.json here");
  app.add_option("--json", o.json_file, "write the results as JSON to this file");
  app.add_flag("--no-soma", no_soma, "measure the peers only");
  app.add_flag("--no-peers", no_peers, "measure SomaAgent01 only");
  app.add_option("--rounds", o.rounds, "rounds a system")->check(CLI::Range(1, 100));
  app.add_option("--seconds", o.seconds, "of one measurement")->check(CLI::Range(0.1, 600.0));
  app.add_option("--payload", o.payload_bytes, "bytes of an event")->check(CLI::Range(40, 65536));
  app.add_option("--readers", o.fanout_readers, "fanout: readers, a list")->delimiter(',');
  app.add_option("--publishers", o.publishers, "fanout: connections that publish");
  app.add_option("--window", o.window, "fanout: events ahead of the average reader");
  app.add_option("--paced", o.paced_deliveries_s, "fanout: deliveries/s of the paced load");
  app.add_option("--parked-readers", o.parked_readers, "parked: readers");
  app.add_option("--connections", o.append_connections, "append: connections");
  app.add_option("--events", o.replay_events, "replay: events of the session");
  app.add_option("--sessions", o.start_sessions, "start: sessions on disk");
  app.add_option("--data-dir", o.start_data_dir, "start: keep the sessions here for another run");
  app.add_option("--relay-calls", o.relay_calls, "relay: calls at once, a list")->delimiter(',');
  app.add_option("--portkey", o.portkey, "relay: start-server.js of Portkey's gateway");
  app.add_option("--components", o.components, "peers that ./dev bench installed");
  app.add_option("--path", o.only_path, "paths: those whose name has this");
  app.add_option("--activate-events", o.activate_events, "activate: events of the session");
  app.add_option("--memory-sessions", o.memory_sessions, "memory: sessions of a wave");
  app.add_option("--streaming-sessions", o.streaming_sessions, "streaming: answers at once");
  app.add_option("--streaming-seconds", o.streaming_s, "streaming: how long they are watched");
  app.add_option("--turn-sessions", o.turn_sessions, "turn: sessions, a list")->delimiter(',');
  app.add_option("--turns", o.turns, "turn: messages a session and round");
}

void run_one(const scenario& s, const options& o, report& r) {
  std::fprintf(stderr, "%s …\n", s.name);
  try {
    s.run(o, r);
  } catch (const std::exception& e) {
    throw_if_interrupted();
    std::fprintf(stderr, "%s: %s\n", s.name, e.what());
    r.add_check(std::string(s.name) + ": not measured", 1, e.what());
  }
}

// Figures of a busy machine mislead: the reader shall see it.
void note_load(report& r) {
  double load = 0;
  if (::getloadavg(&load, 1) != 1) return;
  char text[64];
  std::snprintf(text, sizeof text, "Load average of the machine before the run: %.1f", load);
  r.add_note(text + std::string(load > 0.5 ? ", so it was not idle" : ""));
}

int run(int argc, char** argv) {
  options o;
  // Before the flags are read, so that a size given on the command line still counts.
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--quick") o.make_quick();
  }
  CLI::App app{"Load harness of SomaAgent01: the server and its peers under the same clients."};
  bool no_soma = false, no_peers = false, quick = false, strict = false;
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  o.soma = here / "soma";
  o.rehearsal = here / "soma-rehearsal";
  // Where ./dev bench puts it.
  o.portkey = here / "../../bench-peers/node_modules/@portkey-ai/gateway/build/start-server.js";
  o.components = here / "../../components";
  o.work_dir = std::filesystem::temp_directory_path();
  add_flags(app, o, no_soma, no_peers);
  app.add_flag("--quick", quick, "a small run, to see that everything works");
  app.add_flag("--strict", strict, "a missed target is a failure, too (exit code 3)");
  app.require_subcommand(1);
  app.fallthrough();
  for (const auto& s : scenarios) app.add_subcommand(s.name, s.what);
  app.add_subcommand("all", "all of them");
  comparison with;
  std::string only = "append,fanout,replay,relay,turn";
  auto* compare = app.add_subcommand("compare", "two builds in one run, round by round");
  compare->add_option("--base", with.base, "the other server binary")->required();
  compare->add_option("--only", only, "scenarios, a list");
  for (int i = 1; i < argc; ++i) {
    // Sizes of a comparison, unless the command line says others.
    if (std::string_view(argv[i]) == "compare" && !o.quick) o.make_comparison();
  }
  CLI11_PARSE(app, argc, argv);
  o.with_soma = !no_soma;
  o.with_peers = !no_peers;

  std::string command = "soma-bench";  // without the folders of this machine
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path word(argv[i]);
    command += " " + (word.is_absolute() ? word.filename() : word).string();
  }
  report r;
  note_load(r);
  if (compare->parsed()) {
    for (const auto& s : scenarios) {
      if (("," + only + ",").find("," + std::string(s.name) + ",") != std::string::npos)
        with.scenarios.push_back(&s);
    }
    const auto tables = compare_builds(o, with, r);
    std::fputs(r.markdown(command, tables).c_str(), stdout);
    return r.correct() ? 0 : 2;
  }
  for (const auto& s : scenarios) {
    if (app.got_subcommand("all") || app.got_subcommand(s.name)) run_one(s, o, r);
  }
  std::fputs(r.markdown(command).c_str(), stdout);
  if (!o.json_file.empty()) write_file(o.json_file, r.json(command));
  if (!o.results_dir.empty()) {
    write_file(o.results_dir / "RESULTS.md", r.markdown(command));
    write_file(o.results_dir / "results.json", r.json(command));
  }
  if (!r.correct()) return 2;
  return strict && !r.reached() ? 3 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  catch_signals();
  raise_open_file_limit();
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "soma-bench: %s\n", e.what());
    return 1;
  }
}
