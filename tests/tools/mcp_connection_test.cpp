#include "core/codes.hpp"
#include "tools/mcp_world.hpp"

using namespace soma;
using namespace soma::testing;
using namespace soma::tools;
using namespace soma::tools::mcp;
using namespace std::chrono_literals;

TEST_CASE("mcp connection: a modern server is discovered and its tools are listed") {
  world w;
  w.become_ready();
  CHECK(w.server.revision() == "2026-07-28");
  CHECK(w.server.tools().tools.at(0).name == "t");
  CHECK(w.changes == 1);
}

TEST_CASE("mcp connection: a server that refuses or ignores the probe is initialized") {
  for (const bool silent : {false, true}) {
    CAPTURE(silent);
    world w;
    const auto probe = w.take("server/discover");
    if (silent)
      w.time.pass(limits::probe_timeout);
    else
      w.refuse(probe, -32601);
    const auto hello = w.take("initialize");
    CHECK(hello.at("params").at("protocolVersion") == "2025-11-25");
    w.answer(hello, {{"protocolVersion", "2025-06-18"}, {"capabilities", json::object()}});
    w.take("notifications/initialized");
    CHECK(w.server.state() == connection_state::ready);
    CHECK(w.s.revision == "2025-06-18");
  }
}

TEST_CASE("mcp connection: a modern error is no reason to fall back") {
  world w;
  w.refuse(w.take("server/discover"), header_mismatch);
  CHECK(w.server.state() == connection_state::waiting);
  CHECK(w.s.sent.empty());
  world other;
  other.refuse(other.take("server/discover"), revision_unsupported,
               {{"supported", json::array{"2099-01-01"}}});
  CHECK(other.server.state() == connection_state::waiting);
}

TEST_CASE(
    "mcp connection: over HTTP a refused probe is a reason to fall back, bad credentials are "
    "none") {
  world w("auto", true);
  const auto probe = w.take("server/discover");
  w.s.sink.on_failed({probe.at("id").to_number<std::uint64_t>(), 400, "", "status 400"});
  w.take("initialize");
  world other("auto", true);
  const auto again = other.take("server/discover");
  other.s.sink.on_failed({again.at("id").to_number<std::uint64_t>(), 401, "", "credentials"});
  CHECK(other.server.last_error() == "credentials");
}

TEST_CASE("mcp connection: a program that ends at the probe is initialized the next time") {
  world w;
  w.take("server/discover");
  w.s.sink.on_closed("the server's program ended with 1", "");
  w.time.pass(1s);
  CHECK(w.s.opened == 2);
  const auto hello = w.take("initialize");
  w.answer(hello, {{"protocolVersion", "2024-11-05"}, {"capabilities", json::object()}});
  CHECK(w.server.state() == connection_state::ready);
  // One that ends at that, too, is asked the other way again.
  world other;
  other.take("server/discover");
  other.s.sink.on_closed("gone", "");
  other.time.pass(1s);
  other.take("initialize");
  other.s.sink.on_closed("gone", "");
  other.time.pass(2s);
  other.take("server/discover");
}

TEST_CASE("mcp connection: a failure of the probe in whatever form is a reason to fall back") {
  for (const int status : {500, 200, 0}) {
    CAPTURE(status);
    world w("auto", status != 0);
    const auto probe = w.take("server/discover");
    if (status != 0)
      w.s.sink.on_failed({probe.at("id").to_number<std::uint64_t>(), status, "oops", "status"});
    else  // to nobody by name
      w.s.sink.on_message(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}})");
    w.take("initialize");
  }
}

TEST_CASE("mcp connection: an answer that cannot be read ends its call at once") {
  world w;
  w.become_ready();
  w.call();
  w.call();
  const auto first = w.take("tools/call");
  w.s.sink.on_message(R"({"jsonrpc":"2.0","id":)" + json::serialize(first.at("id")) +
                      R"(,"result":{"content":[})");
  REQUIRE(w.outcomes.size() == 1);
  CHECK(w.outcomes[0].error->code == codes::tool_failed);
  CHECK(w.server.state() == connection_state::ready);
  CHECK(w.server.calls() == 1);
}

