// What only the store on disk promises: what another opening finds, its bytes, and what it refuses.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <thread>

#include "event_log_contract.hpp"
#include "raw_store.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
using namespace std::string_literals;

namespace {

struct store : rocksdb_store {
  std::unique_ptr<event_log>& now = opened;

  result<void> reopen() {
    now.reset();
    auto again = open_rocksdb_event_log(options);
    if (!again) return again.error();
    now = std::move(*again);
    return {};
  }
  void close() { now.reset(); }
  // Changes rows behind the store's back.
  template <class Change>
  result<void> reopen_after(Change change) {
    close();
    {
      raw_store raw(options.data_dir);
      change(raw);
    }
    return reopen();
  }
};

std::string number(std::uint64_t value, int bytes = 8) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

}  // namespace

TEST_CASE("store: each opening has a larger epoch, and a head knows which wrote what") {
  store s;
  const auto key = key_of("a");
  std::vector<std::uint32_t> epochs;
  std::uint64_t seq = 0;
  for (int n = 0; n < 4; ++n) {
    if (!epochs.empty()) CHECK(s.now->epoch() > epochs.back());
    epochs.push_back(s.now->epoch());
    REQUIRE(commit_one(*s.now, append_of(key, seq, 2)));
    seq += 2;
    REQUIRE(s.reopen());
  }
  const auto head = s.now->head(key).value();
  const auto page = page_of(*s.now, key);
  REQUIRE(page.events.size() == 8);
  for (std::uint64_t n = 1; n <= 8; ++n) {
    CHECK(head.epoch_of(n) == epochs[(n - 1) / 2]);
    CHECK(page.events[n - 1].id == event_id{epochs[(n - 1) / 2], n});
  }
  CHECK(head.last_id() == event_id{epochs[3], 8});
}

