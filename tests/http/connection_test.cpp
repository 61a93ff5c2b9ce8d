// A connection from its first byte to its end: order, methods, limits, timeouts, rude clients.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/codes.hpp"
#include "http/net_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

std::string get(const std::string& path, const std::string& fields = "",
                const std::string& method = "GET") {
  return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

std::string post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return get(path, fields + "Content-Length: " + std::to_string(body.size()) + "\r\n", "POST") +
         body;
}

server_options with_limits(const net_limits& limits) {
  server_options options;
  options.limits = limits;
  return options;
}

}  // namespace

TEST_CASE("connection: pipelined requests are answered in order") {
  const auto server = start_test_server();
  raw_client client(server->port());
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += get("/late");
    all += post("/echo", "number " + std::to_string(i));
    all += get("/items/" + std::to_string(i));
    all += get("/ping", "", "HEAD");
  }
  REQUIRE(client.send(all));
  for (int i = 0; i < 50; ++i) {
    CHECK(body_of(client.read_response()) == "late");
    CHECK(body_of(client.read_response()) == "number " + std::to_string(i));
    CHECK(body_of(client.read_response()) == "item " + std::to_string(i));
    CHECK(status_of_text(client.read_response(true)) == 200);
  }
}

TEST_CASE("connection: it is kept until the client wants it closed") {
  const auto server = start_test_server();
  raw_client client(server->port());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send(get("/ping")));
    CHECK(header_of(client.read_response(), "Connection") == "");
  }
  REQUIRE(client.send(get("/ping", "Connection: keep-alive, Close\r\n") + get("/ping")));
  const auto last = client.read_response();
  CHECK(body_of(last) == "pong");
  CHECK(header_of(last, "Connection") == "close");
  CHECK(client.read_all().empty());
  CHECK(client.closed());
}