TEST_CASE("mcp connection: a revision that is not spoken ends the attempt") {
  world w("2025-11-25");
  w.answer(w.take("initialize"), {{"protocolVersion", "1999-01-01"}});
  CHECK(w.server.state() == connection_state::waiting);
}

TEST_CASE("mcp connection: it connects again after waits that grow to their limit") {
  world w;
  w.s.sink.on_closed("gone", "");
  CHECK(w.server.state() == connection_state::waiting);
  w.time.pass(0ms);
  CHECK_FALSE(w.s.alive);
  w.time.pass(700ms);
  CHECK(w.s.opened == 2);
  // Lost as soon as it is there: what passes from one to the next is the wait alone.
  std::chrono::seconds waited{};
  for (int i = 0; i < 12; ++i) {
    const auto opened = w.s.opened;
    w.s.sink.on_closed("gone", "");
    for (waited = 0s; w.s.opened == opened && waited < 100s; waited += 1s) w.time.pass(1s);
    REQUIRE(w.s.opened == opened + 1);
  }
  CHECK(waited >= 45s);
  CHECK(waited <= 76s);
}

TEST_CASE("mcp connection: a server that hangs at any step is given up") {
  world w("2026-07-28");
  w.time.pass(limits::probe_timeout);
  CHECK(w.server.state() == connection_state::waiting);
  world listing;
  listing.be_discovered();
  listing.time.pass(limits::list_timeout);
  CHECK(listing.server.state() == connection_state::waiting);
}

TEST_CASE("mcp connection: cursors without end end the attempt") {
  world w;
  w.be_discovered();
  int pages = 0;
  while (w.server.state() == connection_state::connecting) {
    REQUIRE(++pages <= limits::pages_max);
    w.answer(w.take("tools/list"),
             {{"tools", json::array()}, {"nextCursor", std::to_string(pages)}});
  }
  CHECK(w.server.state() == connection_state::waiting);
}

TEST_CASE("mcp connection: pages that are long together end the attempt as a long one does") {
  world w;
  w.be_discovered();
  const std::string filler(3u << 20, 'x');
  int pages = 0;
  while (w.server.state() == connection_state::connecting) {
    REQUIRE(++pages <= 3);
    w.answer(w.take("tools/list"), {{"tools", json::array()},
                                    {"nextCursor", std::to_string(pages)},
                                    {"_meta", {{"filler", filler}}}});
  }
  CHECK(pages == 3);
  CHECK(w.server.state() == connection_state::waiting);
}

TEST_CASE("mcp connection: a cursor that was there before ends the list with what is there") {
  for (const bool round : {true, false}) {
    CAPTURE(round);
    world w;
    w.be_discovered();
    // One knows no cursors and lists the same page for ever, the other goes round.
    for (int page = 0; w.server.state() == connection_state::connecting; ++page) {
      REQUIRE(page < 4);
      w.answer(w.take("tools/list"),
               {{"tools", json::array{world::tool(round && page == 1 ? "u" : "t")}},
                {"nextCursor", round ? std::to_string(page % 2) : "same"}});
    }
    CHECK(w.server.state() == connection_state::ready);
    CHECK(w.server.tools().tools.size() == (round ? 2 : 1));
    CHECK(w.server.tools().left_out_count == 0);
  }
}

TEST_CASE("mcp connection: a server of an unknown revision is spoken to in ours until it refuses") {
  for (const bool insists : {false, true}) {
    CAPTURE(insists);
    world w;
    w.refuse(w.take("server/discover"), method_not_found);
    w.answer(w.take("initialize"),
             {{"protocolVersion", "2031-05-01"}, {"capabilities", {{"tools", json::object()}}}});
    w.take("notifications/initialized");
    CHECK(w.s.revision == legacy_revision);
    const auto list = w.take("tools/list");
    if (insists)
      w.refuse(list, -32600);
    else
      w.answer(list, {{"tools", json::array{world::tool("t")}}});
    CHECK(w.server.state() == (insists ? connection_state::waiting : connection_state::ready));
    CHECK((w.server.last_error().find("2031-05-01") != std::string::npos) == insists);
    if (!insists) CHECK(w.server.revision() == legacy_revision);
  }
  for (const auto* none : {"none", "", "2031-05-01-draft"}) {
    world w;
    w.refuse(w.take("server/discover"), method_not_found);
    w.answer(w.take("initialize"), {{"protocolVersion", none}});
    CHECK(w.server.state() == connection_state::waiting);
  }
  for (const auto& [theirs, ours] :
       {std::pair("2023-01-01", "2024-11-05"), std::pair("2025-05-05", "2025-03-26")}) {
    world w;
    w.refuse(w.take("server/discover"), method_not_found);
    w.answer(w.take("initialize"), {{"protocolVersion", theirs}});
    CHECK(w.server.revision() == ours);
  }
  world fixed("2025-06-18");
  fixed.answer(fixed.take("initialize"), {{"protocolVersion", "2031-05-01"}});
  CHECK(fixed.server.state() == connection_state::waiting);
}

