// What servers write who do not keep to the letter: it is read where it has one meaning, and where
// it has none, whoever waits for it is told at once.
#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "core/utf8.hpp"
#include "tools/mcp/lenient_json.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/message.hpp"
#include "tools/mcp/tool_list.hpp"
#include "tools/mcp/tool_result.hpp"

using namespace soma;
using namespace soma::tools;
using namespace soma::tools::mcp;
namespace json = boost::json;

namespace {

std::string text_in(const std::string& written) {
  const auto read = read_messages(R"({"jsonrpc":"2.0","id":1,"result":{"t":)" + written + "}}");
  if (!read) return "unreadable";
  const auto& value = read->at(0).body.at("t");
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

json::object result_of(const std::string& result) {
  const auto outcome = outcome_of(json::parse(result).as_object());
  return {{"status", outcome.status},
          {"output", json::parse(outcome.output_json.empty() ? "{}" : outcome.output_json)}};
}

}  // namespace

TEST_CASE("mcp messages: text that is none is mended, and keeps all else") {
  CHECK(text_in(R"("a \ud83d")") == "a \xef\xbf\xbd");
  CHECK(text_in(R"("\ude00 b")") == "\xef\xbf\xbd b");
  CHECK(text_in(R"("\ud83d\ud83d\ude00")") == "\xef\xbf\xbd\xf0\x9f\x98\x80");
  CHECK(text_in(R"("\ud83d\n")") == "\xef\xbf\xbd\n");
  CHECK(text_in("\"Gr\xfc\xdf\"") == "Gr\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(text_in("\"a\tb\x1b[0m\"") == "a\tb\x1b[0m");
  CHECK(text_in(R"("C:\path \"q\" \\")") == "C:\\path \"q\" \\");
  CHECK(text_in(R"("NaN, Infinity \ud800")") == "NaN, Infinity \xef\xbf\xbd");
  CHECK(text_in("NaN") == "null");
  CHECK(text_in(R"([1, -Infinity, "x"])") == R"([1,null,"x"])");
  CHECK(read_messages("\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"method\":\"m\"}").has_value());
  CHECK(text_in(R"("not closed)") == "unreadable");
}

TEST_CASE("mcp messages: members of other kinds of message that are null are not there") {
  const auto read = read_messages(R"({"id":4,"method":null,"error":null,"result":{}})");
  REQUIRE(read.has_value());
  CHECK(read->at(0).what == incoming::kind::response);
  CHECK(read->at(0).id == 4);
}

TEST_CASE("mcp messages: whose answer it is can be made out where it cannot be read") {
  CHECK(answered_id(R"({"jsonrpc":"2.0","id":12,"result":{"content":[)") == 12);
  CHECK(answered_id(R"({"result":{"id":3,"x":"\"id\":4"}, "id" : 5, broken)") == 5);
  CHECK(answered_id(R"({"id":"12","result":{)") == 12);
  CHECK_FALSE(answered_id(R"({"id":"x","result":{)").has_value());
  CHECK_FALSE(answered_id(R"({"id":7,"method":"ping","params":{)").has_value());
  CHECK_FALSE(answered_id(R"({"result":{"id":3}})").has_value());
  for (const std::string text : {"", "{", "\"", "\"id", "{\"id\"", "{\"id\":", "{\"\\", "}}}]"})
    CHECK_FALSE(answered_id(text).has_value());
}

TEST_CASE("mcp results: a result that is text, or one part, or a list of texts is its content") {
  CHECK(result_of(R"({"content":"hello"})").at("output").at("text") == "hello");
  CHECK(result_of(R"({"content":{"type":"text","text":"one"}})").at("output").at("text") == "one");
  CHECK(result_of(R"({"content":["a",{"type":"text","text":7},{"text":"c"},null]})")
            .at("output")
            .at("text") == "a\n7\nc");
  CHECK(result_of(R"({"content":[{"type":"chart","data":{}}]})").at("output").at("text") ==
        "[chart content]");
  CHECK(result_of(R"({"content":null,"structuredContent":null})").at("status") == "error");
  CHECK(result_of(R"({"content":null,"structuredContent":{"a":1}})").at("status") == "success");
  const auto bare = read_messages(R"({"jsonrpc":"2.0","id":1,"result":"plain"})");
  REQUIRE(bare.has_value());
  CHECK(outcome_of(bare->at(0).body).output_json == R"({"text":"plain"})");
}

TEST_CASE("mcp results: whatever says error is one") {
  for (const std::string flag : {"true", "\"true\"", "1"})
    CHECK(result_of(R"({"content":[],"isError":)" + flag + "}").at("status") == "error");
  for (const std::string flag : {"false", "null", "0", "\"\"", "\"false\""})
    CHECK(result_of(R"({"content":[],"isError":)" + flag + "}").at("status") == "success");
}

TEST_CASE("mcp tools: schemas of each draft are taken, and judged by what they mean") {
  const auto list = [](const std::string& schema) {
    tool_list out;
    auto page = json::parse(R"({"tools":[{"name":"t","inputSchema":)" + schema + "}]}").as_object();
    CHECK(add_page(out, page, false));
    return out;
  };
  for (const std::string schema :
       {"true", "{}", R"({"properties":{"n":{"type":"integer"}}})",
        R"({"type":["object","null"],"properties":{"n":{"type":"integer"}}})",
        R"({"type":"object","properties":{"n":{"minimum":0,"exclusiveMinimum":true}}})",
        R"({"type":"object","properties":{"n":{"type":"integer","required":true}}})",
        R"({"type":"object","properties":{"n":{"type":"any"},"b":true,"c":false}})",
        R"({"type":"object","properties":{"n":{"minimum":"0","enum":[],"maxLength":-1}}})",
        R"({"type":"object","properties":{"n":{"type":"integer","nullable":true}}})",
        R"({"type":"object","properties":{"l":{"items":[{"type":"string"}],"prefixItems":[{}]}}})",
        R"({"type":"object","required":"n","properties":{"n":{}},"anyOf":[]})"}) {
    CAPTURE(schema);
    const auto found = list(schema);
    CAPTURE(found.left_out.empty() ? "" : found.left_out[0]);
    REQUIRE(found.tools.size() == 1);
    CHECK(found.tools[0].inputs.read(R"({"n":3})").has_value());
    CHECK(json::parse(found.tools[0].offered_json).at("properties").is_object());
  }
  CHECK(list(R"({"type":"array"})").tools.empty());
  CHECK(list("false").tools.empty());
  CHECK(list("[]").tools.empty());
}
