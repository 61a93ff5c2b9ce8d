// A node without anything above its log, for takeover_test.py: as long as it may, it appends to
// sessions and tells on standard output what was acknowledged, a line each; commands on standard
// input: "stop" (appends nothing more), "dump" (all that it has), "quit". Beside that it changes
// what its sessions brought as documents, and counts in one ("counted", or "perhaps" where nobody
// knows).
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

#include "core/codes.hpp"
#include "replication/replicated_event_log.hpp"

using namespace soma;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t items_each = 10;  // documents of a session

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
    if (count % 40 == 39) op.gone.push_back({"items", key.session.value + "/"});
    if (count % 3 == 0)
      op.documents.push_back(
          {"items", key.session.value + "/" + std::to_string(count % items_each), text});
    const auto done = log.commit({&op, 1}).front();
    if (done) {
      say("ack " + key.session.value + " " + std::to_string(*done) + " " + text);
    } else {
      say("no " + std::string(done.error().code));
      std::this_thread::sleep_for(20ms);
    }
  }
}

// As requests do that change what a session brought: by what was read of it.
void change_items(replication::replicated_event_log& log, const std::string& node, int sessions,
                  const std::atomic<bool>& stopped) {
  const auto settled = [](const result<bool>& how) {
    return how || how.error().code == codes::cluster_not_owner ||
           how.error().code == codes::cluster_owner_lost || how.error().code == codes::server_busy;
  };
  for (std::uint64_t count = 0; !stopped; ++count) {
    const auto key = "s" + std::to_string(count % static_cast<std::uint64_t>(sessions)) + "/" +
                     std::to_string(count / 7 % items_each);
    if (const auto there = log.get_document("items", key); there && *there) {
      storage::row_batch rows;
      rows.expected.push_back({"items", key, **there});
      if (count % 3 == 0)
        rows.deleted.emplace_back("items", key);
      else
        rows.documents.push_back({"items", key, node + " " + std::to_string(count)});
      (void)log.write_rows(rows);
    }
    storage::row_batch one;
    const auto seen = log.get_document("count", "");
    if (!seen) continue;
    const auto number = *seen ? std::stoull(**seen) : 0;
    if (*seen) one.expected.push_back({"count", "", **seen});
    one.documents.push_back({"count", "", std::to_string(number + 1)});
    if (!*seen) one.idempotency.push_back({"first count", "", 200, "", 1});
    const auto done = log.write_rows(one);
    if (done && *done) say("counted");
    if (!settled(done)) say("perhaps");
    std::this_thread::sleep_for(done ? 1ms : 20ms);
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
  for (const auto* collection : {"items", "count"})
    for (const auto& [key, value] : log.list_documents(collection, "", 100'000, "").value())
      say(std::string("document ") + collection + " " + key + " = " + value);
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
  writers.emplace_back([&] { change_items(**log, how.node, sessions, stopped); });
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
