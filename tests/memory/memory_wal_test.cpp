#include <thread>

#include "core/codes.hpp"
#include "memory/memory_wal.hpp"
#include "memory/memory_world.hpp"
#include "memory/replicator.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

struct log_world : world {
  log_world() : log_world(wal_options{}) {}
  explicit log_world(wal_options how) : how_(std::move(how)) {
    stop();
    wal_options_ = &how_;
    start();
    drain();
  }
  ~log_world() { stop(); }
  // Until all that is committed is in the log.
  void drain() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (wal->lag() > 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    REQUIRE(wal->lag() == 0);
  }
  void restart() {
    stop();
    start();
    drain();
  }
  wal_page read(std::string_view after = {}, std::size_t rows = 1000) {
    drain();
    return wal->read(tenant_id("t"), after, rows, 1u << 20).value();
  }
  // "+text" of what there is, "-id" of what went.
  static strings told(const wal_page& page) {
    strings out;
    for (const auto& one : page.entries)
      out.push_back(one.put ? '+' + one.put->text : '-' + one.id);
    return out;
  }
  void set_text(const item& it, std::string text) {
    item_change what;
    what.text = std::move(text);
    REQUIRE(kept->change(by(), it.memory_id, what, {}));
    drain();
  }
  void forget(const item& it) {
    REQUIRE(kept->forget(by(), it.memory_id, {}));
    drain();
  }
  bool knows(std::string_view position) {
    const auto page = wal->read(tenant_id("t"), position, 10, 1u << 20);
    if (!page) CHECK(page.error().code == codes::request_invalid_parameter);
    return page.has_value();
  }
  wal_options how_;
};

}  // namespace

TEST_CASE_FIXTURE(log_world,
                  "log of memories: what is another site's and goes has a stone, told or not") {
  const auto goes = [&](std::string id, bool is_foreign) {
    storage::row_batch rows;
    if (is_foreign)
      rows.documents.push_back({std::string(replica_collection), id_key(tenant_id("t"), id),
                                "put\n1\n" + std::string(no_session)});
    rows.outbox.push_back(
        to_outbox({change::kind::gone, {tenant_id("t"), session_id(std::string(no_session))}, id}));
    REQUIRE(log->write_rows(rows));
  };
  goes("ours", false);
  goes("theirs", true);
  CHECK(told(read()) == strings{"-theirs"});
}

TEST_CASE_FIXTURE(log_world, "log of memories: all there is, each once, what went by a stone") {
  const auto a = note("one");
  drain();
  const auto b = note("two");
  drain();
  note("another tenant's", by("ada", "other"));
  set_text(a, "one, changed");
  forget(b);
  const auto page = read();
  CHECK(told(page) == strings{"+one, changed", '-' + b.memory_id});
  CHECK(page.caught_up);
  CHECK(page.entries[1].gone_at_ms > 0);
  CHECK(told(wal->read(tenant_id("other"), "", 10, 1u << 20).value()) ==
        strings{"+another tenant's"});
}

TEST_CASE_FIXTURE(log_world, "log of memories: is read on from any position, without a gap") {
  for (int i = 0; i < 20; ++i) {
    note("note " + std::to_string(i));
    drain();
  }
  const auto all = told(read());
  REQUIRE(all.size() == 20);
  strings found;
  std::string after;
  for (bool more = true; more;) {
    const auto page = read(after, 3);
    for (const auto& one : told(page)) found.push_back(one);
    after = page.position;
    more = !page.caught_up;
  }
  CHECK(found == all);
  note("new");
  CHECK(told(read(after)) == strings{"+new"});
}

TEST_CASE_FIXTURE(log_world, "log of memories: what goes with its session is told one by one") {
  say("s", "m1", "said");
  say("s", "m2", "said, too");
  say("other", "m3", "stays");
  const auto before = read();
  CHECK(before.entries.size() == 3);
  CHECK(before.entries[0].put->session_id == "s");
  delete_session("s");
  const auto page = read(before.position);
  CHECK(told(page) == strings{"-m-m1", "-m-m2"});
  CHECK(page.entries[0].session == "s");
  CHECK(told(read()) == strings{"+stays", "-m-m1", "-m-m2"});
}

TEST_CASE_FIXTURE(log_world, "log of memories: what SomaBrain was told is no change") {
  const auto it = note("one");
  const auto before = read();
  REQUIRE(kept->set_states(tenant_id("t"), {{"-", it.memory_id, 0}}, "replicated"));
  CHECK(read(before.position).entries.empty());
}

