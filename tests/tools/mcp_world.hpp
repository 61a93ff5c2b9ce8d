// One server's connection, with a transport that is scripted and a clock that is turned by hand.
#pragma once

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <deque>

#include "tools/mcp/connection.hpp"
#include "tools/mcp/limits.hpp"

namespace soma::testing {

using namespace soma::tools;
using namespace soma::tools::mcp;
namespace json = boost::json;
using namespace std::chrono_literals;

class hand_clock final : public scheduler {
 public:
  clock::time_point now() const override { return now_; }
  std::uint64_t after(std::chrono::milliseconds wait, std::function<void()> what) override {
    timers_.emplace(std::pair(now_ + wait, ++last_), std::move(what));
    return last_;
  }
  void cancel(std::uint64_t id) override {
    std::erase_if(timers_, [&](const auto& one) { return one.first.second == id; });
  }
  void pass(std::chrono::milliseconds time) {
    const auto until = now_ + time;
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
      auto due = timers_.extract(timers_.begin());
      now_ = std::max(now_, due.key().first);
      due.mapped()();
    }
    now_ = until;
  }

 private:
  clock::time_point now_{};
  std::uint64_t last_ = 0;
  std::map<std::pair<clock::time_point, std::uint64_t>, std::function<void()>> timers_;
};

// What the connection sent, and the sink to answer by.
struct script {
  transport_sink sink;
  std::deque<json::object> sent;
  std::vector<std::uint64_t> abandoned;
  std::string revision;
  int opened = 0;
  bool alive = false;
};

class scripted final : public transport {
 public:
  scripted(script& s, hand_clock& time, bool http) : s_(s), time_(time), http_(http) {
    s_.alive = true;
  }
  ~scripted() override { s_.alive = false; }
  bool over_http() const override { return http_; }
  void open(transport_sink sink) override {
    ++s_.opened;
    s_.sink = std::move(sink);
    time_.after(0ms, [this] { s_.sink.on_open(); });
  }
  void send(outgoing message) override { s_.sent.push_back(json::parse(message.json).as_object()); }
  void abandon(std::uint64_t id) override { s_.abandoned.push_back(id); }
  void speak(std::string_view revision) override { s_.revision = revision; }

 private:
  script& s_;
  hand_clock& time_;
  const bool http_;
};

struct world {
  hand_clock time;
  script s;
  int changes = 0;
  connection server;

  explicit world(std::string revision = "auto", bool http = false)
      : server({std::move(revision), "1"}, time,
               [this, http] { return std::make_unique<scripted>(s, time, http); },
               {[this] { ++changes; }}) {
    server.start();
    time.pass(0ms);
  }
  json::object take(std::string_view method) {
    REQUIRE_FALSE(s.sent.empty());
    auto out = std::move(s.sent.front());
    s.sent.pop_front();
    CHECK(out.at("method") == json::value(method));
    return out;
  }
  void say(const json::value& message) { s.sink.on_message(json::serialize(message)); }
  void answer(const json::object& request, json::value with) {
    say({{"jsonrpc", "2.0"}, {"id", request.at("id")}, {"result", std::move(with)}});
  }
  void refuse(const json::object& request, int code, json::value data = nullptr) {
    say({{"jsonrpc", "2.0"},
         {"id", request.at("id")},
         {"error", {{"code", code}, {"message", "no"}, {"data", std::move(data)}}}});
  }
  static json::value tool(std::string_view name) {
    return {{"name", name}, {"inputSchema", {{"type", "object"}}}};
  }
  void be_discovered() {
    answer(take("server/discover"), {{"supportedVersions", json::array{"2026-07-28"}},
                                     {"capabilities", {{"tools", json::object()}}}});
  }
  void become_ready() {
    be_discovered();
    answer(take("tools/list"), {{"tools", json::array{tool("t")}}});
    REQUIRE(server.state() == connection_state::ready);
  }
  std::vector<tool_outcome> outcomes;
  std::uint64_t call(std::string tool = "t") {
    tool_call_request what;
    what.tool = std::move(tool);
    what.on_done = [this](tool_outcome out) { outcomes.push_back(std::move(out)); };
    return server.call(std::move(what));
  }
};

}  // namespace soma::testing
