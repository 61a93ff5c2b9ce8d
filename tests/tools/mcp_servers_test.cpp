// What is kept of a tenant's servers, when the disk fails in between; and what becomes of calls.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <future>

#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "tools/catalog_runner.hpp"
#include "tools/mcp/servers.hpp"
#include "tools/tiny_server.hpp"

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

constexpr auto patience = std::chrono::seconds(60);

// A server over HTTP with one tool, whose calls are not answered while it lives.
class silent_server {
 public:
  ~silent_server() { end_.set_value(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(http_.port()) + "/"; }
  void wait_for_call() { REQUIRE(called_.get_future().wait_for(patience) == ready); }

 private:
  static constexpr auto ready = std::future_status::ready;
  std::string answer(const std::string& request) {
    const auto message = json::parse(request.substr(request.find("\r\n\r\n") + 4)).as_object();
    const std::string_view method(message.at("method").as_string());
    if (method == "tools/call") {
      called_.set_value();
      ended_.wait();
      return {};
    }
    json::object result;
    if (method == "server/discover")
      result = {{"supportedVersions", json::array{"2026-07-28"}},
                {"capabilities", {{"tools", json::object()}}}};
    else
      result = {{"tools", {{{"name", "t"}, {"inputSchema", {{"type", "object"}}}}}}};
    const json::object all{{"jsonrpc", "2.0"}, {"id", message.at("id")}, {"result", result}};
    return testing::http_answer(json::serialize(all), "Content-Type: application/json\r\n");
  }

  std::promise<void> called_, end_;
  std::shared_future<void> ended_ = end_.get_future().share();
  testing::tiny_server http_{[this](const std::string& request) { return answer(request); }};
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

TEST_CASE("mcp servers: a call under way ends at once when its server is removed or replaced") {
  for (const bool replaced : {false, true}) {
    CAPTURE(replaced);
    silent_server server;
    no_changes changes;
    catalog tools({}, changes);
    REQUIRE(tools.load());
    catalog_runner runner({tools, [](const tool_caller&, std::string_view, const json::object&,
                                     const runner_parts::judged& then) {
                             then({true, "test", ""});
                           }});
    sandbox box;
    failing_store store;
    std::promise<void> listed;
    std::atomic<bool> told = false;
    const tenant_id mine("mine");
    servers_options options;
    options.allow_private = true;
    options.on_change = [&](const std::optional<tenant_id>&) {
      if (!runner.offered(mine)->empty() && !told.exchange(true)) listed.set_value();
    };
    servers all({tools, runner, box, store}, options);
    REQUIRE(all.start({}));
    json::object body{{"url", server.url()},
                      {"protocol", "2026-07-28"},
                      {"enable", json::array{"t"}},
                      {"concurrency", 1},
                      {"timeout_ms", 600'000}};
    REQUIRE(all.put(mine, "one", body, ""));
    REQUIRE(listed.get_future().wait_for(patience) == std::future_status::ready);

    std::promise<tool_outcome> first, second;
    tool_caller who;
    who.session.tenant = mine;
    soma::body::tool_call call;
    call.tool_id = "mcp.one.t";
    call.inputs_json = "{}";
    const auto ends = [](std::promise<tool_outcome>& to) {
      return tool_sink{{}, [&to](tool_outcome out) { to.set_value(std::move(out)); }};
    };
    const auto running = runner.start(who, call, ends(first));
    server.wait_for_call();
    const auto waiting = runner.start(who, call, ends(second));  // for its place

    if (replaced) {
      body["timeout_ms"] = 500'000;
      body["url"] = "http://127.0.0.1:9/";
      REQUIRE(all.put(mine, "one", body, ""));
    } else {
      REQUIRE(all.remove(mine, "one", ""));
    }
    auto end = first.get_future();
    REQUIRE(end.wait_for(patience) == std::future_status::ready);
    const auto interrupted = end.get();
    REQUIRE(interrupted.error);
    CHECK(interrupted.error->code == codes::tool_interrupted);
    CHECK(interrupted.error->detail.find(replaced ? "was replaced" : "was removed") !=
          std::string::npos);
    auto other = second.get_future();
    REQUIRE(other.wait_for(patience) == std::future_status::ready);
    const auto never_begun = other.get();
    REQUIRE(never_begun.error);
    CHECK(never_begun.error->code == codes::tool_unavailable);
  }
}