TEST_CASE("store: the epoch is the seconds since 2020 unless that would be one used before") {
  store s;
  const auto now_s = static_cast<std::uint32_t>(time(nullptr) - 1'577'836'800);
  CHECK(s.now->epoch() <= now_s + 1);
  CHECK(s.now->epoch() + 60 > now_s);
  // The clock was ahead once: what follows is ahead, too.
  REQUIRE(
      s.reopen_after([](raw_store& raw) { raw.put("default", "epoch", number(4'000'000'000)); }));
  CHECK(s.now->epoch() == 4'000'000'001);
  const auto none_left =
      s.reopen_after([](raw_store& raw) { raw.put("default", "epoch", number(0xFFFFFFFF)); });
  CHECK(code_of(none_left) == codes::storage_format);
}

TEST_CASE("store: another opening finds everything") {
  store s;
  auto op = append_of(key_of("a"), 0, 3);
  op.info = session_info{"title", "persona", "user", 1, 2, 3, true, true};
  op.compact_seq = 2;
  op.idempotency.push_back({"key", "hash", 202, "{}", 55});
  REQUIRE(commit_one(*s.now, op));
  REQUIRE(s.now->put_document("settings", "x", "y"));
  REQUIRE(s.now->put_idempotency({"key2", "hash", 200, "{}", 56}));
  for (int n = 0; n < 2; ++n) {  // from the log, then from tables
    REQUIRE(s.reopen());
    CHECK(seqs_of(page_of(*s.now, op.key)) == numbers{1, 2, 3});
    CHECK(s.now->head(op.key)->info == *op.info);
    CHECK(s.now->head(op.key)->compact_seq == 2);
    CHECK(s.now->busy_sessions()->size() == 1);
    CHECK(sessions_of(*s.now->list(tenant_id("t"), {})) == names{"a"});
    CHECK(s.now->find_idempotency("key")->has_value());
    CHECK(s.now->find_idempotency("key2")->has_value());
    CHECK(s.now->get_document("settings", "x").value() == "y");
  }
  REQUIRE(commit_one(*s.now, append_of(op.key, 3)));
  CHECK(s.now->expire_idempotency(56, 10).value() == 1);
}

TEST_CASE("store: what was staged and not published is gone at the next opening") {
  store s;
  const std::vector<encoded_event> copy = {event_of(1), event_of(2)};
  REQUIRE(s.now->stage(key_of("copy"), copy));
  REQUIRE(s.now->stage(key_of("copy2"), copy));
  REQUIRE(commit_one(*s.now, append_of(key_of("copy1"), 0, 2)));
  auto publish = append_of(key_of("copy2"), 2, 0);
  publish.publish_staged = true;
  REQUIRE(commit_one(*s.now, publish));
  REQUIRE(s.reopen());
  CHECK(code_of(commit_one(*s.now, append_of(key_of("copy"), 2))) == codes::session_head_mismatch);
  CHECK(seqs_of(page_of(*s.now, key_of("copy1"))) == numbers{1, 2});
  CHECK(seqs_of(page_of(*s.now, key_of("copy2"))) == numbers{1, 2});
  s.close();
  raw_store raw(s.options.data_dir);
  CHECK(raw.rows("events").size() == 4);
  CHECK(raw.rows("staging").empty());
}

TEST_CASE("store: its rows are what docs/event-log.md says, byte by byte") {
  store s;
  auto op = append_of(key_of("s"), 0, 2);
  op.events[1].type = event_type::llm_delta;
  op.info = session_info{"T", "P", "U", 1, 2, 3, true, true};
  op.compact_seq = 2;
  op.idempotency.push_back({"key", "hash", 202, "{}", 5});
  op.outbox.push_back({"kafka", "row"});
  op.snapshot = "state";
  REQUIRE(commit_one(*s.now, op));
  REQUIRE(s.now->stage(key_of("copy"), std::vector<encoded_event>{event_of(1)}));
  REQUIRE(s.now->put_document("keys", "k", "doc"));
  const std::uint64_t epoch = s.now->epoch();
  s.close();
  raw_store raw(s.options.data_dir);
  using rows = std::map<std::string, std::string>;
  CHECK(raw.rows("default") == rows{{"epoch", number(epoch)}, {"format", number(1)}});
  const auto event = [&](std::uint64_t seq, char type) {
    return "\x01"s + type + number(epoch, 4) + event_of(seq).json;
  };
  CHECK(raw.rows("events") == rows{{"t\0s\0"s + number(1), event(1, 14)},
                                   {"t\0s\0"s + number(2), event(2, 5)},
                                   {"t\0copy\0"s + number(1), event(1, 14)}});
  const auto text = [](const std::string& t) { return number(t.size(), 4) + t; };
  CHECK(raw.rows("sessions") ==
        rows{{"t\0s\0"s, "\x01"s + number(2) + number(1) + number(2) + number(1, 4) +
                             number(epoch, 4) + number(1) + text("T") + text("P") + text("U") +
                             number(1) + number(2) + number(3) + "\x03"s}});
  CHECK(raw.rows("recency") == rows{{"t\0"s + number(~2ull) + "s", ""}});
  CHECK(raw.rows("busy") == rows{{"t\0s\0"s, ""}});
  CHECK(raw.rows("outbox") == rows{{number(epoch << 32), "kafka\0row"s}});
  CHECK(raw.rows("idempotency") ==
        rows{{"key", "\x01"s + text("hash") + number(202, 4) + text("{}") + number(5)}});
  CHECK(raw.rows("idempotency_age") == rows{{number(5) + "key", ""}});
  CHECK(raw.rows("staging") == rows{{"t\0copy\0"s, number(1)}});
  CHECK(raw.rows("documents") == rows{{"keys\0k"s, "doc"}});
  CHECK(raw.rows("snapshots") == rows{{"t\0s\0"s, "state"}});
  CHECK(raw.families().size() == 11);
}

TEST_CASE("store: outbox rows keep their order over openings") {
  store s;
  for (std::uint64_t n = 0; n < 3; ++n) {
    auto op = append_of(key_of("a"), n);
    op.outbox = {{"kafka", std::to_string(2 * n)}, {"kafka", std::to_string(2 * n + 1)}};
    REQUIRE(commit_one(*s.now, op));
    REQUIRE(s.reopen());
  }
  s.close();
  raw_store raw(s.options.data_dir);
  std::string order;
  for (const auto& [key, value] : raw.rows("outbox")) order += value.substr(value.find('\0') + 1);
  CHECK(order == "012345");
}

TEST_CASE("store: expired records leave no rows behind") {
  store s;
  for (int n = 0; n < 5; ++n) REQUIRE(s.now->put_idempotency({"k", "h", 200, "{}", 10 + n, 1}));
  REQUIRE(s.now->put_idempotency({"young", "h", 200, "{}", 100}));
  // Five rows by age, of which one is that of a record.
  CHECK(s.now->expire_idempotency(100, 3).value() == 3);  // more wait, though no record went
  CHECK(s.now->expire_idempotency(100, 3).value() == 2);
  s.close();
  raw_store raw(s.options.data_dir);
  CHECK(raw.rows("idempotency").size() == 1);
  CHECK(raw.rows("idempotency_age").size() == 1);
}

TEST_CASE("store: a second opening of the folder is refused") {
  store s;
  CHECK(code_of(open_rocksdb_event_log(s.options)) == codes::storage_locked);
  REQUIRE(commit_one(*s.now, append_of(key_of("a"), 0)));  // the first one is none the worse
  s.close();
  CHECK(code_of(open_rocksdb_event_log(s.options)) == "");
}

TEST_CASE("store: a newer format is refused, and left as it is") {
  store s;
  REQUIRE(commit_one(*s.now, append_of(key_of("a"), 0)));
  SUBCASE("by its number, with the release that it needs") {
    s.options.release = "7.8.9";
    REQUIRE(s.reopen());
    REQUIRE_FALSE(s.reopen_after([](raw_store& raw) { raw.put("default", "format", number(2)); }));
    s.options.release = "0.1.0";
    const auto refused = s.reopen();
    CHECK(code_of(refused) == codes::storage_format);
    CHECK(refused.error().detail.find("release 7.8.9") != std::string::npos);
  }
  SUBCASE("by its number") {
    const auto refused =
        s.reopen_after([](raw_store& raw) { raw.put("default", "format", number(2)); });
    CHECK(code_of(refused) == codes::storage_format);
    CHECK(refused.error().detail.find("format 2") != std::string::npos);
    CHECK(s.reopen_after([](raw_store& raw) { raw.put("default", "format", number(1)); }));
  }
  SUBCASE("by a column family that is not known here") {
    const auto refused = s.reopen_after([](raw_store& raw) { raw.add_family("of the future"); });
    CHECK(code_of(refused) == codes::storage_format);
    CHECK(refused.error().detail.find("of the future") != std::string::npos);
  }
}

TEST_CASE(
    "store: a clock that is behind the last opening's is told of, and a disk below its reserve") {
  store s;
  std::vector<std::string> told;
  s.options.on_notice = [&](const std::string& what) { told.push_back(what); };
  REQUIRE(s.reopen());
  CHECK(told.empty());
  const auto ahead = number(static_cast<std::uint64_t>(s.now->epoch()) + 100'000);
  REQUIRE(s.reopen_after([&](raw_store& raw) { raw.put("default", "epoch", ahead); }));
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("clock") != std::string::npos);
  s.options.min_free_bytes = UINT64_MAX;
  REQUIRE(s.reopen());
  REQUIRE(told.size() == 3);  // the clock again
  CHECK(told[2].find("storage.min_free_bytes") != std::string::npos);
}

TEST_CASE("store: a process that has no descriptor left goes on with those that were kept back") {
  store s;
  s.options.event_bytes_max = 900 * 1024;
  std::string why;
  s.options.on_fatal = [&](const error& e) { why = e.detail; };
  REQUIRE(s.reopen());
  rlimit usual{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  const rlimit few{256, usual.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  // All that the process may have, but for what is open.
  std::vector<int> taken;
  for (int one = ::open("/dev/null", O_RDONLY | O_CLOEXEC); one >= 0;
       one = ::open("/dev/null", O_RDONLY | O_CLOEXEC))
    taken.push_back(one);
  REQUIRE(errno == EMFILE);
  bool all = true;
  for (std::uint64_t n = 0; n < 60 && all; ++n) {  // past a write-ahead log, and into tables
    auto op = append_of(key_of("a"), n);
    op.events[0].json.assign(800'000, static_cast<char>('a' + n % 26));
    all = s.now->commit(std::span(&op, 1))[0].has_value();
  }
  const auto page = s.now->read(key_of("a"), {.events_max = 100, .bytes_max = 1 << 30});
  for (const int one : taken) ::close(one);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
  CHECK(all);
  CHECK(why.empty());
  REQUIRE(page);
  CHECK(page->events.size() == 60);
}

TEST_CASE("store: a folder that cannot be made is refused") {
  const soma::testing::temp_folder folder;
  store_options options;
  options.data_dir = folder / "file";
  std::ofstream(options.data_dir) << "in the way";
  CHECK(code_of(open_rocksdb_event_log(options)) == codes::storage_unavailable);
}

TEST_CASE("store: a copy made while it runs opens by itself and holds that moment") {
  store s;
  REQUIRE(commit_one(*s.now, append_of(key_of("a"), 0, 3)));
  const auto copy = s.folder / "deep/copy";
  REQUIRE(s.now->checkpoint(copy));
  REQUIRE(commit_one(*s.now, append_of(key_of("a"), 3)));
  CHECK(code_of(s.now->checkpoint(copy)) == codes::storage_unavailable);  // it exists
  auto options = s.options;
  options.data_dir = copy;
  const auto opened = open_rocksdb_event_log(options).value();
  CHECK(seqs_of(page_of(*opened, key_of("a"))) == numbers{1, 2, 3});
  CHECK(opened->epoch() > s.now->epoch());
  REQUIRE(commit_one(*opened, append_of(key_of("a"), 3, 2)));
  CHECK(seqs_of(page_of(*s.now, key_of("a"))) == numbers{1, 2, 3, 4});
}

TEST_CASE("store: a copy made amid appends holds a moment between two of them") {
  store s;
  const auto key = key_of("a");
  std::atomic<bool> done = false;
  std::uint64_t written = 0;
  std::thread writer([&] {
    for (; !done; written += 3) {
      auto op = append_of(key, written, 3);
      for (auto& e : op.events) e.json.assign(1500, 'x');
      op.info = info_of("title", static_cast<std::int64_t>(written), true);
      op.info->message_count = written + 3;
      if (!commit_one(*s.now, op)) break;
    }
  });
  auto options = s.options;
  for (int n = 0; n < 5; ++n) {
    options.data_dir = s.folder / ("copy" + std::to_string(n));
    REQUIRE(s.now->checkpoint(options.data_dir));
    const auto opened = open_rocksdb_event_log(options).value();
    const auto head = opened->head(key);
    if (!head && n == 0) continue;  // it was quick
    REQUIRE(head);
    CHECK(head->seq % 3 == 0);
    CHECK(head->info.message_count == head->seq);
    const auto page = page_of(*opened, key, {.events_max = 1'000'000, .bytes_max = 1 << 30});
    CHECK(page.events.size() == head->seq);
    CHECK(opened->busy_sessions()->size() == 1);
    CHECK(sessions_of(*opened->list(tenant_id("t"), {})) == names{"a"});
  }
  done = true;
  writer.join();
  CHECK(page_of(*s.now, key, {.events_max = 1'000'000, .bytes_max = 1 << 30}).events.size() ==
        written);
}

TEST_CASE("store: a full disk takes nothing but what makes room") {
  store s;
  REQUIRE(commit_one(*s.now, append_of(key_of("a"), 0, 2)));
  REQUIRE(s.now->put_document("c", "k", "v"));
  s.options.min_free_bytes = UINT64_MAX;
  REQUIRE(s.reopen());
  CHECK(code_of(commit_one(*s.now, append_of(key_of("a"), 2))) == codes::storage_full);
  CHECK(code_of(commit_one(*s.now, append_of(key_of("b"), 0))) == codes::storage_full);
  CHECK(code_of(s.now->put_document("c", "k", "w")) == codes::storage_full);
  CHECK(code_of(s.now->put_idempotency({"k", "h", 200, "{}", 1})) == codes::storage_full);
  CHECK(code_of(s.now->stage(key_of("c"), std::vector{event_of(1)})) == codes::storage_full);
  CHECK(s.now->get_document("c", "k").value() == "v");
  CHECK(seqs_of(page_of(*s.now, key_of("a"))) == numbers{1, 2});
  CHECK(code_of(s.now->change_documents("c", std::vector{document_change{"l", "w"}})) ==
        codes::storage_full);
  REQUIRE(s.now->change_documents(
      "c", std::vector{document_change{"l", "w"}, document_change{"m", std::nullopt}}));
  REQUIRE(s.now->delete_document("c", "k"));
  auto gone = append_of(key_of("a"), 2);
  gone.remove = true;
  const std::vector<append_op> batch = {append_of(key_of("b"), 0), gone};
  const auto results = s.now->commit(batch);
  CHECK(code_of(results[0]) == codes::storage_full);
  CHECK(results[1].value() == 3);
}

TEST_CASE("store: rows that cannot be read, or are missing, are reported and never stepped over") {
  store s;
  const auto key = key_of("a");
  auto op = append_of(key, 0, 5);
  op.info = info_of("title", 7, true);
  op.idempotency.push_back({"key", "hash", 202, "{}", 5});
  REQUIRE(commit_one(*s.now, op));
  const auto event = [](std::uint64_t seq) { return "t\0a\0"s + number(seq); };
  const auto read = [&](const read_options& how) { return code_of(s.now->read(key, how)); };
  SUBCASE("an event of another version") {
    REQUIRE(s.reopen_after([&](raw_store& raw) { raw.put("events", event(3), "\x02garbage"); }));
    CHECK(read({}) == codes::storage_corrupt);
    CHECK(read({.backwards = true}) == codes::storage_corrupt);
    CHECK(read({.after_seq = 3}).empty());  // what lies beyond can be read
  }
  SUBCASE("an event that is gone") {
    REQUIRE(s.reopen_after([&](raw_store& raw) { raw.erase("events", event(3)); }));
    CHECK(read({}) == codes::storage_corrupt);
    CHECK(read({.backwards = true}) == codes::storage_corrupt);
    CHECK(read({.after_seq = 2}) == codes::storage_corrupt);
    CHECK(read({.before_seq = 4, .backwards = true}) == codes::storage_corrupt);
    CHECK(read({.types = 1u << 5}) == codes::storage_corrupt);
    CHECK(read({.before_seq = 3}).empty());
    CHECK(s.now->read(key, {}).error().detail.find("event 3 is missing") != std::string::npos);
  }
  SUBCASE("a first and a last event that are gone") {
    REQUIRE(s.reopen_after([&](raw_store& raw) {
      raw.erase("events", event(1));
      raw.erase("events", event(5));
    }));
    CHECK(read({}) == codes::storage_corrupt);
    CHECK(read({.backwards = true}) == codes::storage_corrupt);
    CHECK(read({.after_seq = 4}) == codes::storage_corrupt);
    CHECK(read({.after_seq = 1}) == codes::storage_corrupt);
    CHECK(read({.after_seq = 1, .before_seq = 5}).empty());
  }
  SUBCASE("an event that the head does not know") {
    REQUIRE(s.reopen_after([&](raw_store& raw) {
      const auto one = raw.rows("events").at(event(5));
      raw.put("events", event(6), one);
    }));
    CHECK(read({}) == codes::storage_corrupt);
    CHECK(read({.backwards = true}) == codes::storage_corrupt);
  }
  SUBCASE("a head that is garbage") {
    REQUIRE(s.reopen_after([&](raw_store& raw) { raw.put("sessions", "t\0a\0"s, "\x02"); }));
    CHECK(read({}) == codes::storage_corrupt);
    CHECK(code_of(s.now->head(key)) == codes::storage_corrupt);
    CHECK(code_of(s.now->list(tenant_id("t"), {})) == codes::storage_corrupt);
    CHECK(code_of(commit_one(*s.now, append_of(key, 5))) == codes::storage_corrupt);
    CHECK(commit_one(*s.now, append_of(key_of("b"), 0)));  // its neighbours go on
  }
  SUBCASE("a listed session without a head") {
    REQUIRE(s.reopen_after([&](raw_store& raw) { raw.erase("sessions", "t\0a\0"s); }));
    CHECK(code_of(s.now->list(tenant_id("t"), {})) == codes::storage_corrupt);
  }
  SUBCASE("a busy session's key that is garbage") {
    REQUIRE(s.reopen_after([&](raw_store& raw) { raw.put("busy", "garbage", ""); }));
    CHECK(code_of(s.now->busy_sessions()) == codes::storage_corrupt);
  }
  SUBCASE("an idempotency record that is garbage") {
    REQUIRE(s.reopen_after([&](raw_store& raw) { raw.put("idempotency", "key", "\x01x"); }));
    CHECK(code_of(s.now->find_idempotency("key")) == codes::storage_corrupt);
    CHECK(code_of(s.now->expire_idempotency(100, 10)) == codes::storage_corrupt);
  }
}

TEST_CASE("store: readers see whole commits while one thread appends and another keeps documents") {
  store s;
  const auto key = key_of("a");
  constexpr std::uint64_t commits = 300;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::thread documents([&] {
    for (int n = 0; !done; ++n)
      if (!s.now->put_document("c", std::to_string(n % 5), "v")) ++wrong;
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r)
    readers.emplace_back([&, backwards = r == 1] {
      while (!done) {
        const auto page = s.now->read(key, {.backwards = backwards, .events_max = 10'000});
        if (!page && page.error().code == codes::session_not_found) continue;
        // Each commit is three events and says so in the head.
        if (!page || page->events.size() % 3 != 0 || !page->end) ++wrong;
        const auto listed = s.now->list(tenant_id("t"), {});
        if (!listed || listed->sessions.size() > 1) ++wrong;
        const auto head = s.now->head(key);
        if (!head || head->info.message_count * 3 != head->seq) ++wrong;
      }
    });
  for (std::uint64_t n = 0; n < commits; ++n) {
    auto op = append_of(key, 3 * n, 3);
    op.info = info_of("title", static_cast<std::int64_t>(n));
    op.info->message_count = n + 1;
    REQUIRE(commit_one(*s.now, op));
  }
  done = true;
  documents.join();
  for (auto& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(page_of(*s.now, key, {.events_max = 10'000, .bytes_max = 1 << 30}).events.size() ==
        3 * commits);
}
