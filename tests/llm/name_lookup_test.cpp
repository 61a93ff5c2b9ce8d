// Names of providers, looked up by something that answers when it is told to.
#include "llm/name_lookup.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>

#include "llm/collector.hpp"
#include "llm/scripted_server.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

// Answers for names that begin with "slow" once it is let go, for others at once.
class held_names {
 public:
  ~held_names() { let_go(); }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void wait_for(int asked) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ >= asked; });
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  name_lookups::resolver resolver() {
    return [this](const std::string& host) {
      std::unique_lock lock(mutex_);
      ++asked_;
      changed_.notify_all();
      if (host.starts_with("slow")) changed_.wait(lock, [&] { return !held_; });
      return found_addresses{{}, {boost::asio::ip::make_address("127.0.0.1")}};
    };
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = true;
  int asked_ = 0;
};

}  // namespace

TEST_CASE("name look-up: a tenant's names without an answer keep no other waiting") {
  held_names names;
  name_lookups lookups(names.resolver(), 3, 2);
  std::promise<void> slow, fast;
  for (const char* host : {"slow1", "slow2", "slow3"})
    lookups.find("one", host, [&, last = std::string(host) == "slow3"](const auto&) {
      if (last) slow.set_value();
    });
  lookups.find("another", "fast", [&](const found_addresses& found) {
    CHECK(found.all.size() == 1);
    fast.set_value();
  });
  fast.get_future().wait();
  CHECK(names.asked() == 3);
  names.let_go();
  slow.get_future().wait();
}

TEST_CASE("name look-up: a name that is being looked up is not asked for again") {
  held_names names;
  name_lookups lookups(names.resolver(), 4, 4);
  std::promise<void> told[3];
  for (auto& one : told) lookups.find("one", "slow", [&](const auto&) { one.set_value(); });
  names.wait_for(1);
  names.let_go();
  for (auto& one : told) one.get_future().wait();
  CHECK(names.asked() == 1);
}

TEST_CASE("name look-up: of what waits at the end nobody is told") {
  held_names names;
  bool told = false;
  {
    name_lookups lookups(names.resolver(), 1, 1);
    lookups.find("one", "slow1", [](const auto&) {});
    lookups.find("one", "slow2", [&](const auto&) { told = true; });
    names.wait_for(1);
    names.let_go();
  }
  CHECK(names.asked() <= 2);
  CHECK(told == (names.asked() == 2));
}

TEST_CASE("provider client: a name without an answer ends in time, and keeps no other waiting") {
  held_names names;
  client_options options;
  options.names = std::make_shared<name_lookups>(names.resolver());
  const auto client = make_provider_client(options);
  test::scripted_server server({[](test::peer& p) {
    p.read_request();
    p.write(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n"
        "data: [DONE]\n\n");
  }});
  const auto call_to = [](const std::string& tenant, const std::string& base_url) {
    call c;
    c.tenant = tenant;
    c.target.base_url = base_url;
    c.target.model = "m";
    c.messages = {{"user", "q", {}, {}}};
    c.waits.connect_ms = 60'000;
    return c;
  };
  std::vector<test::collector> waiting(20);
  std::vector<std::unique_ptr<stream_handle>> handles;
  for (std::size_t n = 0; n < waiting.size(); ++n)
    handles.push_back(client->start(
        call_to("one", "http://slow" + std::to_string(n) + ".example/v1"), waiting[n].sink()));
  names.wait_for(1);
  test::collector got;
  const auto port = server.base_url().substr(server.base_url().rfind(':'));
  const auto handle = client->start(call_to("another", "http://fast.example" + port), got.sink());
  CHECK(!got.end().error);
  CHECK(got.text() == "hi");
  auto hurried = call_to("another", "http://slow.example/v1");
  hurried.waits.connect_ms = 50;
  test::collector late;
  const auto one = client->start(std::move(hurried), late.sink());
  CHECK(late.end().error->code == "llm.unreachable");
  names.let_go();  // the client waits for them
}
