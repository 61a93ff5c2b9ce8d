#include <doctest/doctest.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <thread>

#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "tools/runner_world.hpp"

using namespace soma;
using namespace soma::tools;
using namespace soma::tools::testing;

TEST_CASE("runner: a call whose policy answers later begins then, where it is still wanted") {
  runner_world w;
  w.waits = true;
  heard h[4];
  const auto first = w.start(h[0]);
  CHECK(w.impl->begun() == 0);
  w.later({true, "r", ""});
  CHECK(w.impl->begun() == 1);
  const auto denied = w.start(h[1]);
  w.later({false, "r", "not you"});
  CHECK(h[1].end().status == "denied");
  const auto away = w.start(h[2]);
  w.later({false, "opa", "it did not answer in time", true});
  CHECK(h[2].end().error->code == codes::dependency_unavailable);
  CHECK(h[2].end().error->retryable);
  w.start(h[3]).reset();
  w.later({true, "r", ""});
  CHECK(h[3].ends.empty());
  CHECK(w.impl->begun() == 1);
}

TEST_CASE("runner: what may not run ends at once with why, and nothing is started") {
  runner_world w;
  const auto end_of = [&](std::string inputs, std::string id = "probe") {
    heard h;
    const auto call = w.start(h, std::move(inputs), std::move(id));
    return h.end();
  };
  CHECK(end_of("{}", "nothing").error->code == codes::tool_unknown);
  CHECK(end_of("{\"n\":\"x\"}").error->code == codes::tool_invalid_inputs);
  CHECK(end_of("[1]").error->code == codes::tool_invalid_inputs);
  CHECK(end_of("{").error->code == codes::tool_invalid_inputs);
  w.allowed = false;
  auto denied = end_of("{}");
  CHECK(denied.status == "denied");
  CHECK(denied.error->code == codes::policy_denied);
  CHECK(denied.error->detail.find("r: not you") != std::string::npos);
  w.allowed = true;
  w.impl->why = "no namespaces";
  CHECK(end_of("{}").error->detail == "no namespaces");
  CHECK(w.runner->offered(tenant_id("t"))->empty());
  w.impl->why.clear();
  w.change(R"({"enabled":false})");
  CHECK(end_of("{}").error->code == codes::tool_disabled);
  CHECK(w.runner->offered(tenant_id("t"))->empty());
  const auto offered = w.runner->offered(tenant_id("other"));
  CHECK(offered->size() == 1);
  // One list for all calls, until something of it changes.
  CHECK(w.runner->offered(tenant_id("other")) == offered);
  CHECK(w.impl->begun() == 0);
}

TEST_CASE("runner: calls past a tool's concurrency wait their turn, and past that are refused") {
  runner_options options;
  options.waiting_max = 1;
  runner_world w(options);
  heard h[4];
  std::unique_ptr<running_tool> calls[4];
  for (int i = 0; i < 4; ++i) calls[i] = w.start(h[i]);
  CHECK(h[3].end().error->code == codes::tool_busy);
  CHECK(w.impl->begun() == 2);
  w.impl->wait_for(0)->sink.on_done(success("{}"));
  CHECK(h[0].end().status == "success");
  w.impl->wait_for(2);  // the third begins
  calls[1].reset();     // cancelled: its place is free again
  CHECK(w.impl->wait_cancelled(*w.impl->wait_for(1)));
  w.impl->wait_for(2)->sink.on_done(success("{}"));
  CHECK(h[2].end().status == "success");
  CHECK(h[1].ends.empty());
}

TEST_CASE("runner: a call that waits and is cancelled never begins") {
  runner_world w;
  heard h[3];
  auto first = w.start(h[0]), second = w.start(h[1]), third = w.start(h[2]);
  third.reset();
  w.impl->wait_for(0)->sink.on_done(success("{}"));
  h[0].end();
  w.impl->wait_for(1)->sink.on_done(success("{}"));
  h[1].end();
  heard next;
  const auto again = w.start(next);
  w.impl->wait_for(2)->sink.on_done(success("{}"));
  next.end();
  CHECK(w.impl->begun() == 3);
}