TEST_CASE("mcp connection: calls are answered by their ids alone") {
  world w;
  w.become_ready();
  w.call();
  w.call();
  const auto first = w.take("tools/call"), second = w.take("tools/call");
  w.say({{"jsonrpc", "2.0"}, {"id", 12345}, {"result", {{"content", json::array()}}}});
  w.say({{"jsonrpc", "2.0"}, {"id", "1"}, {"result", {{"content", json::array()}}}});
  CHECK(w.outcomes.empty());
  w.answer(second, {{"content", json::array{{{"type", "text"}, {"text", "2"}}}}});
  REQUIRE(w.outcomes.size() == 1);
  CHECK(w.outcomes[0].output_json == R"({"text":"2"})");
  w.answer(second, {{"content", json::array()}});
  CHECK(w.outcomes.size() == 1);
  w.refuse(first, -32602);
  REQUIRE(w.outcomes.size() == 2);
  CHECK(w.outcomes[1].error->code == codes::tool_failed);
}

TEST_CASE(
    "mcp connection: a lost connection ends its calls as interrupted, and tools stay listed") {
  world w;
  w.become_ready();
  w.call();
  w.s.sink.on_closed("died", "words");
  REQUIRE(w.outcomes.size() == 1);
  CHECK(w.outcomes[0].error->code == codes::tool_interrupted);
  CHECK(w.outcomes[0].error->detail.find("words") == std::string::npos);
  CHECK(w.server.last_words() == "words");
  CHECK(w.server.tools().tools.size() == 1);
  CHECK(w.call() == 0);
  CHECK(w.outcomes.at(1).error->code == codes::tool_unavailable);
}

TEST_CASE("mcp connection: a cancelled call is told to the server and not answered") {
  world w;
  w.become_ready();
  const auto id = w.call();
  const auto request = w.take("tools/call");
  w.server.cancel(id);
  CHECK(w.take("notifications/cancelled").at("params").at("requestId") == json::value(id));
  CHECK(w.s.abandoned.back() == id);
  w.answer(request, {{"content", json::array()}});
  CHECK(w.outcomes.empty());
  // Over HTTP the end of the request says it, in the newest revision.
  world http("auto", true);
  http.become_ready();
  http.server.cancel(http.call());
  http.take("tools/call");
  CHECK(http.s.sent.empty());
}

TEST_CASE(
    "mcp connection: a program that answers nothing after a call was given up is begun anew") {
  world w;
  w.become_ready();
  for (const bool answers : {true, false}) {
    w.server.cancel(w.call());
    w.take("tools/call");
    w.take("notifications/cancelled");
    const auto ping = w.take("server/discover");
    w.server.cancel(w.call());  // one question at a time
    w.take("tools/call");
    w.take("notifications/cancelled");
    CHECK(w.s.sent.empty());
    if (answers) w.refuse(ping, method_not_found);
    w.time.pass(limits::ping_timeout);
    CHECK((w.server.state() == connection_state::ready) == answers);
  }
}

TEST_CASE("mcp connection: calls past the limit are refused") {
  world w;
  w.become_ready();
  for (std::size_t i = 0; i < limits::calls_in_flight_max; ++i) CHECK(w.call() != 0);
  CHECK(w.call() == 0);
  CHECK(w.outcomes.at(0).error->code == codes::tool_busy);
}

