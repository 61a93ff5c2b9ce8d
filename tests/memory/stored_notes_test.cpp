#include "memory/stored_notes.hpp"

#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "storage/event_log.hpp"
#include "support/result_text.hpp"

using namespace soma;

namespace {

struct world {
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  memory::stored_notes notes{*log};
  session_key mine{tenant_id("t"), session_id("00000000-0000-4000-8000-000000000001")};
};

}  // namespace

TEST_CASE_FIXTURE(world, "notes: found by their words, the best first, of one tenant alone") {
  REQUIRE(notes.save(mine, "The office is in Zurich, near the lake"));
  const auto best = notes.save(mine, "The OFFICE key is under the mat");
  REQUIRE(best);
  REQUIRE(notes.save({tenant_id("other"), mine.session}, "office key"));
  const auto found = notes.recall(mine.tenant, "office key", 5);
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  CHECK(found->front().id == *best);
  CHECK(found->front().score == 1);
  CHECK(found->back().score == 0.5);
  CHECK(notes.recall(mine.tenant, "office key", 1)->size() == 1);
  CHECK(notes.recall(mine.tenant, "nothing of that", 5)->size() == 0);
}

TEST_CASE_FIXTURE(world, "notes: a tenant keeps so many and no more") {
  for (std::size_t i = 0; i < memory::stored_notes::notes_max; ++i)
    REQUIRE(log->put_document("memory", "t\n" + std::to_string(i), "x"));
  const auto one_more = notes.save(mine, "y");
  REQUIRE_FALSE(one_more);
  CHECK(one_more.error().code == codes::quota_exceeded);
  CHECK(notes.save({tenant_id("other"), mine.session}, "y"));
}
