#include "security/secrets/credential_vault.hpp"

#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "security/memory_documents.hpp"
#include "security/secrets/sealed_text.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;

namespace {

constexpr std::string_view planted = "sk-planted-0123456789";
const tenant_id ours{"ours"}, theirs{"theirs"};

secret_string key_of(char c) {
  return secret_string(std::string(32, c));
}

struct world {
  memory_documents documents;

  credential_vault vault(std::vector<secret_string> keys) {
    return credential_vault(documents, std::move(keys));
  }
  std::string opened(const credential_vault& v, const tenant_id& tenant,
                     std::string_view provider) {
    const auto secret = v.open(tenant, provider);
    if (!secret) return "error " + std::string(secret.error().code);
    return *secret ? std::string((*secret)->reveal()) : "none";
  }
  std::string row(std::string_view tenant, std::string_view provider) {
    return **documents.get("credentials", std::string(tenant) + "\n" + std::string(provider));
  }
};

}  // namespace

TEST_CASE_FIXTURE(world, "vault: a secret opens again, also after a restart, for its own place") {
  {
    auto v = vault({key_of('a')});
    REQUIRE(v.put(ours, "openai", secret_string(std::string(planted)), 10));
    CHECK(opened(v, ours, "openai") == planted);
    CHECK(opened(v, ours, "anthropic") == "none");
    CHECK(opened(v, theirs, "openai") == "none");
  }
  CHECK(row("ours", "openai").find("planted") == std::string::npos);
  auto v = vault({key_of('a')});
  REQUIRE(v.load());
  CHECK(opened(v, ours, "openai") == planted);
  CHECK(v.unreadable() == 0);
}

TEST_CASE_FIXTURE(world, "vault: what another process wrote is followed, also that it is gone") {
  auto v = vault({key_of('a')}), other = vault({key_of('a')});
  REQUIRE(v.put(ours, "openai", secret_string(std::string(planted)), 10));
  REQUIRE(other.load());
  CHECK(opened(other, ours, "openai") == planted);
  REQUIRE(v.put(ours, "openai", secret_string("another"), 20));
  REQUIRE(other.load());
  CHECK(opened(other, ours, "openai") == "another");
  REQUIRE(v.remove(ours, "openai"));
  REQUIRE(other.load());
  CHECK(opened(other, ours, "openai") == "none");
}

TEST_CASE_FIXTURE(world, "vault: what is shown tells secrets apart and nothing of them") {
  auto v = vault({key_of('a')});
  const auto first = v.put(ours, "openai", secret_string(std::string(planted)), 10);
  const auto second = v.put(ours, "openai", secret_string("another"), 20);
  REQUIRE(second);
  CHECK(first->fingerprint != second->fingerprint);
  CHECK(second->created_at_ms == 10);
  CHECK(second->updated_at_ms == 20);
  REQUIRE(v.put(ours, "anthropic", secret_string("x"), 30));
  REQUIRE(v.put(theirs, "openai", secret_string("x"), 30));
  const auto listed = v.list(ours);
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].provider == "anthropic");
  CHECK(!v.view(theirs, "anthropic"));
  CHECK(v.remove(ours, "openai"));
  CHECK(opened(v, ours, "openai") == "none");
  CHECK(opened(v, theirs, "openai") == "x");
}

TEST_CASE_FIXTURE(world,
                  "vault: a row moved to another tenant or provider, or changed, stays shut") {
  auto before = vault({key_of('a')});
  REQUIRE(before.put(ours, "openai", secret_string(std::string(planted)), 10));
  const auto document = row("ours", "openai");
  REQUIRE(documents.put("credentials", "theirs\nopenai", document));
  REQUIRE(documents.put("credentials", "ours\nmistral", document));
  auto changed = document;
  const auto at = changed.find("\"secret\":\"") + 30;
  changed[at] = changed[at] == 'A' ? 'B' : 'A';
  REQUIRE(documents.put("credentials", "ours\nopenai", changed));
  auto v = vault({key_of('a')});
  REQUIRE(v.load());
  CHECK(opened(v, theirs, "openai") == "error storage.corrupt");
  CHECK(opened(v, ours, "mistral") == "error storage.corrupt");
  CHECK(opened(v, ours, "openai") == "error storage.corrupt");
  CHECK(v.unreadable() == 2);  // the changed one's data key still opens
  REQUIRE(documents.put("credentials", "ours\nbroken", "{}"));
  CHECK(vault({key_of('a')}).load().error().code == "storage.corrupt");
}

TEST_CASE_FIXTURE(world, "vault: a wrong key serves nothing, no key says so") {
  REQUIRE(vault({key_of('a')}).put(ours, "openai", secret_string(std::string(planted)), 10));
  auto wrong = vault({key_of('b'), key_of('c')});
  REQUIRE(wrong.load());
  CHECK(opened(wrong, ours, "openai") == "error secret.key_wrong");
  CHECK(wrong.unreadable() == 1);
  CHECK(wrong.view(ours, "openai"));
  auto none = vault({});
  REQUIRE(none.load());
  CHECK(opened(none, ours, "openai") == "error secret.key_missing");
  CHECK(opened(none, ours, "mistral") == "none");
  CHECK(none.put(ours, "x", secret_string("y"), 1).error().code == "secret.key_missing");
}

