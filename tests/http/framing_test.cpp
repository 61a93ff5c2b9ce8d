// What is not HTTP/1.1, or could be read in two ways, is answered once with 400 and ends the
// connection: a request smuggled behind it is never answered.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/codes.hpp"
#include "http/net_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

const std::string smuggled = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string with(const std::string& fields, const std::string& body = "") {
  return "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n" + body;
}

void expect_refused(std::uint16_t port, const std::string& request, std::string_view code) {
  CAPTURE(request);
  const auto all = talk(port, request + smuggled);
  CHECK(status_of_text(all) == 400);
  CHECK(code_of(all) == code);
  CHECK(header_of(all, "Connection") == "close");
  CHECK(header_of(all, "Content-Type") == "application/problem+json");
  CHECK(count_responses(all) == 1);
}

}  // namespace

TEST_CASE("framing: what two parsers could read in two ways is refused") {
  const auto server = start_test_server();
  const std::vector<std::string> ambiguous = {
      with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
      with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
      with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
      with("Content-Length: 5, 5\r\n", "hello"),
      with("Content-Length: +5\r\n", "hello"),
      with("Content-Length: -5\r\n", "hello"),
      with("Content-Length: 0x5\r\n", "hello"),
      with("Content-Length: 5 5\r\n", "hello"),
      with("Content-Length: 5\v\r\n", "hello"),
      with("Content-Length: five\r\n", "hello"),
      with("Content-Length:\r\n", "hello"),
      with("Content-Length: 18446744073709551621\r\n", "hello"),
      with("Content-Length: 5.0\r\n", "hello"),
      with("Transfer-Encoding: identity\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
      with("Transfer-Encoding:\r\n", "0\r\n\r\n"),
      "POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  };
  for (const auto& request : ambiguous) {
    // A control character in the value is no HTTP at all.
    const bool control = request.find('\v') != std::string::npos;
    expect_refused(server->port(), request,
                   control ? codes::request_malformed : codes::request_ambiguous_framing);
  }
}

TEST_CASE("framing: what HTTP/1.1 does not allow in a head is refused") {
  const auto server = start_test_server();
  using namespace std::string_literals;
  const std::vector<std::string> malformed = {
      // lines
      "GET /ping HTTP/1.1\nHost: localhost\n\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"s,
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX: a\x01"
      "b\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX: a\x7f\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tb\r\n\r\n",
      "GET /ping HTTP/1.1\r\n Host: localhost\r\n\r\n",
      "\r\n\r\nGET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "\rGET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      // fields
      "GET /ping HTTP/1.1\r\nHost : localhost\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX : 1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX\t: 1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\n: 1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX(1): 1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX\xc3\xa4: 1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
      // Host
      "GET /ping HTTP/1.1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: user@localhost\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost/path\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost, other\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost:80a\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost:80:80\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: [::1\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: [::1]x\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: loc\\alhost\r\n\r\n",
      // the request line
      "GET /ping\r\nHost: localhost\r\n\r\n",
      "GET  /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping  HTTP/1.1\r\nHost: localhost\r\n\r\n",
      " GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.1 \r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/2.0\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.22\r\nHost: localhost\r\n\r\n",
      "GET /ping http/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.1x\r\nHost: localhost\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\n",
      "G@T /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET\t/ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /pi\0ng HTTP/1.1\r\nHost: localhost\r\n\r\n"s,
      "GET /p\xc3\xafng HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping#top HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
      "GET ftp://localhost/ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET http:///ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET http://evil.example/ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET http://user@localhost/ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      // paths that name something else once decoded
      "GET /ping/%2e%2e/secret HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping/../secret HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /items/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /items/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /items/%c0%af HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /items/%4 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      // other
      "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 a TLS hello",
  };
  for (const auto& request : malformed)
    expect_refused(server->port(), request, codes::request_malformed);
}

TEST_CASE("framing: a bad chunk is refused and what follows it is not read as a request") {
  const auto server = start_test_server();
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  using namespace std::string_literals;
  const std::vector<std::string> bad = {
      "5\r\nhelloX\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\nhello\r\n0\r\n\r\n",
      "-5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n",
      "0x5\r\nhello\r\n0\r\n\r\n",
      " 5\r\nhello\r\n0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n",
      "\r\nhello\r\n0\r\n\r\n",
      "g\r\nhello\r\n0\r\n\r\n",
      "10000000000000005\r\nhello\r\n0\r\n\r\n",
      "5\0\r\nhello\r\n0\r\n\r\n"s,
      "5;a=\x01\r\nhello\r\n0\r\n\r\n",
      // as they come in pieces, below
      "5\r\nhello\r\n0\r\nX: a\r\n folded\r\n\r\n",
      "5\r\nhello\r\n0\r\nX: a\r\n\tfolded\r\n\r\n",
      "5\r\nhello\r\n0;last\r\nX: a\r\nY:\r\n folded\r\n\r\n",
      "5\r\nhello\r\n0\r\n folded\r\n\r\n",
  };
  for (const auto& body : bad)
    expect_refused(server->port(), with(chunked, body), codes::request_malformed);
}

TEST_CASE("framing: a chunk or trailer that can be none is refused before more is waited for") {
  server_options patient;  // whoever waits for the body's deadline fails the test's own
  patient.limits.body_timeout_ms = 60'000;
  const auto server = start_test_server(patient);
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const char* body :
       {"5\r\nhello\r\n0\r\n\n", "0\r\nX: y\n", "0\r\nX: y\rz", "5\nhello", "0\r\n X: folded\r\n",
        "5\r\nhello\r\n0;a=\"\r\n\r\n", "0;a=\"\\\"\r\nX: \"\r\n", "5;a=\"b\r\n"})
    expect_refused(server->port(), with(chunked, body), codes::request_malformed);
  for (const char* body : {"FFFFFFFFFFFFFFFF\r\n", "3e9\r\n", "5\r\nhello\r\n3e4\r\n"})
    CHECK(status_of_text(talk(server->port(), with(chunked, body))) == 413);
}

TEST_CASE("framing: the path of a URL in the request line may be empty") {
  const auto server = start_test_server();
  for (const char* url : {"http://localhost", "http://localhost?a=1", "http://localhost/"}) {
    CAPTURE(url);
    const auto answer =
        ask(server->port(), "GET " + std::string(url) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(code_of(answer) ==
          codes::route_not_found);  // it is read as "/", which nobody serves here
  }
}

TEST_CASE("framing: of two Connection fields the one that closes wins") {
  const auto server = start_test_server();
  for (const std::string fields : {"Connection: close\r\nConnection: keep-alive\r\n",
                                   "Connection: keep-alive\r\nConnection: close\r\n"}) {
    CAPTURE(fields);
    const auto answer = talk(server->port(), "GET /ping HTTP/1.0\r\n" + fields + "\r\n");
    CHECK(header_of(answer, "Connection") == "close");
  }
}

TEST_CASE("framing: a line end after a body costs nothing") {
  const auto server = start_test_server();
  raw_client client(server->port());
  REQUIRE(client.send(with("Content-Length: 5\r\n", "hello") + "\r\n" + smuggled));
  CHECK(body_of(client.read_response()) == "hello");
  CHECK(body_of(client.read_response()) == "pong");
}

TEST_CASE("framing: chunks, their extensions and their trailers are taken") {
  const auto server = start_test_server();
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::vector<std::string> good = {
      "5\r\nhello\r\n0\r\n\r\n",
      "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      "0005\r\nhello\r\n000\r\n\r\n",
      "5;name=value\r\nhello\r\n0;last\r\n\r\n",
      "5;name=\"quoted; value\"\r\nhello\r\n0\r\n\r\n",
      "5;name=\"a \\\" in it\"\r\nhello\r\n0;name=\"\\\"\";b=\"\"\r\nX: \"\r\n\r\n",
      "5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
      "5\r\nhello\r\n0\r\nContent-Type: text/html\r\n\r\n",
  };
  for (const auto& body : good) {
    CAPTURE(body);
    raw_client client(server->port());
    REQUIRE(client.send(with(chunked, body) + smuggled));
    const auto answer = client.read_response();
    CHECK(status_of_text(answer) == 200);
    CHECK(body_of(answer) == "hello");
    CHECK(body_of(client.read_response()) == "pong");  // where the next request begins is known
  }
  const auto upper = with("tRANSFER-eNCODING: ChunkeD\r\n", "A\r\n0123456789\r\n0\r\n\r\n");
  CHECK(body_of(ask(server->port(), upper)) == "0123456789");
}

TEST_CASE("framing: a trailer says nothing that the server trusts") {
  const auto server = start_test_server();
  const auto request = with("Transfer-Encoding: chunked\r\n",
                            "5\r\nhello\r\n0\r\nX-Request-ID: from-the-trailer\r\n\r\n");
  const auto answer = ask(server->port(), request);
  CHECK(body_of(answer) == "hello");
  CHECK(header_of(answer, "X-Request-ID") != "from-the-trailer");
}

TEST_CASE("framing: a chunk's header and its trailers are bounded") {
  const auto server = start_test_server();
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string much(100'000, 'x');
  for (const auto& body :
       {"5;" + much, "5\r\nhello\r\n0\r\nX: " + much, std::string(100'000, '0')}) {
    const auto all = talk(server->port(), with(chunked, body));
    CHECK(status_of_text(all) == 400);
    CHECK(count_responses(all) == 1);
  }
}

TEST_CASE("framing: what is unusual but allowed is taken") {
  const auto server = start_test_server();
  const std::vector<std::string> allowed = {
      "GET http://localhost/ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET HTTP://LOCALHOST/ping?a HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.1\r\nhOST:localhost\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: \t localhost \t\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nX:\r\nY: \xc3\xa4\tb\r\n\r\n",
      "GET /%70ing HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "\r\nGET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.2\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.9\r\nHost: localhost\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nExpect:\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue, 100-continue\r\n\r\n",
      "GET /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
  };
  for (const auto& request : allowed) {
    CAPTURE(request);
    const auto answer = ask(server->port(), request);
    CHECK(status_of_text(answer) == 200);
    CHECK(body_of(answer) == "pong");
  }
}
