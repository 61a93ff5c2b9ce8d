// What the command line decides. Defaults are the sizes the targets speak of; `make_quick` shrinks
// them to a smoke run of some seconds.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace soma::bench {

struct options {
  std::filesystem::path soma;         // the server's binary
  std::filesystem::path rehearsal;    // the stand-in model server's binary
  std::filesystem::path soma_config;  // empty: the server's defaults
  std::filesystem::path work_dir;     // where scratch folders are made; one filesystem for all
  std::filesystem::path components;   // where ./dev bench installs peers from registries
  std::filesystem::path results_dir;  // `all` writes RESULTS.md and results.json here
  std::filesystem::path json_file;    // empty: none
  bool with_soma = true;
  bool with_peers = true;
  bool quick = false;

  std::size_t rounds = 3;
  double seconds = 4;  // of one measurement
  double warm_up_s = 1;
  std::size_t payload_bytes = 200;

  std::vector<std::size_t> fanout_readers{1000, 5000};
  std::size_t publishers = 128;
  std::size_t window = 128;  // events the publishers may be ahead of the average reader,
  std::size_t window_deliveries = 320'000;  // and deliveries that may be due at once
  double paced_deliveries_s = 20000;        // over all readers
  std::size_t parked_readers = 8000;
  std::size_t append_connections = 64;
  std::size_t replay_events = 10000;
  std::size_t replay_readers = 4;
  std::size_t start_sessions = 100000;
  std::filesystem::path start_data_dir;  // kept and used again; empty: made and removed
  std::string only_path;                 // paths: those whose name has this; empty: all
  std::size_t activate_events = 100'000;
  std::size_t memory_sessions = 2000;
  std::size_t streaming_sessions = 10'000;
  double streaming_s = 60;
  std::vector<std::size_t> turn_sessions{1, 64, 512};
  std::size_t turns = 5;  // a session and round
  std::vector<std::size_t> relay_calls{1, 64, 512};
  std::filesystem::path portkey;  // start-server.js of Portkey's gateway

  // Many short rounds: what two builds are judged by is their number, not their length.
  void make_comparison() {
    rounds = 8;
    seconds = 2;
    warm_up_s = 0.5;
    fanout_readers = {1000};
    turn_sessions = {64};
    turns = 2;
    relay_calls = {64};
  }

  void make_quick() {
    quick = true;
    rounds = 1;
    seconds = 1;
    warm_up_s = 0.3;
    fanout_readers = {200};
    publishers = window = 32;
    paced_deliveries_s = 4000;
    parked_readers = 500;
    append_connections = 16;
    replay_events = 1000;
    start_sessions = 1000;
    activate_events = 2000;
    memory_sessions = 100;
    streaming_sessions = 200;
    streaming_s = 8;
    turn_sessions = {1, 4};
    turns = 2;
    relay_calls = {1, 64};
  }
};

}  // namespace soma::bench