TEST_CASE_FIXTURE(world, "vault: rotation seals anew under the first key, and the old one may go") {
  auto v = vault({key_of('a')});
  REQUIRE(v.put(ours, "openai", secret_string(std::string(planted)), 10));
  REQUIRE(v.put(theirs, "openai", secret_string("other"), 10));
  auto done = v.rotate({key_of('b'), key_of('a')});
  REQUIRE(done);
  CHECK(done->sealed_anew == 2);
  CHECK(opened(v, ours, "openai") == planted);
  done = v.rotate({key_of('b'), key_of('a')});
  CHECK(done->kept == 2);
  auto after = vault({key_of('b')});
  REQUIRE(after.load());
  CHECK(opened(after, ours, "openai") == planted);
  CHECK(opened(after, theirs, "openai") == "other");
  CHECK(after.view(ours, "openai")->fingerprint == v.view(ours, "openai")->fingerprint);
}

TEST_CASE_FIXTURE(world, "vault: rotation counts what no key opens, and leaves it") {
  REQUIRE(vault({key_of('x')}).put(theirs, "lost", secret_string("l"), 10));
  auto v = vault({key_of('a')});
  REQUIRE(v.load());
  REQUIRE(v.put(ours, "openai", secret_string(std::string(planted)), 10));
  const auto lost = row("theirs", "lost");
  const auto done = v.rotate({key_of('b'), key_of('a')});
  REQUIRE(done);
  CHECK(done->sealed_anew == 1);
  CHECK(done->lost == 1);
  CHECK(row("theirs", "lost") == lost);
}

TEST_CASE_FIXTURE(world, "vault: what the store does not take does not count") {
  auto v = vault({key_of('a')});
  REQUIRE(v.put(ours, "openai", secret_string("old"), 10));
  documents.failing = true;
  CHECK(v.put(ours, "openai", secret_string("new"), 20).error().code == "storage.unavailable");
  CHECK(!v.remove(ours, "openai"));
  CHECK(opened(v, ours, "openai") == "old");
  // A rotation that cannot be stored keeps what opens the rows.
  CHECK(!v.rotate({key_of('b'), key_of('a')}));
  CHECK(opened(v, ours, "openai") == "old");
}

namespace {

// Writes stand still inside until they are let go, as in an fsync.
struct held_documents final : document_store {
  result<std::optional<std::string>> get(std::string_view c, std::string_view k) override {
    return inner.get(c, k);
  }
  result<void> put(std::string_view c, std::string_view k, std::string_view d) override {
    wait();
    return inner.put(c, k, d);
  }
  result<bool> replace(std::string_view c, std::string_view k, std::string_view read,
                       std::string_view d) override {
    wait();
    return inner.replace(c, k, read, d);
  }
  result<void> remove(std::string_view c, std::string_view k) override {
    wait();
    return inner.remove(c, k);
  }
  result<std::vector<std::pair<std::string, std::string>>> list(std::string_view c) override {
    return inner.list(c);
  }
  void wait() {
    if (!holding) return;
    inside.set_value();
    go.get_future().wait();
    inside = {};
    go = {};
  }

  memory_documents inner;
  std::atomic<bool> holding{false};
  std::promise<void> inside, go;
};

}  // namespace

TEST_CASE("vault: a change that waits for the disk keeps nobody waiting who opens a secret") {
  held_documents disk;
  credential_vault v(disk, {key_of('a')});
  const auto opened = [&] {
    const auto secret = v.open(ours, "openai");
    return secret && *secret ? std::string((*secret)->reveal()) : "none";
  };
  REQUIRE(v.put(ours, "openai", secret_string("old"), 10));
  // What runs while the disk stands still would not come back if it waited.
  const auto meanwhile = [&](auto change) {
    disk.holding = true;
    std::thread writer(change);
    disk.inside.get_future().wait();
    CHECK(opened() == "old");
    CHECK(v.view(ours, "openai"));
    CHECK(v.list(ours).size() == 1);
    CHECK(v.unreadable() == 0);
    disk.holding = false;
    disk.go.set_value();
    writer.join();
  };
  meanwhile([&] { CHECK(v.put(theirs, "openai", secret_string("other"), 20)); });
  meanwhile([&] { CHECK(v.rotate({key_of('b'), key_of('a')})); });
  CHECK(opened() == "old");
  meanwhile([&] { CHECK(v.remove(ours, "openai")); });
  CHECK(opened() == "none");
}

TEST_CASE("sealed text: keys are 32 bytes, as hex or base64 of either alphabet") {
  const std::string hex(64, 'f');
  CHECK(parse_encryption_key(hex)->reveal() == std::string(32, '\xff'));
  CHECK(parse_encryption_key("//////////////////////////////////////////8=")->reveal() ==
        std::string(32, '\xff'));
  CHECK(parse_encryption_key("__________________________________________8")->reveal() ==
        std::string(32, '\xff'));
  for (const char* bad : {"", "short", "zz", "//////////8="}) {
    CAPTURE(bad);
    const auto key = parse_encryption_key(bad);
    REQUIRE(!key);
    CHECK(key.error().code == "config.invalid");
  }
}
