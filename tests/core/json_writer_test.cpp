#include "core/json_writer.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "core/utf8.hpp"

using namespace soma;

TEST_CASE("json writer: puts commas between members and nowhere else") {
  std::string out;
  json_writer w(out);
  w.begin_object().field("a", "x").key("b").begin_array().number(1).begin_object().end_object();
  w.null().end_array().field_if("none", "").field_bool("c", false).key("d").raw("[2]");
  w.key("e").raw("").end_object();
  CHECK(out == R"({"a":"x","b":[1,{},null],"c":false,"d":[2],"e":null})");
}

TEST_CASE("json writer: any two bytes become valid JSON of the size that was told") {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      std::string out;
      append_json_escaped(out, text);
      REQUIRE(out.size() == json_escaped_size(text));
      boost::json::error_code ec;
      const auto value = boost::json::parse("\"" + out + "\"", ec);
      REQUIRE_FALSE(ec);
      if (utf8_valid(text)) REQUIRE(std::string_view(value.as_string()) == text);
    }
}

TEST_CASE("json writer: a byte is escaped alike wherever it stands among plain ones") {
  for (int c = 0; c < 256; ++c)
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text = "abcdefghijklmnopqrst", alone, out;
      text[at] = static_cast<char>(c);
      append_json_escaped(alone, {text.data() + at, 1});
      append_json_escaped(out, text);
      REQUIRE(out == text.substr(0, at) + alone + text.substr(at + 1));
      REQUIRE(json_escaped_size(text) == out.size());
    }
}

TEST_CASE("json writer: what is JSON already stays one line") {
  std::string out;
  json_writer(out).begin_object().key("a").raw("{\n\r\n \"b\": [1,\n2]\r}").end_object();
  CHECK(out.find_first_of("\r\n") == std::string::npos);
  CHECK(boost::json::parse(out) == boost::json::parse(R"({"a":{"b":[1,2]}})"));
}
