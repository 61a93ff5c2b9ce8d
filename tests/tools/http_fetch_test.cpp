#include "tools/builtin/http_fetch.hpp"

#include <zlib.h>

#include <atomic>

#include "support/child_process.hpp"
#include "tools/tiny_server.hpp"
#include "tools/tool_world.hpp"

namespace json = boost::json;
using namespace soma;
using namespace soma::testing;

namespace {

const ip_address here = from_v4(127u << 24 | 1u);

std::string deflated(const std::string& bytes, int window_bits) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, bytes.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

struct world {
  tiny_server::handler answer = [](const std::string&) { return http_answer("hello"); };
  tiny_server server{[this](const std::string& request) { return answer(request); }};
  std::atomic<int> looked_up = 0;
  tools::extractor reader{shared_sandbox(), sibling_program("soma-extract")};
  tools::http_fetch_parts parts{shared_workers(), &reader, {}};

  world() {
    parts.rules.resolve = [this](const std::string&) -> result<std::vector<ip_address>> {
      ++looked_up;
      return std::vector{here};
    };
    parts.rules.allowed = [](const ip_address& address) { return address == here; };
    parts.rules.ports = {server.port()};
  }
  std::string at(const std::string& path, const std::string& host = "one.test.org") {
    return "http://" + host + ":" + std::to_string(server.port()) + path;
  }
  tools::tool_outcome fetch(json::object inputs) {
    const auto tool = tools::make_http_fetch(parts);
    auto request = request_of("{}");
    request.inputs = std::move(inputs);
    request.limits.timeout_ms = 20'000;
    request.egress = egress;
    return outcome(*tool, request);
  }
  std::string refusal(json::object inputs) {
    const auto seen = fetch(std::move(inputs));
    return seen.error ? seen.status + ": " + seen.error->detail : "none";
  }
  std::vector<std::string> egress;
};

}  // namespace

TEST_CASE_FIXTURE(world, "http_fetch: gives status, headers and body of an answer") {
  answer = [](const std::string&) {
    return http_answer("caf\xc3\xa9\xff",
                       "Content-Type: Text/Plain; charset=utf-8\r\nSet-Cookie: a=b\r\nX-A: 1\r\n",
                       "404 Not Found");
  };
  const auto out = output(fetch({{"url", at("/x?y=1#z")}}));
  CHECK(out.at("status") == 404);
  CHECK(text(out, "url") == at("/x?y=1"));
  CHECK(text(out, "content_type") == "text/plain");
  CHECK(text(out, "body") == "caf\xc3\xa9\xef\xbf\xbd");
  CHECK(out.at("size_bytes") == 6);
  CHECK(out.at("headers").at("x-a") == "1");
  CHECK_FALSE(out.at("headers").as_object().contains("set-cookie"));
  CHECK(server.requests().at(0).starts_with("GET /x?y=1 HTTP/1.1\r\nHost: one.test.org:"));
}

TEST_CASE_FIXTURE(world,
                  "http_fetch: sends methods, headers and bodies, but not those that are ours") {
  output(fetch({{"url", at("/")},
                {"method", "POST"},
                {"body", "a=1"},
                {"headers", json::object{{"X-Mine", "yes"}, {"User-Agent", "me"}}}}));
  const auto sent = server.requests().at(0);
  CHECK(sent.starts_with("POST / HTTP/1.1\r\n"));
  CHECK(sent.find("X-Mine: yes\r\n") != std::string::npos);
  CHECK(sent.find("User-Agent: me\r\n") != std::string::npos);
  CHECK(sent.ends_with("\r\n\r\na=1"));
  CHECK(output(fetch({{"url", at("/")}, {"method", "HEAD"}})).at("status") == 200);
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "Proxy-Authorization",
                           "Connection", "a b", "x:y", ""})
    CHECK(fetch({{"url", at("/")}, {"headers", json::object{{name, "x"}}}}).status == "error");
  CHECK(refusal({{"url", at("/")}, {"headers", json::object{{"x", "1\r\nHost: y"}}}}) ==
        "error: the header x has a control character");
}

TEST_CASE_FIXTURE(world, "http_fetch: takes the text out of a page, in the sandbox") {
  answer = [](const std::string&) {
    return http_answer("<html><body><script>no</script><p>One<p>Two",
                       "Content-Type: text/html\r\n");
  };
  const auto out = output(fetch({{"url", at("/")}, {"extract", "text"}}));
  CHECK(text(out, "body") == "One\nTwo");
  CHECK(out.at("extracted") == true);
  CHECK(text(output(fetch({{"url", at("/")}})), "body").starts_with("<html>"));
}