TEST_CASE_FIXTURE(log_world, "log of memories: its positions hold over a restart, others do not") {
  note("one");
  const auto first = read();
  restart();
  CHECK(read(first.position).entries.empty());
  note("two");
  const auto second = read(first.position);
  CHECK(told(second) == strings{"+two"});
  CHECK(second.log == first.log);
  CHECK(second.position.substr(0, 16) != first.position.substr(0, 16));
  for (const auto* none : {"x", ".", "1", "0123456789abcdef.1", "-.1"}) CHECK_FALSE(knows(none));
  const auto start = second.position.substr(0, second.position.find('.'));
  CHECK_FALSE(knows(start + ".1"));    // before this start wrote
  CHECK_FALSE(knows(start + ".999"));  // not written yet
  CHECK_FALSE(knows(start + ".2x"));
}

TEST_CASE_FIXTURE(log_world, "log of memories: a log that lost its end takes no position of it") {
  note("one");
  const auto before = read();
  const auto state = log->get_document(wal_state_collection, "log").value();
  restart();
  note("lost");
  const auto lost = read();
  stop();
  REQUIRE(log->put_document(wal_state_collection, "log", *state));  // as a restored copy has it
  start();
  note("in its place");
  drain();
  CHECK(knows(before.position));
  CHECK_FALSE(knows(lost.position));
}

TEST_CASE_FIXTURE(log_world, "log of memories: what came while none was kept is found") {
  const auto stays = note("stays"), changed = note("was"), gone = note("goes");
  say("s", "m", "goes with its session");
  const auto before = read();
  stop();
  wal_options_ = nullptr;
  REQUIRE(memory_wal::not_kept(*log));
  start();
  item_change what;
  what.text = "is";
  REQUIRE(kept->change(by(), changed.memory_id, what, {}));
  REQUIRE(kept->forget(by(), gone.memory_id, {}));
  note("new");
  delete_session("s");
  settle();
  stop();
  wal_options_ = &how_;
  start();
  drain();
  auto found = told(read(before.position));
  std::sort(found.begin(), found.end());
  auto wanted = strings{"+is", "+new", '-' + gone.memory_id, "-m-m"};
  std::sort(wanted.begin(), wanted.end());
  CHECK(found == wanted);
  CHECK(read(before.position).caught_up);
}

TEST_CASE("log of memories: stones are bounded, and who is behind them is told") {
  wal_options few;
  few.gone_max = 10;
  log_world w(few);
  w.note("stays");
  const auto before = w.read();
  std::string late;
  for (int i = 0; i < 40; ++i) {
    const auto it = w.note("goes " + std::to_string(i));
    w.drain();
    w.forget(it);
    if (i == 38) late = w.read().position;
  }
  const auto all = w.read();
  CHECK(all.entries.size() <= 11);
  CHECK(all.entries.front().put->text == "stays");
  CHECK_FALSE(w.knows(before.position));
  CHECK(w.read(late).entries.size() == 1);
}

TEST_CASE_FIXTURE(log_world, "log of memories: rows stay for it until it has them") {
  note("one");
  drain();
  settle();
  stop();
  CHECK(log->read_outbox(outbox_sink, 0, 10).value().rows.empty());
  indexer_options options;
  options.path = path;
  options.taken_by_others = [] { return 0; };
  {
    indexer alone(*log, options);
    memories late(*log, alone, limits, [this] { return ++now; });
    new_note wanted;
    wanted.text = "two";
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!alone.degraded().empty()) std::this_thread::yield();
    REQUIRE(late.save(by(), wanted));
    alone.catch_up(until);
  }
  CHECK(log->read_outbox(outbox_sink, 0, 10).value().rows.size() == 1);
  start();
  CHECK(told(read()) == strings{"+one", "+two"});
}

TEST_CASE("log of memories: its lines") {
  std::string lines;
  write_begin(lines, "L", "p.1");
  wal_entry gone;
  gone.position = "p.2";
  gone.id = "m";
  gone.gone_at_ms = 7;
  write_line(lines, gone);
  write_head(lines, "p.2", 8);
  write_alive(lines);
  CHECK(lines ==
        "{\"type\":\"begin\",\"log\":\"L\",\"position\":\"p.1\"}\n"
        "{\"type\":\"gone\",\"position\":\"p.2\",\"memory_id\":\"m\",\"at\":7}\n"
        "{\"type\":\"head\",\"position\":\"p.2\",\"at\":8}\n"
        "{\"type\":\"alive\"}\n");
}