TEST_CASE("runner: a call whose time is up is ended and its work cancelled") {
  runner_world w;
  w.change(R"({"limits":{"timeout_ms":100}})");
  heard h;
  const auto call = w.start(h);
  const auto end = h.end();
  CHECK(end.status == "timeout");
  CHECK(end.error->code == codes::tool_timeout);
  const auto one = w.impl->wait_for(0);
  CHECK(w.impl->wait_cancelled(*one));
  one->sink.on_done(success("{}"));  // too late
  CHECK(h.ends.size() == 1);
}

TEST_CASE("runner: large output is trimmed and kept, live output is bounded") {
  runner_options options;
  options.progress_bytes_max = 100;
  options.progress_piece_bytes = 30;
  runner_world w(options);
  heard h;
  const auto call = w.start(h);
  const auto one = w.impl->wait_for(0);
  for (int i = 0; i < 10; ++i) one->sink.on_output("stdout", std::string(40, 'x'));
  const std::string whole = "{\"text\":\"" + std::string(1000, 'y') + "\"}";
  one->sink.on_done(success(whole));
  const auto end = h.end();
  const auto output = boost::json::parse(end.output_json).as_object();
  CHECK(output.at("truncated").as_bool());
  CHECK(output.at("attachment_id").as_string() == "kept");
  CHECK(output.at("text").as_string().size() <= 256);
  CHECK(w.files.whole == whole);
  std::size_t said = 0;
  for (const auto& text : h.said) {
    CHECK(text.size() <= 30);
    said += text.size();
  }
  CHECK(said < 120);
}

TEST_CASE("runner: whether a call may be run again is the tool's to say") {
  runner_world w;
  CHECK(w.runner->idempotent("probe", "{}"));
  CHECK(!w.runner->idempotent("probe", "{\"n\":1}"));
  CHECK(!w.runner->idempotent("probe", "{"));
  CHECK(!w.runner->idempotent("nothing", "{}"));
}

TEST_CASE("schema: work is bounded, whatever the schema and the inputs make of each other") {
  std::string schema = R"({"type":"object","properties":{"a":{"type":"array","items":{"anyOf":[)";
  for (int n = 0; n < 4000; ++n)
    schema += (n ? "," : "") + ("{\"const\":" + std::to_string(n)) + "}";
  const auto judged = input_schema::compile(schema + "]}}}}");
  REQUIRE(judged.has_value());
  const auto inputs = [](int numbers) {
    std::string text = R"({"a":[)";
    for (int n = 0; n < numbers; ++n) text += (n ? ",-" : "-") + std::to_string(n + 1);
    return text + "]}";
  };
  for (const int numbers : {1, 50, 5000}) {
    const auto refused = judged->read(inputs(numbers));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == codes::tool_invalid_inputs);
    CHECK(refused.error().detail.size() < 4096);
  }
  CHECK(judged->read(inputs(5000)).error().detail.find("too many") != std::string::npos);
  CHECK(judged->read(R"({"a":[0,1,3999]})").has_value());
}

TEST_CASE("catalog: what cannot be read offers nothing") {
  memory_store store;
  store.broken = true;
  std::vector<catalog_entry> entries;
  entries.push_back(*parse_entry(entry_json));
  catalog tools(std::move(entries), store);
  CHECK_FALSE(tools.load());
  CHECK(tools.of(tenant_id("t"))->entries.empty());
}

