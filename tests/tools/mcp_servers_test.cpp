// What is kept of a tenant's servers, when the disk fails in between.
#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "tools/catalog_runner.hpp"
#include "tools/mcp/servers.hpp"

using namespace soma;
using namespace soma::tools;
using namespace soma::tools::mcp;
namespace json = boost::json;

namespace {

struct no_changes final : catalog_store {
  result<std::vector<row>> load() override { return std::vector<row>(); }
  result<void> put(const row&) override { return {}; }
  std::string digest(std::string_view text) const override { return std::string(text); }
};

struct failing_store final : server_store {
  static error broken() { return {codes::storage_unavailable, "broken"}; }
  result<std::vector<row>> load() override { return std::vector<row>(); }
  result<void> put(const row& kept) override {
    rows[kept.name] = kept.json;
    return {};
  }
  result<void> remove(const tenant_id&, const std::string& name) override {
    if (no_rows) return broken();
    rows.erase(name);
    return {};
  }
  result<secret_string> token(const tenant_id&, const std::string&) override {
    return secret_string();
  }
  result<void> keep_token(const tenant_id&, const std::string& name,
                          const secret_string& token) override {
    if (no_tokens) return broken();
    token.empty() ? tokens.erase(name) : (tokens[name] = std::string(token.reveal()), 0);
    return {};
  }
  std::map<std::string, std::string> rows, tokens;
  bool no_rows = false, no_tokens = false;
};

}  // namespace

TEST_CASE("mcp servers: one whose removal failed half-way is still there, and can be removed") {
  no_changes changes;
  catalog tools({}, changes);
  REQUIRE(tools.load());
  catalog_runner runner({tools, nullptr});
  sandbox box;
  failing_store store;
  servers all({tools, runner, box, store}, {});
  REQUIRE(all.start({}));
  const tenant_id mine("mine");
  const json::object body{{"url", "http://127.0.0.1:9/"}, {"token", "secret"}};
  REQUIRE(all.put(mine, "one", body, ""));
  store.no_tokens = true;
  CHECK_FALSE(all.remove(mine, "one", "").has_value());
  CHECK(all.list(mine).size() == 1);
  CHECK(store.rows.size() == 1);
  store.no_tokens = false;
  store.no_rows = true;
  CHECK_FALSE(all.remove(mine, "one", "").has_value());
  CHECK(all.list(mine).size() == 1);
  store.no_rows = false;
  CHECK(all.remove(mine, "one", "").has_value());
  CHECK(all.list(mine).empty());
  CHECK(store.rows.empty());
  CHECK(store.tokens.empty());
}