TEST_CASE("connection: HTTP/1.0 is answered and closed, or kept where it asks for it") {
  const auto server = start_test_server();
  const auto once = talk(server->port(), "GET /ping HTTP/1.0\r\n\r\n");
  CHECK(body_of(once) == "pong");
  CHECK(header_of(once, "Connection") == "close");
  raw_client kept(server->port());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(kept.send("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    const auto answer = kept.read_response();
    CHECK(body_of(answer) == "pong");
    CHECK(header_of(answer, "Connection") == "keep-alive");
  }
  const auto streamed = talk(server->port(), "GET /export HTTP/1.0\r\n\r\n");
  CHECK(body_of(streamed) == "one\ntwo\nthree\n");  // no chunks: 1.0 does not know them
  CHECK(header_of(streamed, "Transfer-Encoding") == "");
}

TEST_CASE("connection: an answer of unknown length comes in chunks") {
  const auto server = start_test_server();
  raw_client client(server->port());
  REQUIRE(client.send(get("/export") + get("/ping")));
  const auto answer = client.read_response();
  CHECK(header_of(answer, "Transfer-Encoding") == "chunked");
  CHECK(body_of(answer) == "4\r\none\n\r\n4\r\ntwo\n\r\n6\r\nthree\n\r\n0\r\n\r\n");
  CHECK(body_of(client.read_response()) == "pong");
}

TEST_CASE("connection: 100-continue is sent when the body is awaited, and only then") {
  const auto server = start_test_server();
  raw_client client(server->port());
  const std::string fields = "Expect: 100-continue\r\nContent-Length: 5\r\n";
  REQUIRE(client.send(get("/echo", fields, "POST")));
  CHECK(client.read_response(true) == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("hello"));
  CHECK(body_of(client.read_response()) == "hello");

  REQUIRE(client.send(get("/echo", fields, "POST") + "there"));  // the body is here already
  CHECK(body_of(client.read_response()) == "there");

  // What is refused is refused before the body is sent.
  const std::string large = "Expect: 100-continue\r\nContent-Length: 5000\r\n";
  CHECK(status_of_text(ask(server->port(), get("/echo", large, "POST"))) == 413);
  CHECK(status_of_text(ask(server->port(), get("/nowhere", fields, "POST"))) == 404);
  CHECK(status_of_text(ask(server->port(), get("/ping", fields, "POST"))) == 405);
}

TEST_CASE("connection: HEAD has the headers of GET and no body") {
  const auto server = start_test_server();
  for (const std::string path :
       {"/ping", "/items/7", "/nowhere", "/query?x=1", "/export", "/boom"}) {
    CAPTURE(path);
    raw_client client(server->port());
    REQUIRE(client.send(get(path)));
    const auto whole = client.read_response();
    REQUIRE(client.send(get(path, "", "HEAD") + get("/ping")));
    const auto head = client.read_response(true);
    CHECK(status_of_text(head) == status_of_text(whole));
    for (const char* name : {"Content-Type", "Content-Length", "Transfer-Encoding", "Cache-Control",
                             "Content-Security-Policy", "X-Content-Type-Options"})
      CHECK(header_of(head, name) == header_of(whole, name));
    CHECK(body_of(client.read_response()) == "pong");  // nothing stood between the two
  }
}

TEST_CASE("connection: HEAD of a stream is its head, and the connection goes on") {
  const auto server = start_test_server();
  raw_client client(server->port());
  REQUIRE(client.send(get("/stream", "", "HEAD") + get("/ping")));
  const auto head = client.read_response(true);
  CHECK(status_of_text(head) == 200);
  CHECK(header_of(head, "Content-Type") == "text/event-stream");
  CHECK(header_of(head, "Content-Length") == "");
  CHECK(body_of(client.read_response()) == "pong");
}

TEST_CASE("connection: a stream takes the connection with it") {
  const auto server = start_test_server();
  const auto all = talk(server->port(), get("/stream"));
  CHECK(header_of(all, "Content-Type") == "text/event-stream");
  CHECK(header_of(all, "Connection") == "close");  // it ends with its connection
  CHECK(header_of(all, "Transfer-Encoding") == "chunked");
  CHECK(body_of(all) == "000009\r\ndata: 1\n\n\r\n");  // cut: this one sends no last chunk
  const auto old = talk(server->port(), "GET /stream HTTP/1.0\r\n\r\n");
  CHECK(header_of(old, "Transfer-Encoding") == "");
  CHECK(body_of(old) == "data: 1\n\n");
  const auto pipelined = talk(server->port(), get("/stream") + get("/ping"));
  CHECK(status_of_text(pipelined) == 400);
  CHECK(count_responses(pipelined) == 1);
}

TEST_CASE("connection: a method that a path does not have is 405 with Allow") {
  const auto server = start_test_server();
  raw_client client(server->port());
  for (const std::string method : {"DELETE", "PUT", "PATCH", "POST", "TRACE", "PROPFIND", "get"}) {
    CAPTURE(method);
    REQUIRE(client.send(get("/ping", "", method)));
    const auto answer = client.read_response();
    CHECK(status_of_text(answer) == 405);
    CHECK(code_of(answer) == codes::request_method_not_allowed);
    CHECK(header_of(answer, "Allow") == "GET, HEAD, OPTIONS");
  }
  REQUIRE(client.send(get("/echo")));
  CHECK(header_of(client.read_response(), "Allow") == "POST, OPTIONS");
  REQUIRE(client.send(get("/nowhere", "", "DELETE")));
  CHECK(status_of_text(client.read_response()) == 404);
}

TEST_CASE("connection: OPTIONS tells the methods of a path and of the server") {
  const auto server = start_test_server();
  raw_client client(server->port());
  REQUIRE(client.send(get("/ping", "", "OPTIONS") + get("*", "", "OPTIONS") + get("/ping")));
  const auto path = client.read_response();
  CHECK(status_of_text(path) == 204);
  CHECK(header_of(path, "Allow") == "GET, HEAD, OPTIONS");
  const auto all = client.read_response();
  CHECK(status_of_text(all) == 204);
  CHECK(header_of(all, "Allow").find("PATCH") != std::string::npos);
  CHECK(header_of(all, "Access-Control-Allow-Origin") == "");
  CHECK(body_of(client.read_response()) == "pong");
}

TEST_CASE("connection: a body where none is taken, or one too large, is refused") {
  const auto server = start_test_server();
  const auto unwanted = talk(server->port(), get("/ping", "Content-Length: 5\r\n") + "hello");
  CHECK(status_of_text(unwanted) == 400);
  CHECK(count_responses(unwanted) == 1);

  raw_client client(server->port());
  REQUIRE(client.send(post("/echo", std::string(1000, 'x'))));
  CHECK(body_of(client.read_response()).size() == 1000);
  for (const auto& request : {post("/echo", std::string(1001, 'x')),
                              get("/echo", "Content-Length: 999999999999\r\n", "POST"),
                              get("/echo", "Transfer-Encoding: chunked\r\n", "POST") + "3e9\r\n" +
                                  std::string(1001, 'x')}) {
    const auto answer = talk(server->port(), request);
    CHECK(status_of_text(answer) == 413);
    CHECK(code_of(answer) == codes::request_too_large);
    CHECK(header_of(answer, "Connection") == "close");
  }
}

TEST_CASE("connection: a body read in pieces may be larger than any buffer") {
  const auto server = start_test_server();
  raw_client client(server->port());
  REQUIRE(client.send(post("/count", std::string(3'000'000, 'x')) + get("/ping")));
  CHECK(body_of(client.read_response()) == "3000000");
  CHECK(body_of(client.read_response()) == "pong");
  std::string chunks;
  for (int i = 0; i < 500; ++i) chunks += "1000\r\n" + std::string(0x1000, 'y') + "\r\n";
  REQUIRE(client.send(get("/count", "Transfer-Encoding: chunked\r\n", "POST") + chunks +
                      "0\r\n\r\n" + get("/ping")));
  CHECK(body_of(client.read_response()) == std::to_string(500 * 0x1000));
  CHECK(body_of(client.read_response()) == "pong");
  const auto more = post("/count", std::string((4 << 20) + 1, 'z'));
  CHECK(status_of_text(talk(server->port(), more)) == 413);
}

TEST_CASE("connection: request line, headers and their number are bounded") {
  net_limits limits;
  limits.header_bytes_max = 2048;
  limits.header_count_max = 20;
  const auto server = start_test_server(with_limits(limits));
  const auto sized = [](std::size_t bytes) {
    const auto rest = get("/ping", "X: \r\n").size();
    return get("/ping", "X: " + std::string(bytes - rest, 'x') + "\r\n");
  };
  CHECK(status_of_text(ask(server->port(), sized(2048))) == 200);
  std::string many;
  for (int i = 0; i < 19; ++i) many += "X" + std::to_string(i) + ": 1\r\n";
  CHECK(status_of_text(ask(server->port(), get("/ping", many))) == 200);
  for (const auto& request : {sized(2049), sized(100'000), get("/" + std::string(3000, 'p')),
                              get("/ping", many + "One-More: 1\r\n")}) {
    const auto answer = talk(server->port(), request);
    CHECK(status_of_text(answer) == 431);
    CHECK(code_of(answer) == codes::request_header_too_large);
    CHECK(header_of(answer, "X-Request-ID") != "");
  }
  std::string segments;
  for (int i = 0; i < 40; ++i) segments += "/s";
  CHECK(status_of_text(ask(server->port(), get(segments))) == 404);
}

TEST_CASE("connection: an extension whose quotes do not end in their line is refused at once") {
  const auto server = start_test_server(with_limits(short_limits()));
  const auto answer =
      talk(server->port(),
           "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5;a=\"b\r\nhello\r\n0\r\n\r\nGET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(status_of_text(answer) == 400);
  CHECK(code_of(answer) == codes::request_malformed);
}

TEST_CASE("connection: a client that is slow with its head or body gets 408") {
  const auto server = start_test_server(with_limits(short_limits()));
  for (const std::string part :
       {"G", "GET /ping HTTP/1.1\r\nHost: loc", "GET /ping HTTP/1.1\r\nHost: localhost\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhel",
        "POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"}) {
    CAPTURE(part);
    const auto answer = talk(server->port(), part);
    CHECK(status_of_text(answer) == 408);
    CHECK(code_of(answer) == codes::request_timeout);
    CHECK(header_of(answer, "Connection") == "close");
  }
  CHECK(talk(server->port(), "").empty());  // idle: closed without a word
  const auto second = talk(server->port(), get("/ping"));
  CHECK(count_responses(second) == 1);
}

TEST_CASE("connection: a client that takes nothing of its answer is given up") {
  const auto server = start_test_server(with_limits(short_limits()));
  raw_client client(server->port());
  REQUIRE(client.send(get("/large")));
  eventually_open(*server, 1);
  eventually_open(*server, 0);
}

TEST_CASE("connection: more connections than the server takes are told so and closed") {
  net_limits limits;
  limits.connections_max = 2;
  limits.connections_per_address_max = 100;
  const auto server = start_test_server(with_limits(limits));
  // Both are at work: the one has sent half a head, the other half a body.
  auto first = std::make_unique<raw_client>(server->port());
  raw_client second(server->port());
  REQUIRE(first->send("GET /pi"));
  REQUIRE(second.send(get("/echo", "Content-Length: 5\r\n", "POST") + "he"));
  eventually_open(*server, 2);
  const auto refused = talk(server->port(), "");
  CHECK(status_of_text(refused) == 503);
  CHECK(code_of(refused) == codes::server_busy);
  CHECK(header_of(refused, "Retry-After") != "");
  REQUIRE(second.send("llo"));  // those inside notice nothing
  CHECK(body_of(second.read_response()) == "hello");
  first.reset();
  eventually_open(*server, 1);
  CHECK(body_of(ask(server->port(), get("/ping"))) == "pong");
}

TEST_CASE("connection: clients that leave early cost nothing") {
  const auto server = start_test_server();
  for (const std::string part : {"", "GET /pi",
                                 "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                                 "Content-Length: 500\r\n\r\nhalf"}) {
    raw_client gone(server->port());
    gone.send(part);
  }
  for (const std::string path : {"/late", "/large", "/export", "/stream"}) {
    raw_client gone(server->port());
    gone.send(get(path));
  }
  eventually_open(*server, 0);
  raw_client half(server->port());  // it has said all it will say, and still listens
  half.send(get("/late"));
  half.shutdown_send();
  CHECK(body_of(half.read_response()) == "late");
}

TEST_CASE("connection: a request may come a byte at a time") {
  const auto server = start_test_server();
  raw_client client(server->port());
  const auto request = get("/ping") + get("/echo", "Transfer-Encoding: chunked\r\n", "POST") +
                       "2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n" + post("/echo", "there");
  for (const char c : request) REQUIRE(client.send({&c, 1}));
  CHECK(body_of(client.read_response()) == "pong");
  CHECK(body_of(client.read_response()) == "hello");
  CHECK(body_of(client.read_response()) == "there");
}

TEST_CASE("connection: a handler that throws is 500 without its words") {
  std::string told;
  server_options options;
  options.on_fault = [&told](std::string_view, std::string_view what) { told = what; };
  const auto server = start_test_server(std::move(options));
  raw_client client(server->port());
  REQUIRE(client.send(get("/boom")));
  const auto answer = client.read_response();
  CHECK(status_of_text(answer) == 500);
  CHECK(code_of(answer) == codes::internal);
  CHECK(answer.find("secret") == std::string::npos);
  CHECK(told == "a secret of the handler");
  REQUIRE(client.send(get("/ping")));
  CHECK(body_of(client.read_response()) == "pong");
}

TEST_CASE("connection: a stop lets a request end and closes idle connections") {
  auto server = start_test_server();
  raw_client idle(server->port()), working(server->port());
  REQUIRE(idle.send(get("/ping")));
  CHECK(body_of(idle.read_response()) == "pong");
  REQUIRE(working.send(get("/late")));
  eventually_open(*server, 2);
  server->stop();
  const auto answer = working.read_all();
  if (!answer.empty()) CHECK(header_of(answer, "Connection") == "close");
  CHECK(idle.read_all().empty());
  CHECK(idle.closed());
}