TEST_CASE("catalog: a tenant's change is its own, has an ETag, and is there after a start") {
  runner_world w;
  const auto before = w.tools.of(tenant_id("t"));
  CHECK(w.tools.change(tenant_id("t"), "probe", "{}", "\"other\"").error().code ==
        codes::tool_entry_changed);
  CHECK(w.tools.change(tenant_id("t"), "none", "{}", "").error().code == codes::tool_unknown);
  CHECK(w.tools.change(tenant_id("t"), "probe", R"({"title":"x"})", "").error().code ==
        codes::tool_entry_invalid);
  REQUIRE(w.tools.change(tenant_id("t"), "probe", R"({"limits":{"cpu_s":7}})", before->etag));
  CHECK(before->find("probe")->limits.cpu_s == 20);
  CHECK(w.tools.of(tenant_id("t"))->find("probe")->limits.cpu_s == 7);
  CHECK(w.tools.of(tenant_id("t"))->etag != before->etag);
  CHECK(w.tools.of(tenant_id("u"))->find("probe")->limits.cpu_s == 20);
  std::vector<catalog_entry> entries;
  entries.push_back(*parse_entry(entry_json));
  catalog again(std::move(entries), w.store);
  REQUIRE(again.load());
  CHECK(again.of(tenant_id("t"))->find("probe")->limits.cpu_s == 7);
  CHECK(again.of(tenant_id("t"))->etag == w.tools.of(tenant_id("t"))->etag);
}

TEST_CASE(
    "catalog: entries of one tenant are its own, win over those of all, and go with their prefix") {
  const auto named = [](std::string id, std::string title) {
    auto made = parse_entry(R"({"id":")" + id + R"(","title":")" + title + R"("})");
    REQUIRE(made.has_value());
    return std::move(*made);
  };
  memory_store store;
  catalog tools({named("echo", "all")}, store);
  REQUIRE(tools.load().has_value());
  const tenant_id mine("mine"), other("other");
  tools.replace("mcp.a.", {named("mcp.a.x", "all")});
  tools.replace("mcp.a.", {named("mcp.a.x", "own"), named("mcp.a.y", "own")}, mine);
  CHECK(tools.of(mine)->find("mcp.a.x")->title == "own");
  CHECK(tools.of(other)->find("mcp.a.x")->title == "all");
  CHECK(tools.of(other)->find("mcp.a.y") == nullptr);
  CHECK_FALSE(tools.change(other, "mcp.a.y", R"({"enabled":false})", "").has_value());
  CHECK(tools.change(mine, "mcp.a.y", R"({"enabled":false})", "").has_value());
  CHECK_FALSE(tools.of(mine)->find("mcp.a.y")->enabled);
  tools.replace("mcp.a.", {}, mine);
  CHECK(tools.of(mine)->find("mcp.a.x")->title == "all");
  CHECK(tools.of(mine)->find("mcp.a.y") == nullptr);
  // What the tenant changed counts again when the server is back.
  tools.replace("mcp.a.", {named("mcp.a.y", "own")}, mine);
  CHECK_FALSE(tools.of(mine)->find("mcp.a.y")->enabled);
}

TEST_CASE(
    "inputs: an integer of 64 bits is given as it is, what is beyond is refused by its digits") {
  const auto any = input_schema::compile(R"({"type":"object"})");
  REQUIRE(any);
  for (const std::string n :
       {"9223372036854775808", "18446744073709551615", "-9223372036854775808", "1e308", "0.1"}) {
    CAPTURE(n);
    const auto read = any->read("{\"n\":" + n + "}");
    REQUIRE(read.has_value());
    if (n.front() != '0' && n.find('e') == n.npos)
      CHECK(boost::json::serialize(read->at("n")) == n);
  }
  for (const std::string n : {"18446744073709551616", "-9223372036854775809", "1e400"}) {
    CAPTURE(n);
    const auto read = any->read("{\"n\":[{\"m\":" + n + "}]}");
    REQUIRE(read.has_error());
    CHECK(read.error().code == codes::tool_invalid_inputs);
    CHECK(read.error().detail.find(n) != std::string::npos);
  }
}

