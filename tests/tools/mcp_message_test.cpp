// Messages of MCP servers, the tools they list and the results they give: what is believed of them.
#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "tools/mcp/header_parameters.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/message.hpp"
#include "tools/mcp/tool_list.hpp"
#include "tools/mcp/tool_result.hpp"
#include "tools/provider_name.hpp"

using namespace soma;
using namespace soma::tools;
using namespace soma::tools::mcp;
namespace json = boost::json;

namespace {

json::object object(std::string_view text) {
  json::parse_options options;
  options.max_depth = limits::message_depth_max;
  return json::parse({text.data(), text.size()}, {}, options).as_object();
}

tool_list listed(std::string_view tools, bool over_http = false) {
  tool_list out;
  auto page = object(R"({"tools":)" + std::string(tools) + "}");
  REQUIRE(add_page(out, page, over_http));
  return out;
}

}  // namespace

TEST_CASE("mcp messages: answers, failures, requests and notifications are told apart") {
  const auto one = [](std::string_view text) { return read_messages(text).value().at(0); };
  CHECK(one(R"({"jsonrpc":"2.0","id":7,"result":{}})").what == incoming::kind::response);
  CHECK(one(R"({"jsonrpc":"2.0","id":7,"result":{}})").id == 7);
  const auto failure =
      one(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"a\nb"}})");
  CHECK(failure.what == incoming::kind::failure);
  CHECK_FALSE(failure.id);
  CHECK(failure.code == revision_unsupported);
  CHECK(failure.message == "a b");
  CHECK(one(R"({"jsonrpc":"2.0","id":"x","method":"ping"})").id_json == "\"x\"");
  CHECK(one(R"({"jsonrpc":"2.0","method":"m"})").what == incoming::kind::notification);
  CHECK_FALSE(one(R"({"jsonrpc":"2.0","id":-1,"result":{}})").id);
  CHECK(one(R"({"jsonrpc":"2.0","id":"1","result":{}})").id == 1);  // ours, made text of
  CHECK(one(R"({"jsonrpc":"2.0","id":"12","error":{"code":1}})").id == 12);
  for (const std::string id : {"\"x\"", "\"1x\"", "\"\"", "\"-1\"", "\" 1\"", "1.5", "{}", "true"})
    CHECK_FALSE(one(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})").id);
  CHECK(
      read_messages(R"([{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}])")->size() ==
      2);
}

