// More answers under way at a client than may each hold a buffer: read as ever.
#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <vector>

#include "llm/call_places.hpp"
#include "llm/collector.hpp"
#include "llm/provider_limits.hpp"
#include "llm/scripted_server.hpp"

using namespace soma;
using test::peer;
using test::scripted_server;

namespace {

constexpr auto crowd = static_cast<std::size_t>(llm::limits::read_buffers_held) + 2;

std::string chunk(const std::string& bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

std::string piece(const std::string& text) {
  return chunk("data: {\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}\n\n");
}

const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string ending = chunk("data: [DONE]\n\n") + "0\r\n\r\n";

// All but one of whose calls wait for a place, and are under way as far as the client is concerned.
struct crowded {
  std::unique_ptr<llm::llm_client> client = make();
  std::vector<test::collector> got{crowd};
  std::vector<std::unique_ptr<llm::stream_handle>> calls;

  static std::unique_ptr<llm::llm_client> make() {
    llm::place_limits limits;
    limits.a_provider = 1;
    llm::client_options options;
    options.places = std::make_shared<llm::call_places>(limits);
    return llm::make_provider_client(options);
  }
  void begin(const std::string& base_url) {
    llm::call c;
    c.target.base_url = base_url;
    c.target.model = "m";
    c.messages.push_back({"user", "hello", {}, {}});
    for (auto& one : got) calls.push_back(client->start(c, one.sink()));
    REQUIRE(client->stats().open_streams == crowd);
  }
};

}  // namespace

TEST_CASE_FIXTURE(crowded,
                  "crowd: what comes slowly, what fills buffers and what is next is read") {
  const std::string a_lot(100'000, 'x');
  std::promise<void> second, third;
  scripted_server server({[&](peer& p) {
    p.read_request();
    p.write(head + piece("one"));
    second.get_future().wait();
    p.write(piece("two"));
    third.get_future().wait();
    p.write(piece(a_lot) + ending);
    while (!p.read_request().empty()) p.write(head + piece("hi") + ending);
  }});
  begin(server.base_url());
  REQUIRE(got[0].wait([](const auto& s) { return s.text == "one"; }));
  second.set_value();
  REQUIRE(got[0].wait([](const auto& s) { return s.text == "onetwo"; }));
  third.set_value();
  CHECK(!got[0].end().error);
  CHECK(got[0].text() == "onetwo" + a_lot);
  for (std::size_t n = 1; n < crowd; ++n) {
    CHECK(!got[n].end().error);
    CHECK(got[n].text() == "hi");
  }
}

TEST_CASE_FIXTURE(crowded,
                  "crowd: a call that is let go closes its connection, one that ends says so") {
  std::promise<bool> closed;
  scripted_server server({[&](peer& p) {
                            p.read_request();
                            p.write(head + piece("one"));
                            closed.set_value(p.wait_closed());
                          },
                          [](peer& p) {
                            p.read_request();
                            p.write(head + piece("two"));  // and closes
                          },
                          [](peer& p) { p.wait_closed(); }});
  begin(server.base_url());
  REQUIRE(got[0].wait([](const auto& s) { return s.text == "one"; }));
  calls[0].reset();
  CHECK(closed.get_future().get());
  // The next one's provider goes away in the middle.
  CHECK(got[1].end().cut);
  calls.clear();
}