TEST_CASE("catalog: a tool that was switched on is off when it is another one") {
  const auto listed = [](std::string origin, std::string description) {
    auto made = parse_entry(R"({"id":"mcp.a.x","enabled":false,"description":")" + description +
                            R"(","inputs":{"type":"object"}})");
    REQUIRE(made.has_value());
    made->origin = std::move(origin);
    return std::vector{std::move(*made)};
  };
  memory_store store;
  const tenant_id mine("mine");
  catalog tools({}, store);
  REQUIRE(tools.load().has_value());
  const auto is_on = [&](catalog& of) { return of.of(mine)->find("mcp.a.x")->enabled; };
  tools.replace("mcp.a.", listed("https://one", "reads"), mine);
  CHECK_FALSE(is_on(tools));
  REQUIRE(tools.change(mine, "mcp.a.x", R"({"enabled":true,"limits":{"timeout_ms":500}})", ""));
  CHECK(is_on(tools));
  tools.replace("mcp.a.", {}, mine);
  tools.replace("mcp.a.", listed("https://one", "reads"), mine);
  CHECK(is_on(tools));  // the same, after it was away
  tools.replace("mcp.a.", listed("https://one", "reads, and sends all of it away"), mine);
  CHECK_FALSE(is_on(tools));
  tools.replace("mcp.a.", listed("https://two", "reads"), mine);
  CHECK_FALSE(is_on(tools));  // another server took the name of one that is gone
  // So it is after a start.
  catalog again({}, store);
  REQUIRE(again.load().has_value());
  again.replace("mcp.a.", listed("https://two", "reads"), mine);
  CHECK_FALSE(is_on(again));
  again.replace("mcp.a.", listed("https://one", "reads"), mine);
  CHECK(is_on(again));
  CHECK(again.of(mine)->find("mcp.a.x")->limits.timeout_ms == 500);
  // One that was switched off stays so, whatever it has become.
  auto on = listed("https://one", "reads");
  on[0].enabled = true;
  again.replace("mcp.a.", on, mine);
  REQUIRE(again.change(mine, "mcp.a.x", R"({"enabled":false})", ""));
  on[0].description = "other";
  again.replace("mcp.a.", std::move(on), mine);
  CHECK_FALSE(is_on(again));
}

TEST_CASE("runner: a disk that takes its time makes no time-out late and holds no place") {
  runner_world w;
  w.change(R"({"limits":{"timeout_ms":100,"output_bytes":256,"concurrency":1}})");
  std::unique_lock slow(w.files.disk);
  heard large, late;
  const auto first = w.start(large);
  w.impl->wait_for(0)->sink.on_done(success("\"" + std::string(5000, 'x') + "\""));
  const auto second = w.start(late);
  w.impl->wait_for(1);
  CHECK(late.end().error->code == codes::tool_timeout);
  slow.unlock();
  CHECK(large.end().output_json.find("\"attachment_id\":\"kept\"") != std::string::npos);
}

TEST_CASE(
    "runner: calls that were cancelled while they waited are not counted among those that do") {
  runner_options options;
  options.waiting_max = 2;
  runner_world w(options);
  w.change(R"({"limits":{"concurrency":1}})");
  heard running, waiting, refused, after;
  const auto one = w.start(running);
  w.impl->wait_for(0);
  auto two = w.start(waiting), three = w.start(waiting);
  const auto four = w.start(refused);
  CHECK(refused.end().error->code == codes::tool_busy);
  two.reset();
  three.reset();
  const auto five = w.start(after);
  w.impl->wait_for(0)->sink.on_done(success("1"));
  w.impl->wait_for(1)->sink.on_done(success("2"));
  CHECK(after.end().output_json == "2");
}

TEST_CASE("runner: a call that waits too long for a place is told so, and later ones are served") {
  runner_options options;
  options.waiting_ms_max = 50;
  runner_world w(options);
  w.change(R"({"limits":{"concurrency":1}})");
  heard running, waiting, after;
  const auto one = w.start(running);
  w.impl->wait_for(0);
  const auto two = w.start(waiting);
  CHECK(waiting.end().error->code == codes::tool_busy);
  w.impl->wait_for(0)->sink.on_done(success("1"));
  CHECK(running.end().output_json == "1");
  const auto three = w.start(after);
  w.impl->wait_for(1)->sink.on_done(success("3"));
  CHECK(after.end().output_json == "3");
}
