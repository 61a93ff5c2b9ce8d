// A store in memory with its index in a folder of its own, as a node has them.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/remembered.hpp"
#include "memory/memories.hpp"
#include "memory/memory_wal.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

namespace soma::memory::testing {

struct world {
  explicit world(memory_limits how = patient()) : limits(how) { start(); }

  // The machine may be busy with other tests.
  static memory_limits patient() {
    memory_limits limits;
    limits.search_ms = limits.recall_ms = limits.catch_up_ms = 60'000;
    return limits;
  }

  void start() {
    indexer_options options;
    options.path = path;
    options.replicated = limits.replicated;
    options.on_changed = [this](const tenant_id& t) {
      const std::lock_guard held(hold);
      const std::lock_guard lock(told_mutex);
      changed.push_back(t.value);
    };
    options.on_notice = [this](const std::string& what) {
      const std::lock_guard lock(told_mutex);
      notices.push_back(what);
    };
    if (vector_options_) {
      near = std::make_unique<vectors>(*log, *vector_options_);
      options.on_changed = [this](const tenant_id&) { near->changed(); };
      options.on_gone = [this](const tenant_id& t, const std::vector<std::string>& ids) {
        return near->gone(t, ids);
      };
    }
    if (wal_options_) {
      wal = std::make_unique<memory_wal>(*log, *wal_options_);
      options.taken_by_others = [this] { return wal->taken(); };
      options.on_rows = [this] { wal->wake(); };
    }
    index = std::make_unique<indexer>(*log, std::move(options));
    kept = std::make_unique<memories>(
        *log, *index, limits, [this] { return ++now; }, near.get(), sessions.get());
    if (near) near->start(*index);
    settle();
  }
  void stop() {
    if (near) near->stop();
    kept.reset();
    index.reset();
    wal.reset();
    near.reset();
  }
  // Until all that is committed can be found.
  void settle() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!index->degraded().empty() && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    index->catch_up(until);
    REQUIRE(index->degraded() == "");
  }

  static viewer by(std::string user = "ada", std::string tenant = "t") {
    viewer who;
    who.tenant = tenant_id(std::move(tenant));
    who.user = user_id(std::move(user));
    return who;
  }
  item note(std::string text, const viewer& who = by(), std::string session = "") {
    new_note wanted;
    wanted.text = std::move(text);
    wanted.session_id = std::move(session);
    return kept->save(who, wanted).value().what;
  }
  // A message of a session, with its event.
  void say(const std::string& session, const std::string& message, std::string text,
           const std::string& tenant = "t") {
    const session_key key{tenant_id(tenant), session_id(session)};
    event said, written;
    said.meta.created_at_ms = ++now;
    said.body = body::message_user{message, "u", std::move(text), {}};
    written.body = body::memory_write{"m-" + message, message, {}, "u", "stored"};
    storage::append_op op;
    op.key = key;
    op.expected_seq = seqs[session];
    op.events.push_back({++seqs[session], said.type(), encode(said)});
    op.events.push_back({++seqs[session], written.type(), encode(written)});
    add_remembered(op, key, "ada", std::vector{said, written}, {limits.replicated, said_ttl_ms});
    REQUIRE(log->commit(std::span(&op, 1)).front());
  }
  // A turn of a session is told of memories. Gives its event's number.
  std::uint64_t told(const std::string& session, const std::vector<item>& of,
                     const std::string& tenant = "t") {
    std::vector<remembered_item> items;
    for (const auto& it : of) {
      remembered_item one;
      one.memory_id = it.memory_id;
      one.text = it.text;
      items.push_back(std::move(one));
    }
    event e;
    e.meta.created_at_ms = ++now;
    e.meta.id = {log->epoch(), ++seqs[session]};
    const auto turn = "turn-" + std::to_string(e.meta.id.seq);
    e.body = body::memory_recall{turn, "query", encode_remembered(items), false, {}, 0};
    storage::append_op op;
    op.key = {tenant_id(tenant), session_id(session)};
    op.expected_seq = e.meta.id.seq - 1;
    op.info.emplace().user_id = "ada";
    op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
    add_uses(op, op.key, std::vector{e});
    REQUIRE(log->commit(std::span(&op, 1)).front());
    return e.meta.id.seq;
  }
  void delete_session(const std::string& session, const std::string& tenant = "t",
                      bool keep_memories = false) {
    storage::append_op op;
    op.key = {tenant_id(tenant), session_id(session)};
    op.expected_seq = seqs[session];
    op.remove = true;
    add_forgotten(op, op.key, !keep_memories);
    REQUIRE(log->commit(std::span(&op, 1)).front());
  }
  std::vector<std::string> found(std::string query, const viewer& who = by()) {
    search_question asked;
    asked.query = std::move(query);
    std::vector<std::string> out;
    for (const auto& one : kept->search(who, asked).value().items) out.push_back(one.what.text);
    return out;
  }
  recall_question question(std::string query) {
    recall_question q;
    q.key.tenant = tenant_id("t");
    q.user = user_id("ada");
    q.query = std::move(query);
    q.bytes_max = 4000;
    q.items_max = 10;
    return q;
  }

  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::string path = folder / "memory.sqlite";
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  memory_limits limits;
  std::int64_t said_ttl_ms = 0;
  std::atomic<std::int64_t> now{1'700'000'000'000};
  std::map<std::string, std::uint64_t> seqs;
  std::mutex told_mutex, hold;  // while `hold` is locked, what is committed is not taken
  std::vector<std::string> changed, notices;
  const vector_options* vector_options_ = nullptr;
  std::unique_ptr<session_sight> sessions;
  std::unique_ptr<vectors> near;
  const wal_options* wal_options_ = nullptr;
  std::unique_ptr<memory_wal> wal;
  std::unique_ptr<indexer> index;
  std::unique_ptr<memories> kept;
};

using strings = std::vector<std::string>;

}  // namespace soma::memory::testing
