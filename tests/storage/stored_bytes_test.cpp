// What a tenant's events take, as the store tells it: grows with what is written, falls with what
// is deleted, and is no other tenant's.
#include <thread>

#include "table_store.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

namespace {

session_key of_tenant(const std::string& tenant, const std::string& session) {
  return {tenant_id(tenant), key_of(session).session};
}

bool comes_true(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

TEST_CASE("stored bytes: a tenant's own, known again after a start, given back by a deletion") {
  table_store s;
  s.reclaim_after = std::chrono::milliseconds(0);
  s.open();
  const auto gone = of_tenant("large", "a"), kept = of_tenant("large", "b"),
             other = of_tenant("larger", "c");  // a name that begins with the other
  CHECK(s.log->stored_bytes(gone.tenant) == 0);
  for (int n = 0; n < 200; ++n) REQUIRE(s.append(gone, 40'000));
  for (int n = 0; n < 10; ++n) REQUIRE(s.append(kept, 40'000));
  REQUIRE(s.append(other, 1000));
  const auto all = s.log->stored_bytes(gone.tenant);
  CHECK(all > 6'000'000);
  CHECK(all < 14'000'000);
  CHECK(s.log->stored_bytes(other.tenant) < 1'000'000);
  s.open();
  REQUIRE(s.append(kept, 100));
  CHECK(s.log->stored_bytes(kept.tenant) > 6'000'000);
  append_op remove;
  remove.key = gone;
  remove.expected_seq = s.log->head(gone)->seq;
  remove.events.push_back({remove.expected_seq + 1, event_type::app_event, "{}"});
  remove.remove = true;
  REQUIRE(commit_one(*s.log, remove));
  CHECK(comes_true([&] { return s.log->stored_bytes(gone.tenant) < 1'500'000; }));
  CHECK(s.log->stored_bytes(gone.tenant) > 0);
  CHECK(s.log->read(kept, {.events_max = 100, .bytes_max = 1 << 30})->events.size() == 11);
}

TEST_CASE("stored bytes: what is staged counts too, and what is thrown away does not for long") {
  table_store s;
  s.reclaim_after = std::chrono::milliseconds(0);
  s.open();
  const auto copy = of_tenant("large", "a");
  for (std::uint64_t n = 0; n < 20; ++n) {
    std::vector<encoded_event> some;
    for (std::uint64_t m = 1; m <= 10; ++m)
      some.push_back({10 * n + m, event_type::app_event, text_of(copy, 10 * n + m, 40'000)});
    REQUIRE(s.log->stage(copy, some));
  }
  CHECK(s.log->stored_bytes(copy.tenant) > 6'000'000);
  REQUIRE(s.log->discard_staged(copy));
  CHECK(comes_true([&] { return s.log->stored_bytes(copy.tenant) < 1'000'000; }));
}
