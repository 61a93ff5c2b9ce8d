// Whose an attachment is: who sent it, and whoever sees a session that names it.
#include <doctest/doctest.h>

#include <set>

#include "core/codes.hpp"
#include "core/uuid.hpp"
#include "files/attachment_store.hpp"
#include "storage/attachment_rows.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;

namespace {

struct shelf {
  shelf() {
    store_options options;
    options.folder = folder / "attachments";
    options.types = {"*/*"};
    options.sees = [this](const tenant_id& whose, std::string_view user, std::string_view session) {
      return whose == tenant && user == "bob" && open_to_bob.count(std::string(session)) > 0;
    };
    auto opened = attachment_store::open(*log, options, nullptr);
    REQUIRE(opened);
    store = std::move(*opened);
    auto file = store->begin(tenant);
    REQUIRE(file);
    REQUIRE(store->append(*file, "hers"));
    auto added = store->add(std::move(*file), {tenant, "ann", "a.txt", {}});
    REQUIRE(added);
    sent = *added;
  }

  // What somebody is told of it; "" where he has it.
  std::string told(const attachment_reader& who) const {
    const auto found = store->look(who, sent.id);
    return found ? std::string() : std::string(found.error().code);
  }
  std::string name_it() {
    const session_key session{tenant, session_id(new_uuid())};
    std::vector<storage::document_row> rows;
    storage::add_attachment_use(rows, session, sent.id);
    for (const auto& row : rows) REQUIRE(log->put_document(row.collection, row.key, row.value));
    return session.session.value;
  }

  soma::testing::temp_folder folder;
  const tenant_id tenant{"t"}, other{"other"};
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  std::set<std::string> open_to_bob;  // sessions
  std::unique_ptr<attachment_store> store;
  stored_attachment sent;
  const attachment_reader ann{tenant, "ann", false}, bob{tenant, "bob", false},
      nobody{tenant, "", false}, admin{tenant, "root", true};
};

const std::string not_found(codes::attachment_not_found);

}  // namespace

TEST_CASE("attachment sight: it is for who sent it, and for admins of the tenant") {
  shelf s;
  CHECK(s.told(s.ann) == "");
  CHECK(s.told(s.admin) == "");
  CHECK(s.told(s.bob) == not_found);
  CHECK(s.told(s.nobody) == not_found);
  CHECK(s.told({s.other, "ann", false}) == not_found);
  CHECK(s.told({s.other, "root", true}) == not_found);
}

TEST_CASE("attachment sight: who sees a session that names it has it, for as long as he does") {
  shelf s;
  s.name_it();
  const auto session = s.name_it();
  CHECK(s.told(s.bob) == not_found);
  CHECK_FALSE(*s.store->find_known(s.sent.sha256, {s.tenant, "bob", "b", {}}));
  CHECK(s.store->name(s.bob, {s.sent.id}).error().code == not_found);
  s.open_to_bob.insert(session);
  CHECK(s.told(s.bob) == "");
  CHECK(s.store->find(s.bob, s.sent.id));
  CHECK(s.store->name(s.bob, {s.sent.id}));
  CHECK(*s.store->find_known(s.sent.sha256, {s.tenant, "bob", "b", {}}));
  CHECK(s.told(s.nobody) == not_found);
  s.open_to_bob.clear();
  CHECK(s.told(s.bob) == not_found);
  // Nor is he told what has become of it.
  REQUIRE(s.store->remove(s.tenant, s.sent.id));
  CHECK(s.told(s.ann) == codes::attachment_expired);
  CHECK(s.told(s.bob) == not_found);
}
