#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/codes.hpp"
#include "files/multipart_parser.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::files;

namespace {

struct seen_part {
  part_head head;
  std::string bytes;
  bool ended = false;
};

struct collector final : part_sink {
  std::vector<seen_part> parts;
  result<void> on_part(const part_head& head) override {
    parts.push_back({head, {}, false});
    return {};
  }
  result<void> on_bytes(std::string_view bytes) override {
    parts.back().bytes += bytes;
    return {};
  }
  result<void> on_end() override {
    parts.back().ended = true;
    return {};
  }
};

struct outcome {
  std::vector<seen_part> parts;
  std::string_view code;
};

outcome read(std::string_view body, std::size_t step, std::size_t parts_max = 100) {
  collector sink;
  multipart_parser parser("b", parts_max);
  for (std::size_t at = 0; at < body.size(); at += step)
    if (auto fed = parser.feed(body.substr(at, step), sink); !fed)
      return {sink.parts, fed.error().code};
  auto whole = parser.finish();
  return {sink.parts, whole ? std::string_view() : whole.error().code};
}

std::string part(std::string_view disposition, std::string_view bytes) {
  return "--b\r\nContent-Disposition: " + std::string(disposition) + "\r\n\r\n" +
         std::string(bytes) + "\r\n";
}

std::string file(std::string_view name, std::string_view bytes) {
  return part("form-data; name=\"f\"; filename=\"" + std::string(name) + "\"", bytes);
}

}  // namespace

TEST_CASE("multipart: parts come out the same however the body is cut") {
  const std::string tricky = "\r\n--", nearly = "x\r\n--c\r\n-\r\n--\r\n";
  const auto body = "preamble\r\n" + file("a.txt", tricky) + file("b", "") +
                    part("form-data; name=field", nearly) + "--b--\r\nepilogue --b--";
  for (std::size_t step = 1; step <= body.size(); ++step) {
    CAPTURE(step);
    const auto seen = read(body, step);
    REQUIRE(seen.code == "");
    REQUIRE(seen.parts.size() == 3);
    CHECK(seen.parts[0].head.filename == "a.txt");
    CHECK(seen.parts[0].bytes == tricky);
    CHECK(seen.parts[1].bytes == "");
    CHECK(seen.parts[1].ended);
    CHECK_FALSE(seen.parts[2].head.filename);
    CHECK(seen.parts[2].head.name == "field");
    CHECK(seen.parts[2].bytes == nearly);
  }
}

TEST_CASE("multipart: names are read as browsers and curl write them") {
  const auto name_of = [](std::string_view disposition) {
    const auto seen = read(part(disposition, "x") + "--b--", 7);
    REQUIRE(seen.parts.size() == 1);
    return seen.parts[0].head.filename.value_or("none");
  };
  CHECK(name_of("form-data; name=\"f\"; filename=\"a%22b.txt\"") == "a\"b.txt");
  CHECK(name_of("form-data; name=\"f\"; filename=\"a\\\"b.txt\"") == "a\"b.txt");
  CHECK(name_of("form-data; name=\"f\"; filename=\"C:\\dir\\a.txt\"") == "C:\\dir\\a.txt");
  CHECK(name_of("form-data; name=f; filename=\"50%.txt\"") == "50%.txt");
  CHECK(name_of("FORM-DATA ; NAME=f ; FILENAME=\"\"") == "");
}

