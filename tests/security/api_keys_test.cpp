#include "security/identity/api_keys.hpp"

#include <doctest/doctest.h>

#include "core/uuid.hpp"
#include "security/identity/users.hpp"
#include "security/memory_documents.hpp"

using namespace soma;
using namespace soma::security;

namespace {
struct world {
  memory_documents documents;
  secret_string server_key{std::string(32, 'k')};
  key_store keys{documents, server_key};
  made_api_key make(const std::string& tenant = "acme", std::int64_t expires = 0) {
    return keys.create({"ci", role::user, tenant_id{tenant}, user_id{"ann"}, expires}, 10).value();
  }
};
}  // namespace

TEST_CASE("api key: what was shown once is known again, and is stored nowhere") {
  world w;
  const auto made = w.make();
  const std::string text(made.text.reveal());
  CHECK(text.size() == 5 + 32 + 1 + 43);
  CHECK(text.starts_with(made.key.prefix));
  CHECK(is_uuid(made.key.id));
  const auto known = w.keys.verify(text, 20);
  REQUIRE(known.has_value());
  CHECK(known->id == made.key.id);
  CHECK(known->user.value == "ann");
  const auto documents = w.documents.list("keys").value();
  CHECK(documents.at(0).second.find(text.substr(38)) == std::string::npos);
}

TEST_CASE("api key: it is written by its keeper, with what else that writes, or not at all") {
  world w;
  const new_api_key wanted{"ci", role::user, tenant_id{"acme"}, user_id{"ann"}, 0};
  const auto refused = w.keys.create(wanted, 10, [](const api_key&, const document_row&) {
    return result<void>(error(codes::storage_unavailable, "told to fail"));
  });
  CHECK(refused.error().code == codes::storage_unavailable);
  CHECK(w.documents.writes == 0);
  document_row row;
  const auto made = w.keys.create(wanted, 10, [&](const api_key& key, const document_row& given) {
    row = given;
    CHECK(key.name == "ci");
    return w.documents.put(row.collection, row.key, row.document);
  });
  REQUIRE(made.has_value());
  const std::string text(made->text.reveal());
  CHECK(row.document.find(text.substr(38)) == std::string::npos);
  CHECK(w.keys.verify(text, 20)->id == made->key.id);
}

TEST_CASE("api key: every changed, cut or added character is refused") {
  world w;
  const auto made = w.make();
  const std::string text(made.text.reveal());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'q' ? 'r' : 'q';
    CHECK(w.keys.verify(changed, 20).error().code == codes::auth_invalid);
    CHECK(w.keys.verify(text.substr(0, i), 20).has_error());
  }
  CHECK(w.keys.verify(text + "A", 20).has_error());
}

TEST_CASE("api key: wherever a key is wrong, the store is asked for its id alone, and as often") {
  world w;
  const auto made = w.make();
  const std::string text(made.text.reveal());
  constexpr std::size_t secret_at = 5 + 32 + 1;
  // What is kept is compared by its keyed hash (constant_time_equal, whose instructions
  // tests/instructions counts), never by the text: so no place of it is looked at before another.
  for (std::size_t i = secret_at; i < text.size(); ++i) {
    auto changed = text;
    changed[i] = changed[i] == 'q' ? 'r' : 'q';
    const int before = w.documents.reads;
    CHECK(w.keys.verify(changed, 20).error().code == codes::auth_invalid);
    CHECK(w.documents.reads == before + 1);
  }
  const int before = w.documents.reads;
  CHECK(w.keys.verify(text, 20).has_value());
  CHECK(w.documents.reads == before + 1);
}

TEST_CASE("api key: expires, and belongs to its tenant") {
  world w;
  const auto made = w.make("acme", 100);
  CHECK(w.keys.verify(made.text.reveal(), 99).has_value());
  CHECK(w.keys.verify(made.text.reveal(), 100).has_error());
  CHECK(w.keys.list(tenant_id{"other"}).value().empty());
  CHECK(w.keys.remove(tenant_id{"other"}, made.key.id).error().code == codes::key_not_found);
  CHECK(w.keys.list(tenant_id{"acme"}).value().size() == 1);
  CHECK(w.keys.remove(tenant_id{"acme"}, made.key.id).has_value());
  CHECK(w.keys.verify(made.text.reveal(), 50).has_error());
}

TEST_CASE("api key: a use is noted seldom, and never brings a removed key back") {
  world w;
  const auto made = w.make();
  const auto now = key_store::last_used_step_ms + 1;
  CHECK(w.keys.touch(made.key, now).has_value());
  const auto used = w.keys.verify(made.text.reveal(), now).value();
  CHECK(used.last_used_at_ms == now);
  const int writes = w.documents.writes;
  CHECK(w.keys.touch(used, now + 1).has_value());
  CHECK(w.documents.writes == writes);
  CHECK(w.keys.remove(tenant_id{"acme"}, made.key.id).has_value());
  CHECK(w.keys.touch(made.key, now).has_value());
  CHECK(w.keys.verify(made.text.reveal(), now).has_error());
}

TEST_CASE("api key, user: what another process took back meanwhile does not come back by a visit") {
  world w;
  const auto made = w.make();
  w.documents.before_replace = [&] { (void)w.documents.remove("keys", made.key.id); };
  REQUIRE(w.keys.touch(made.key, 1'000'000'000).has_value());
  CHECK(w.documents.list("keys").value().empty());

  w.documents.before_replace = {};
  user_store users(w.documents), elsewhere(w.documents);
  user_change off;
  off.disabled = true;
  REQUIRE(users.change(made.key.tenant, made.key.user, user_change{}).has_value());
  const auto seen = users.find(made.key.tenant, made.key.user).value();
  w.documents.before_replace = [&] {
    w.documents.before_replace = {};
    REQUIRE(elsewhere.change(made.key.tenant, made.key.user, off).has_value());
  };
  REQUIRE(users.touch(seen, 1'000'000'000).has_value());
  const auto now = users.find(made.key.tenant, made.key.user).value();
  CHECK(now.disabled);
  CHECK(now.last_seen_at_ms == 1'000'000'000);
}

TEST_CASE("api key: a store that fails or a document that is damaged lets nobody in") {
  world w;
  const auto made = w.make();
  w.documents.failing = true;
  CHECK(w.keys.verify(made.text.reveal(), 20).error().code == codes::storage_unavailable);
  w.documents.failing = false;
  for (const char* json : {"", "{}", "[]", "{\"id\":1}", "null"}) {
    REQUIRE(w.documents.put("keys", made.key.id, json).has_value());
    CHECK(w.keys.verify(made.text.reveal(), 20).error().code == codes::storage_corrupt);
  }
}