TEST_CASE("mcp connection: a server that sends what nobody asked for is cut off") {
  world w;
  w.become_ready();
  for (std::size_t i = 0; i <= limits::stray_messages_max && w.s.alive; ++i) {
    w.s.sink.on_message("rubbish");
    w.time.pass(0ms);
  }
  CHECK(w.server.state() == connection_state::waiting);
  // A talkative one over a longer time is not.
  world slow;
  slow.become_ready();
  for (std::size_t i = 0; i <= 3 * limits::stray_messages_max; ++i) {
    slow.s.sink.on_message(R"({"jsonrpc":"2.0","method":"notifications/message"})");
    slow.time.pass(100ms);
  }
  CHECK(slow.server.state() == connection_state::ready);
}

TEST_CASE("mcp connection: requests of a server of old are answered, with no for all but ping") {
  world w("2025-11-25");
  w.answer(w.take("initialize"),
           {{"protocolVersion", "2025-11-25"}, {"capabilities", json::object()}});
  w.take("notifications/initialized");
  w.say({{"jsonrpc", "2.0"}, {"id", "p"}, {"method", "ping"}});
  CHECK(w.s.sent.front() ==
        json::object{{"jsonrpc", "2.0"}, {"id", "p"}, {"result", json::object()}});
  w.s.sent.pop_front();
  w.say({{"jsonrpc", "2.0"}, {"id", 9}, {"method", "sampling/createMessage"}});
  CHECK(w.s.sent.front().at("error").at("code") == -32601);
}

TEST_CASE("mcp connection: a few enormous strays weigh as much as many small ones") {
  world w;
  w.become_ready();
  const std::string enormous(limits::message_bytes_max, 'x');
  int said = 0;
  while (w.server.state() == connection_state::ready && said < 20) {
    w.s.sink.on_message(enormous);
    ++said;
  }
  CHECK(said < 10);
}

TEST_CASE("mcp connection: a server that announces changes is listened to") {
  world w;
  w.answer(w.take("server/discover"), {{"supportedVersions", json::array{"2026-07-28"}},
                                       {"capabilities", {{"tools", {{"listChanged", true}}}}}});
  w.answer(w.take("tools/list"), {{"tools", json::array()}});
  const auto listen = w.take("subscriptions/listen");
  CHECK(listen.at("params").at("notifications") == json::value{{"toolsListChanged", true}});
  w.answer(listen, {{"resultType", "complete"}});  // it ended: asked for again, later
  CHECK(w.s.sent.empty());
  w.time.pass(limits::retry_most);
  w.take("subscriptions/listen");
}

TEST_CASE("mcp connection: changed tools are listed anew, and not more often than allowed") {
  world w;
  w.become_ready();
  for (int i = 0; i < 100; ++i)
    w.say({{"jsonrpc", "2.0"}, {"method", "notifications/tools/list_changed"}});
  CHECK(w.s.sent.empty());
  w.time.pass(limits::list_gap);
  CHECK(w.s.sent.size() == 1);
  w.answer(w.take("tools/list"), {{"tools", json::array{w.tool("a"), w.tool("b")}}});
  CHECK(w.server.tools().tools.size() == 2);
  w.time.pass(limits::list_gap);
  CHECK(w.s.sent.size() == 1);  // what was announced meanwhile, once
}

TEST_CASE("mcp connection: progress goes to its call, up to its limit") {
  world w;
  w.become_ready();
  std::vector<std::string> lines;
  tool_call_request what;
  what.tool = "t";
  what.on_done = [](tool_outcome) {};
  what.on_progress = [&](std::string line) { lines.push_back(std::move(line)); };
  const auto id = w.server.call(std::move(what));
  const auto progress = [&](std::uint64_t token) {
    w.say(
        {{"jsonrpc", "2.0"},
         {"method", "notifications/progress"},
         {"params", {{"progressToken", token}, {"progress", 1}, {"total", 4}, {"message", "m"}}}});
  };
  progress(id + 1);
  CHECK(lines.empty());
  progress(id);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "1/4 m\n");
  for (int i = 0; i < 2 * limits::progress_max; ++i) progress(id);
  CHECK(lines.size() == static_cast<std::size_t>(limits::progress_max));
}
