#include "outbox/http_calls.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "llm/scripted_server.hpp"

using namespace soma;
using namespace soma::outbox;
using soma::test::peer;
using soma::test::scripted_server;

namespace {

constexpr std::string_view fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

void answer_all(peer& p) {
  while (!p.read_request().empty())
    if (!p.write(fine)) return;
}

void answer_nothing(peer& p) {
  p.read_request();
  p.wait_closed();
}

class answers {
 public:
  http_calls::told one() {
    return [this](http_answer a) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(a));
      changed_.notify_all();
    };
  }
  std::vector<http_answer> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return all_.size() >= count; }));
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<http_answer> all_;
};

std::string base_of(const scripted_server& s) {
  return "http://127.0.0.1:" + std::to_string(s.port());
}

}  // namespace

TEST_CASE("http calls: connections are kept, and what is sent is what was asked for") {
  std::string first;
  std::mutex mutex;
  scripted_server server({[&](peer& p) {
    for (auto text = p.read_request(); !text.empty(); text = p.read_request()) {
      const std::lock_guard lock(mutex);
      if (first.empty()) first = text;
      if (!p.write(fine)) return;
    }
  }});
  http_calls calls(base_of(server), secret_string("planted"), {});
  answers got;
  for (std::size_t n = 1; n <= 20; ++n) {
    calls.post("/v1/x", "{\"n\":1}", 5000, got.one());
    CHECK(got.wait_for(n).back().status == 200);
  }
  CHECK(server.connections() == 1);
  const std::lock_guard lock(mutex);
  CHECK(first.starts_with("POST /v1/x HTTP/1.1\r\n"));
  CHECK(first.ends_with("\r\n\r\n{\"n\":1}"));
  CHECK(first.find("Authorization: Bearer planted\r\n") != std::string::npos);
}

TEST_CASE("http calls: one that is not answered holds no other up, and ends in time") {
  scripted_server server({answer_nothing, answer_all});
  http_calls calls(base_of(server), {}, {});
  answers slow, quick;
  const auto begun = std::chrono::steady_clock::now();
  calls.post("/hang", "{}", 300, slow.one());
  while (server.connections() == 0) std::this_thread::yield();
  for (std::size_t n = 1; n <= 5; ++n) {
    calls.post("/", "{}", 5000, quick.one());
    CHECK(quick.wait_for(n).back().status == 200);
  }
  const auto late = slow.wait_for(1).front();
  CHECK(late.status == 0);
  CHECK(late.why == "it did not answer in time");
  CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds(290));
}

TEST_CASE("http calls: many at the same time") {
  scripted_server server({answer_all});
  http_calls calls(base_of(server), {}, {});
  answers got;
  for (int n = 0; n < 200; ++n) calls.post("/", "{}", 20'000, got.one());
  for (const auto& one : got.wait_for(200)) CHECK(one.status == 200);
}

TEST_CASE("http calls: an answer has a bound, and half of one is none") {
  scripted_server server({[](peer& p) {
                            p.read_request();
                            p.write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" +
                                    std::string(5000, 'x'));
                            p.wait_closed();
                          },
                          [](peer& p) {
                            p.read_request();
                            p.write("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"result\":");
                          }});
  http_calls::options small;
  small.answer_bytes_max = 1000;
  http_calls calls(base_of(server), {}, small);
  answers got;
  calls.post("/", "{}", 5000, got.one());
  CHECK(got.wait_for(1).front().why == "its answer is too long");
  calls.post("/", "{}", 5000, got.one());
  CHECK(got.wait_for(2).back().status == 0);
}

TEST_CASE("http calls: stopping ends what is under way, and later calls at once") {
  scripted_server server({answer_nothing});
  http_calls calls(base_of(server), {}, {});
  answers got;
  for (int n = 0; n < 10; ++n) calls.post("/", "{}", 60'000, got.one());
  while (server.connections() == 0) std::this_thread::yield();
  calls.stop();
  for (const auto& one : got.wait_for(10)) CHECK(one.why == "the server is stopping");
  calls.post("/", "{}", 60'000, got.one());
  CHECK(got.wait_for(11).back().why == "the server is stopping");
}
