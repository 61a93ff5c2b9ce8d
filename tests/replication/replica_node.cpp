// A node without anything above its log, for takeover_test.py: as long as it may, it appends to
// sessions and tells on standard output what was acknowledged, a line each; commands on standard
// input: "stop" (appends nothing more), "dump" (all that it has), "quit".
//
//   replica_node BROKERS TOPIC NODE FOLDER PARTITIONS RANK SESSIONS
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "replication/replicated_event_log.hpp"

using namespace soma;
using namespace std::chrono_literals;

namespace {

// One write a line, so that a kill tears none.
void say(std::string line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  line += '\n';
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(1);
}

session_key session(int n) {
  return {tenant_id("t"), session_id("s" + std::to_string(n))};
}

void append_on(replication::replicated_event_log& log, const std::string& node, int n,
               const std::atomic<bool>& stopped) {
  const auto key = session(n);
  for (std::uint64_t count = 0; !stopped; ++count) {
    const auto head = log.head(key);
    storage::append_op op;
    op.key = key;
    op.expected_seq = head ? head->seq : 0;
    const auto text = node + "." + std::to_string(getpid()) + "." + std::to_string(count);
    op.events.push_back({op.expected_seq + 1, event_type::app_event, text});
    const auto done = log.commit({&op, 1}).front();
    if (done) {
      say("ack " + key.session.value + " " + std::to_string(*done) + " " + text);
    } else {
      say("no " + std::string(done.error().code));
      std::this_thread::sleep_for(20ms);
    }
  }
}

void dump(replication::replicated_event_log& log, int sessions) {
  auto& host = log.host();
  for (std::uint32_t p = 0; p < host.partitions(); ++p) {
    const auto seen = host.look(p);
    say("partition " + std::to_string(p) + " next " + std::to_string(seen.next) + " owner " +
        seen.owner + " digest " + std::to_string(host.digest(p)) + " stopped " +
        seen.stopped.value_or("-"));
  }
  for (int n = 0; n < sessions; ++n) {
    storage::read_options all;
    all.events_max = 1'000'000;
    all.bytes_max = 1u << 30;
    const auto page = log.read(session(n), all);
    if (!page) continue;
    for (const auto& e : page->events)
      say("event s" + std::to_string(n) + " " + to_string(e.id) + " " + e.json);
  }
  say("end");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) return 2;
  replication::host_settings how;
  how.client.brokers = argv[1];
  how.topic = argv[2];
  how.node = argv[3];
  how.partitions = static_cast<std::uint32_t>(std::stoul(argv[5]));
  how.rank = static_cast<std::uint32_t>(std::stoul(argv[6]));
  how.single_broker = true;
  how.rules.lease_ms = 600;
  how.rules.commit_timeout_ms = 5'000;
  how.rules.reclaim_ms = 500;
  storage::store_options store;
  store.data_dir = argv[4];
  store.min_free_bytes = 0;
  const int sessions = std::stoi(argv[7]);
  auto log = replication::replicated_event_log::open(store, how, 30s);
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().detail.c_str());
    return 1;
  }
  say("ready");
  std::atomic<bool> stopped = false;
  std::vector<std::thread> writers;
  for (int n = 0; n < sessions; ++n)
    writers.emplace_back([&, n] { append_on(**log, how.node, n, stopped); });
  for (std::string command; std::getline(std::cin, command) && command != "quit";) {
    if (command == "stop") {
      stopped = true;
      for (auto& one : writers) one.join();
      writers.clear();
      say("stopped");
    } else if (command == "dump") {
      dump(**log, sessions);
    }
  }
  stopped = true;
  for (auto& one : writers) one.join();
}