TEST_CASE("multipart: names are read as programs of all kinds write them") {
  const auto name_of = [](const std::string& parameters) {
    const auto seen = read(part("form-data; name=f; " + parameters, "x") + "--b--", 7);
    if (!seen.code.empty()) return std::string(seen.code);
    return seen.parts.at(0).head.filename.value_or("none");
  };
  // .NET: both, the plain one as mail has it.
  CHECK(name_of("filename=\"=?utf-8?B?w5xiZXIudHh0?=\"; filename*=utf-8''%C3%9Cber.txt") ==
        "Über.txt");
  CHECK(name_of("filename=\"=?utf-8?B?w5xiZXIudHh0?=\"") == "Über.txt");
  CHECK(name_of("filename=\"=?ISO-8859-1?Q?=DCber_uns.txt?=\"") == "Über uns.txt");
  CHECK(name_of("filename=\"=?utf-8?B?w5w=?= =?utf-8?Q?ber?=\"") == "Über");
  CHECK(name_of("filename=\"=?big5?B?w5w=?=\"") == "=?big5?B?w5w=?=");
  CHECK(name_of("filename=\"=?utf-8?B?\"") == "=?utf-8?B?");
  // Python's requests: the extended one alone.
  CHECK(name_of("filename*=utf-8''%E6%97%A5%E6%9C%AC.txt") == "日本.txt");
  CHECK(name_of("filename*=iso-8859-1'en'%DCber.txt; filename=u.txt") == "Über.txt");
  CHECK(name_of("filename*=\"UTF-8''a%20b.txt\"") == "a b.txt");
  CHECK(name_of("filename*=a%20b.txt") == "a b.txt");
  CHECK(name_of("filename*=koi8-r''%C1; filename=plain.txt") == "plain.txt");
  CHECK(name_of("filename*=koi8-r''%C1") == codes::upload_malformed);
  CHECK(name_of("filename*=utf-8'x") == codes::upload_malformed);
  CHECK(name_of("filename*=utf-8''a; filename*=utf-8''b") == codes::upload_malformed);
  // Java and Go escape with a backslash; old ones write their machine's bytes.
  CHECK(name_of("filename=\"a\\\\b\\\"c.txt\"") == "a\\b\"c.txt");
  CHECK(name_of("filename=\"Gr\xfc\xdf\x80.txt\"") == "Grüß€.txt");
  CHECK(name_of("filename=\"Grüße.txt\"") == "Grüße.txt");
  // Without quotes.
  CHECK(name_of("filename=my report (1).txt") == "my report (1).txt");
  CHECK(name_of("filename=Grüße.txt; size=3") == "Grüße.txt");
  CHECK(name_of("filename = \"a.txt\" ;") == "a.txt");
  CHECK(name_of("filename=a\"b") == codes::upload_malformed);
  CHECK(name_of("filename=") == codes::upload_malformed);
  // A name that is percent-encoded whole cannot be told from one with percent signs in it.
  CHECK(name_of("filename=\"a%20b.txt\"") == "a%20b.txt");
}

TEST_CASE("multipart: what is not well-formed is refused, not guessed at") {
  const auto good = file("a", "x");
  const std::string bad[] = {
      "",
      "--b",
      good,
      good + "--b-",
      good + "--b-x",
      "--bx\r\n\r\n",
      "--b\r\n\r\nno head\r\n--b--",
      part("attachment; name=f", "x") + "--b--",
      part("form-data; filename=f", "x") + "--b--",
      part("form-data; name=f; name=g", "x") + "--b--",
      part("form-data; name=f; filename=a; filename=b", "x") + "--b--",
      part("form-data; name=\"f", "x") + "--b--",
      part("form-data; name=f\r\nContent-Disposition: form-data; name=g", "x") + "--b--",
      part("form-data; name=f\r\nContent-Transfer-Encoding: base64", "eA==") + "--b--",
      part("form-data; name=f\r\n folded: x", "x") + "--b--",
      part("form-data; name=f\r\nno field", "x") + "--b--",
      "--b\r\nX: " + std::string(multipart_parser::head_bytes_max, 'x'),
      std::string(2 * multipart_parser::preamble_bytes_max, 'x') + "\r\n" + good + "--b--",
      "--b" + std::string(200, ' ') + "\r\n",
      "--b\nContent-Disposition: form-data; name=f\n\nx\n--b--",
  };
  for (const auto& body : bad)
    for (const std::size_t step : {1ul, 5ul, 1000'000ul}) {
      CAPTURE(body.substr(0, 100));
      CHECK(read(body, step).code == codes::upload_malformed);
    }
  CHECK(read(good + good + good + "--b--", 3, 2).code == codes::upload_too_many);
}

TEST_CASE("multipart: a boundary is taken from the content type, or there is none") {
  const auto of = [](std::string_view type) {
    return multipart_parser::boundary_of(type).value_or("none");
  };
  CHECK(of("multipart/form-data; boundary=abc") == "abc");
  CHECK(of("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"") == "a b");
  CHECK(of("multipart/form-data; boundary=----=_Part_7_12.34;") == "----=_Part_7_12.34");
  CHECK(of("multipart/form-data") == "none");
  CHECK(of("multipart/mixed; boundary=abc") == "none");
  CHECK(of("multipart/form-data; boundary=") == "none");
  CHECK(of("multipart/form-data; boundary=\"a \"") == "none");
  CHECK(of("multipart/form-data; boundary=\"a;b\"") == "none");
  CHECK(of("multipart/form-data; boundary=a; boundary=b") == "none");
  CHECK(of("multipart/form-data; boundary=" + std::string(71, 'x')) == "none");
  CHECK(of("multipart/form-data, boundary=abc") == "none");
}