TEST_CASE("mcp messages: what is no message is refused") {
  for (const std::string text :
       {"", "banner", "[]", "7", "{}", R"({"jsonrpc":"2.0"})", R"({"jsonrpc":"1.0","method":"m"})",
        R"({"jsonrpc":"2.0","id":1})", R"({"jsonrpc":"2.0","id":1,"error":7})",
        R"({"jsonrpc":"2.0","method":7})", R"({"jsonrpc":"2.0","id":{},"method":"m"})"}) {
    CAPTURE(text);
    CHECK_FALSE(read_messages(text).has_value());
  }
  CHECK_FALSE(read_messages(std::string(200'000, '[')).has_value());
  CHECK_FALSE(read_messages(std::string(limits::message_bytes_max + 1, ' ')).has_value());
}

TEST_CASE("mcp messages: each revision has its own metadata") {
  message_writer writer("1.2.3");
  auto modern = object(writer.request(1, "tools/list").json);
  CHECK(modern.at("params").at("_meta").at("io.modelcontextprotocol/protocolVersion") ==
        "2026-07-28");
  writer.speak("2025-11-25");
  CHECK(writer.request(2, "tools/list").json ==
        R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})");
  auto call = object(writer.request(3, "tools/call", {{"name", "t"}}, true).json);
  CHECK(call.at("params").at("_meta") == json::value{{"progressToken", 3}});
  CHECK(object(writer.initialize(4).json).at("params").at("capabilities") == json::object());
}

TEST_CASE("mcp tools: what does not fit is left out with its reason") {
  const auto list = listed(R"([
    {"name":"ok","inputSchema":{"type":"object"}},
    {"name":"ok","description":"another","inputSchema":{"type":"object"}},
    {"name":"a b","inputSchema":{"type":"object"}},
    {"name":"no_schema","inputSchema":7},
    {"name":"list","inputSchema":{"type":"array"}},
    7])");
  CHECK(list.tools.size() == 1);
  CHECK(list.left_out_count == 5);
  CHECK(list.left_out.at(0) == "ok: it is listed twice");
}

TEST_CASE("mcp tools: one without a schema for its inputs takes any object") {
  const auto list = listed(R"([{"name":"a"},{"name":"b","inputSchema":null}])");
  CHECK(list.left_out_count == 0);
  REQUIRE(list.tools.size() == 2);
  for (const auto& tool : list.tools) {
    CHECK(tool.inputs_json == R"({"type":"object"})");
    CHECK(tool.inputs.read("{}").has_value());
    CHECK_FALSE(tool.inputs.read("[]").has_value());
  }
}

TEST_CASE("mcp tools: the same tool again is the one that is there") {
  const auto list = listed(R"([{"name":"a","description":"d"},{"name":"a","description":"d"}])");
  CHECK(list.tools.size() == 1);
  CHECK(list.left_out_count == 0);
}

TEST_CASE("mcp tools: huge and deep schemas and long descriptions cost nothing") {
  std::string deep = R"({"type":"object","properties":{"a":)";
  for (int i = 0; i < 40; ++i) deep += R"({"items":)";
  deep += "{}" + std::string(40, '}') + "}}";
  CHECK(listed(R"([{"name":"t","inputSchema":)" + deep + "}]").tools.empty());
  const std::string huge(100'000, 'x');
  CHECK(listed(R"([{"name":"t","inputSchema":{"type":"object","title":")" + huge + R"("}}])")
            .tools.empty());
  const auto list =
      listed(R"([{"name":"t","description":")" + huge + R"(","inputSchema":{"type":"object"}}])");
  CHECK(list.tools.at(0).description.size() <= limits::description_bytes_max + 8);
}

TEST_CASE("mcp tools: regular expressions and references are not judged by") {
  // The first would take longer than the universe lasts, the second has no end.
  const auto list = listed(R"([{"name":"t","inputSchema":{"type":"object","required":["pattern"],
    "properties":{"pattern":{"type":"string","pattern":"^(a+)+$"},"again":{"$ref":"#/$defs/x"}},
    "$defs":{"x":{"allOf":[{"$ref":"#/$defs/x"}]}}}}])");
  REQUIRE(list.tools.size() == 1);
  const auto& inputs = list.tools[0].inputs;
  const auto takes = [&](const std::string& text) { return inputs.read(text).has_value(); };
  CHECK(takes(R"({"pattern":")" + std::string(60, 'a') + R"(!","again":{"again":1}})"));
  CHECK_FALSE(takes(R"({"pattern":7})"));
  CHECK_FALSE(takes("{}"));
  CHECK(list.tools[0].inputs_json.find("(a+)+") != std::string::npos);  // the model reads it all
}

TEST_CASE("mcp tools: more than the limit is a fault of the list") {
  tool_list out;
  std::string many = "[0";
  for (std::size_t i = 0; i < limits::tools_max; ++i) many += ",0";
  auto page = object(R"({"tools":)" + many + "]}");
  CHECK_FALSE(add_page(out, page, false));
}

TEST_CASE("mcp headers: annotated parameters are repeated, encoded where they are not plain") {
  const auto found = header_parameters_of(object(R"({"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "deep":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}})"));
  REQUIRE(found.has_value());
  const auto headers = headers_of(*found, object(R"({"region":" x","deep":{"n":42.0}})"));
  REQUIRE(headers.size() == 2);
  CHECK(headers[0] == std::pair<std::string, std::string>("Mcp-Param-Region", "=?base64?IHg=?="));
  CHECK(headers[1] == std::pair<std::string, std::string>("Mcp-Param-N", "42"));
  CHECK(headers_of(*found, object(R"({"region":null,"deep":7})")).empty());
  CHECK(header_value("plain text") == "plain text");
  CHECK(header_value("Hello, 世界") == "=?base64?SGVsbG8sIOS4lueVjA==?=");
  CHECK(header_value("line1\nline2") == "=?base64?bGluZTEKbGluZTI=?=");
  CHECK(header_value("=?base64?literal?=") == "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
}

