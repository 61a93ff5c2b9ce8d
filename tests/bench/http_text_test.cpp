#include "http_text.hpp"

#include <doctest/doctest.h>

using namespace soma::bench;

TEST_CASE("http reply: is complete with the last byte of its length, not before") {
  const std::string text = "HTTP/1.1 202 Accepted\r\ncontent-length: 5\r\n\r\nhello";
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto r = parse_http_reply(std::string_view(text).substr(0, n));
    CHECK(r.consumed == 0);
    CHECK_FALSE(r.malformed);
  }
  const auto r = parse_http_reply(text + "HTTP/1.1 200");
  CHECK(r.consumed == text.size());
  CHECK(r.ok);
  CHECK(r.body == "hello");
}

TEST_CASE("http reply: a chunked body ends after its empty chunk") {
  const std::string text =
      "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na\r\n, "
      "world!\r\n\r\n0\r\n\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) {
    CHECK(parse_http_reply(std::string_view(text).substr(0, n)).consumed == 0);
  }
  CHECK(parse_http_reply(text).consumed == text.size());
}

TEST_CASE("http reply: refusals are complete but not ok, and noise is malformed") {
  const auto refused = parse_http_reply("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n");
  CHECK(refused.consumed > 0);
  CHECK_FALSE(refused.ok);
  CHECK(parse_http_reply("+PONG\r\n").malformed);
}

TEST_CASE("dechunker: gives the payload however the stream is cut") {
  const std::string stream =
      "4\r\nid: \r\n1A;x=y\r\n1.2\ndata: {\"some\":\"text\"}\n\r\n1\r\n\n\r\n0\r\n\r\n";
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    dechunker d;
    std::string payload;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      auto piece = stream.substr(at, step);
      payload.append(piece, 0, d.strip(piece.data(), piece.size()));
    }
    CHECK(payload == "id: 1.2\ndata: {\"some\":\"text\"}\n\n");
    CHECK(d.finished());
  }
}

TEST_CASE("json text: finds a member's plain text") {
  CHECK(json_text(R"({"a":"b","session_id":"s-1"})", "session_id") == "s-1");
  CHECK(json_text(R"({"a":"b"})", "session_id") == "");
}