TEST_CASE_FIXTURE(world, "http_fetch: what comes compressed is given as it was before") {
  const auto plain = "Zürich " + std::string(20'000, 'z');
  for (const int bits : {MAX_WBITS + 16, MAX_WBITS, -MAX_WBITS}) {  // gzip, zlib, and bare
    CAPTURE(bits);
    answer = [&](const std::string&) {
      return http_answer(deflated(plain, bits), std::string("Content-Encoding: ") +
                                                    (bits > MAX_WBITS ? "gzip" : "deflate") +
                                                    "\r\nContent-Type: text/plain\r\n");
    };
    const auto out = output(fetch({{"url", at("/")}}));
    CHECK(text(out, "body") == plain);
    CHECK(out.at("size_bytes") == plain.size());
  }
  CHECK(server.requests().at(0).find("Accept-Encoding: ") != std::string::npos);
  // A small answer that grows without an end is cut where any is.
  answer = [](const std::string&) {
    return http_answer(deflated(std::string(64u << 20, 'x'), MAX_WBITS + 16),
                       "Content-Encoding: gzip\r\n");
  };
  const auto bomb = output(fetch({{"url", at("/")}}));
  CHECK(bomb.at("truncated") == true);
  CHECK(bomb.at("size_bytes") == (4u << 20));
  answer = [](const std::string&) {
    return http_answer("not gzip at all", "Content-Encoding: gzip\r\n");
  };
  CHECK(fetch({{"url", at("/")}}).status == "error");
}

TEST_CASE_FIXTURE(world, "http_fetch: text is given in UTF-8, whatever a page was written in") {
  struct page {
    std::string type, bytes, wanted;
  };
  const page pages[] = {
      {"text/plain; charset=ISO-8859-1",
       "Stra\xdf"
       "e",
       "Straße"},
      {"text/plain; charset=\"Windows-1252\"", "10 \x80", "10 €"},
      {"text/plain",
       "Stra\xdf"
       "e",
       "Straße"},
      {"text/plain; charset=utf-8",
       "Stra\xdf"
       "e",
       "Straße"},
      {"text/plain; charset=iso-8859-1", "Straße", "Straße"},
      {"text/plain; charset=gb2312", "\xb1\xb1\xbe\xa9", "北京"},
      {"text/plain; charset=Shift_JIS", "\x93\xfa\x96\x7b", "日本"},
      {"text/plain; charset=koi8-r", "\xcd\xc9\xd2", "мир"},
      {"text/plain; charset=no-such", "Straße", "Straße"},
      {"", std::string("\xff\xfeH\0i\0", 6), "Hi"},
      {"application/json", "\xef\xbb\xbf{}", "{}"},
      {"text/html", "<meta charset='gbk'>\xb1\xb1\xbe\xa9", "<meta charset='utf-8'>北京"},
      {"application/xml", "<?xml version='1.0' encoding='iso-8859-2'?><a>\xb1</a>",
       "<?xml version='1.0' encoding='utf-8'?><a>ą</a>"},
  };
  for (const auto& one : pages) {
    CAPTURE(one.type);
    answer = [&](const std::string&) {
      return http_answer(one.bytes,
                         one.type.empty() ? std::string() : "Content-Type: " + one.type + "\r\n");
    };
    CHECK(text(output(fetch({{"url", at("/")}})), "body") == one.wanted);
  }
  answer = [](const std::string&) {
    return http_answer("<html><head><meta charset=big5></head><body><p>\xa5\xfe</p>",
                       "Content-Type: text/html\r\n");
  };
  CHECK(text(output(fetch({{"url", at("/")}, {"extract", "text"}})), "body") == "全");
}

TEST_CASE_FIXTURE(world, "http_fetch: follows redirects, and tells where it came to") {
  answer = [this](const std::string& request) {
    if (request.starts_with("GET /a ")) return redirect_to("/b");
    if (request.starts_with("GET /b ")) return redirect_to(at("/c", "two.test.org"));
    return http_answer("end");
  };
  const auto out =
      output(fetch({{"url", at("/a")}, {"headers", json::object{{"Authorization", "secret"}}}}));
  CHECK(text(out, "url") == at("/c", "two.test.org"));
  CHECK(text(out, "body") == "end");
  const auto sent = server.requests();
  REQUIRE(sent.size() == 3);
  CHECK(sent[1].find("Authorization: secret") != std::string::npos);
  CHECK(sent[2].find("Authorization") == std::string::npos);  // of another host
}

TEST_CASE_FIXTURE(world, "http_fetch: a redirect to where one may not go is not followed") {
  std::string target;
  answer = [&](const std::string&) { return redirect_to(target); };
  const auto port = std::to_string(server.port());
  for (const std::string& to :
       {"http://127.0.0.2:" + port + "/", "http://2130706433:" + port + "/",
        "http://10.0.0.1:" + port + "/", "http://[::1]:" + port + "/",
        std::string("//169.254.169.254/"), std::string("http://one.test.org:1/"),
        "http://x@one.test.org:" + port + "/", std::string("file:///etc/passwd"),
        std::string("gopher://one.test.org/"), "http://localhost:" + port + "/"}) {
    CAPTURE(to);
    target = to;
    const auto before = server.requests().size();
    CHECK(refusal({{"url", at("/")}}).find("a redirect was not followed: ") != std::string::npos);
    CHECK(server.requests().size() == before + 1);
  }
}

TEST_CASE_FIXTURE(world, "http_fetch: redirects without an end are given up") {
  answer = [](const std::string&) { return redirect_to("/again"); };
  CHECK(refusal({{"url", at("/")}}) == "error: there are too many redirects");
  CHECK(server.requests().size() == 6);
}

TEST_CASE_FIXTURE(world, "http_fetch: a form that is redirected becomes a question") {
  answer = [](const std::string& request) {
    return request.starts_with("POST") ? redirect_to("/done", "303 See Other") : http_answer("ok");
  };
  output(fetch({{"url", at("/")}, {"method", "POST"}, {"body", "a=1"}}));
  CHECK(server.requests().at(1).starts_with("GET /done "));
}

TEST_CASE_FIXTURE(world,
                  "http_fetch: a name is looked up once, whatever it would be the next time") {
  parts.rules.resolve = [this](const std::string&) -> result<std::vector<ip_address>> {
    return std::vector{looked_up++ == 0 ? here : from_v4(10u << 24 | 1u)};
  };
  CHECK(text(output(fetch({{"url", at("/")}})), "body") == "hello");
  CHECK(looked_up == 1);
  // With the next request the name is judged anew.
  CHECK(refusal({{"url", at("/")}}) == "denied: the host's address is not a public one");
  // And for each redirect, also to the same name.
  looked_up = 0;
  answer = [](const std::string&) { return redirect_to("/next"); };
  CHECK(refusal({{"url", at("/")}}).starts_with("denied: a redirect was not followed"));
  CHECK(server.requests().size() == 2);
}

TEST_CASE_FIXTURE(world, "http_fetch: the address is judged once more when it is connected to") {
  std::atomic<int> asked = 0;
  parts.rules.allowed = [&](const ip_address&) { return asked++ == 0; };
  CHECK(refusal({{"url", at("/")}}) == "denied: the host's address is not a public one");
  CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(world, "http_fetch: the profile's hosts bound where it goes, redirects too") {
  egress = {"one.test.org"};
  answer = [this](const std::string&) { return redirect_to(at("/", "two.test.org")); };
  CHECK(refusal({{"url", at("/", "two.test.org")}}) ==
        "denied: the host two.test.org is not among those that this tool may reach");
  CHECK(refusal({{"url", at("/")}}) ==
        "denied: a redirect was not followed: the host two.test.org is not among those that this "
        "tool may reach");
}

TEST_CASE_FIXTURE(world, "http_fetch: as it is installed it does not reach this machine") {
  parts.rules = {};
  parts.rules.ports = {server.port()};
  for (const char* host : {"127.0.0.1", "[::1]", "0.0.0.0", "localhost"})
    CHECK(fetch({{"url", at("/", host)}}).status == "denied");
  CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(world, "http_fetch: what is too long is cut, and long headers are refused") {
  answer = [](const std::string& request) {
    if (request.starts_with("GET /headers"))
      return http_answer("", "X: " + std::string(80'000, 'x') + "\r\n");
    return http_answer(std::string(6u << 20, 'x'));
  };
  const auto seen = fetch({{"url", at("/")}});
  const auto out = output(seen);
  CHECK(out.at("truncated") == true);
  CHECK(out.at("size_bytes") == (4u << 20));
  CHECK(seen.output_json.size() <= (64u << 10));
  CHECK(refusal({{"url", at("/headers")}}).starts_with("error: "));
}

TEST_CASE_FIXTURE(world, "http_fetch: what a broken or silent host does is told") {
  answer = [](const std::string&) { return std::string("SSH-2.0-x\r\n"); };
  CHECK(fetch({{"url", at("/")}}).status == "error");
  answer = [](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
  };
  CHECK(fetch({{"url", at("/")}}).status == "error");
  parts.rules.resolve = [](const std::string& host) -> result<std::vector<ip_address>> {
    return error{"tool.failed", "the host " + host + " is not known"};
  };
  CHECK(refusal({{"url", at("/")}}) == "error: the host one.test.org is not known");
}

TEST_CASE_FIXTURE(world, "http_fetch: a host that does not answer is a timeout") {
  std::mutex answered;
  std::unique_lock hold(answered);
  answer = [&](const std::string&) {
    const std::lock_guard wait(answered);
    return std::string();
  };
  const auto tool = tools::make_http_fetch(parts);
  auto request = request_of("{}");
  request.inputs["url"] = at("/");
  request.limits.timeout_ms = 200;
  const auto seen = outcome(*tool, request);
  CHECK(seen.status == "timeout");
  CHECK(seen.error->code == "tool.timeout");
  hold.unlock();
}

TEST_CASE("http_fetch: only questions may be asked twice") {
  const auto tool = tools::make_http_fetch({shared_workers(), nullptr, {}});
  CHECK(tool->idempotent({}));
  CHECK(tool->idempotent({{"method", "HEAD"}}));
  CHECK_FALSE(tool->idempotent({{"method", "POST"}}));
}