TEST_CASE("mcp headers: an annotation that is not allowed makes the tool one that is left out") {
  for (const std::string schema :
       {R"({"type":"object","x-mcp-header":"A"})",
        R"({"properties":{"a":{"type":"string","x-mcp-header":""}}})",
        R"({"properties":{"a":{"type":"string","x-mcp-header":"a b"}}})",
        R"({"properties":{"a":{"type":"string","x-mcp-header":"a\r\nb"}}})",
        R"({"properties":{"a":{"type":"number","x-mcp-header":"A"}}})",
        R"({"properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}})",
        R"({"properties":{"a":{"type":"string","x-mcp-header":"A"},
                          "b":{"type":"string","x-mcp-header":"a"}}})"}) {
    CAPTURE(schema);
    CHECK_FALSE(header_parameters_of(object(schema)).has_value());
  }
}

TEST_CASE("mcp results: text is joined, structure kept, the rest described") {
  const auto good = outcome_of(object(R"({"content":[{"type":"text","text":"a"},
    {"type":"image","mimeType":"image/png","data":"AAAAAAAA"},{"type":"odd"},7,
    {"type":"resource","resource":{"uri":"f://x","text":"t"}}],"structuredContent":[1]})"));
  CHECK(good.status == "success");
  const auto output = object(good.output_json);
  CHECK(output.at("text") == "a\n[image image/png, 6 bytes]\n[odd content]\n[f://x]\nt");
  CHECK(output.at("structured") == json::array{1});
}

TEST_CASE("mcp results: numbers of structured content are kept to the letter, or the call failed") {
  const auto read = read_messages(
      R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"wei": 100000000000000000000,"n":1e400}}})");
  REQUIRE(read.has_value());
  const auto& answer = read->front();
  CHECK(outcome_of(answer.body, answer.structured_json).output_json ==
        R"({"text":"","structured":{"wei":100000000000000000000,"n":1e400}})");
  CHECK(outcome_of(answer.body).error->code == codes::tool_failed);  // no text of it at hand
}

TEST_CASE(
    "mcp results: errors, missing content and input that cannot be given are failed outcomes") {
  const auto said =
      outcome_of(object(R"({"isError":true,"content":[{"type":"text","text":"no"}]})"));
  CHECK(said.status == "error");
  CHECK(said.error->detail == "no");
  CHECK(object(said.output_json).at("text") == "no");
  CHECK(outcome_of({}).status == "error");
  CHECK(outcome_of(object(R"({"content":{}})")).status == "error");
  CHECK(outcome_of(object(R"({"resultType":"input_required","content":[]})")).status == "error");
  CHECK(outcome_of(object(R"({"resultType":"new","content":[]})")).status == "error");
}

TEST_CASE("provider names: ids of the catalog have names of their own, which providers take") {
  CHECK(provider_name("echo") == "echo");
  CHECK(provider_name("code_execute") == "code_execute");
  CHECK(provider_name("mcp.files.read_file") == "mcp__files__read_file");
  // A server may not choose the name that another tool's long one is cut to.
  const auto cut = provider_name("mcp.s.a__b");
  CHECK(provider_name("mcp.s." + cut.substr(8)) != cut);
  const std::string all[] = {"a.b",
                             "a__b",
                             "a._b",
                             "a_.b",
                             "a..b",
                             "a___b",
                             "a b",
                             std::string(70, 'x'),
                             std::string(71, 'x')};
  std::set<std::string> names;
  for (const auto& id : all) {
    const auto name = provider_name(id);
    CAPTURE(id);
    CHECK(name.size() <= provider_name_bytes_max);
    CHECK(name.find_first_not_of(
              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == name.npos);
    CHECK(names.insert(name).second);
  }
}
