// The quick judgement of bodies beside the validator's: over the schemas of all routes and bodies
// that are made from them, right, nearly right and wrong.
#include "http/net/quick_schema.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

namespace json = boost::json;
using soma::http::quick_schema;
using valijson::adapters::BoostJsonAdapter;

namespace {

struct validator {
  explicit validator(const json::value& document) {
    valijson::SchemaParser parser;
    parser.populateSchema(BoostJsonAdapter(document), schema);
  }
  bool accepts(const json::value& body) {
    valijson::Validator v;
    return v.validate(schema, BoostJsonAdapter(body), nullptr);
  }
  valijson::Schema schema;
};

// Values that a schema may or may not take.
struct maker {
  std::mt19937_64 random;

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random() % n); }
  bool once_in(std::size_t n) { return below(n) == 0; }

  std::string text(std::size_t length) {
    static const std::vector<std::string> characters{"a", "z",  "0", "9", "F",      "-", "_",  ".",
                                                     "A", "\n", " ", ":", "\u00e9", "/", "\"", "~"};
    std::string out;
    for (std::size_t i = 0; i < length; ++i)
      out += characters[once_in(4) ? below(characters.size()) : below(4)];
    return out;
  }

  json::value any() {
    switch (below(8)) {
      case 0: return nullptr;
      case 1: return once_in(2);
      case 2: return static_cast<std::int64_t>(random());
      case 3: return random();
      case 4: return static_cast<double>(below(1000)) / 7;
      case 5: return json::array{1, "a"};
      case 6: return json::object{{"a", 1}};
      default: return json::string(text(below(8)));
    }
  }

  json::value string_of(const json::object& s) {
    static const std::vector<std::string> likely{"00000000-0000-4000-8000-00000000abcd",
                                                 "http://h/p",
                                                 "2026-01-31T12:00:00Z",
                                                 "2026-01-31T12:00:00.123Z",
                                                 "name.of_it-1",
                                                 "soma",
                                                 ""};
    if (const auto* words = s.if_contains("enum"); words && !once_in(8)) {
      const auto& all = words->as_array();
      return all[below(all.size())];
    }
    if (!once_in(3)) return json::string(likely[below(likely.size())]);
    std::size_t length = below(12);
    if (const auto* most = s.if_contains("maxLength"); most && once_in(3))
      length =
          static_cast<std::size_t>(std::min<std::int64_t>(most->as_int64(), 400)) + below(3) - 1;
    return json::string(text(length));
  }

  json::value of(const json::value& schema) {
    const auto* s = schema.if_object();
    if (!s || once_in(25)) return any();
    const auto* type = s->if_contains("type");
    std::string name = "any";
    if (type && type->is_string()) name = std::string(type->as_string());
    if (type && type->is_array())
      name = std::string(type->as_array()[below(type->as_array().size())].as_string());
    if (name == "string") return string_of(*s);
    if (name == "boolean") return once_in(2);
    if (name == "null") return nullptr;
    if (name == "integer" || name == "number") {
      const auto* bound = s->if_contains(once_in(2) ? "minimum" : "maximum");
      if (bound && bound->is_int64())
        return bound->as_int64() + static_cast<std::int64_t>(below(3)) - 1;
      if (bound && bound->is_double()) return bound->as_double() + (once_in(2) ? 0.5 : -0.5);
      return once_in(3) ? json::value(1.5) : json::value(static_cast<std::int64_t>(below(100)));
    }
    if (name == "array") {
      json::array out;
      const auto* items = s->if_contains("items");
      const auto* most = s->if_contains("maxItems");
      auto count = below(4);
      if (most && once_in(10))
        count = static_cast<std::size_t>(std::min<std::int64_t>(most->as_int64(), 100)) + below(2);
      for (; count > 0; --count) out.push_back(items ? of(*items) : any());
      return out;
    }
    if (name != "object") return any();
    json::object out;
    const auto* required = s->if_contains("required");
    const auto needs = [required](json::string_view member) {
      if (required)
        for (const auto& one : required->as_array())
          if (one.as_string() == member) return true;
      return false;
    };
    if (const auto* properties = s->if_contains("properties"))
      for (const auto& one : properties->as_object())
        if (needs(one.key()) ? !once_in(20) : once_in(3)) out[one.key()] = of(one.value());
    if (once_in(15)) out["not_known"] = any();
    return out;
  }
};

json::value schema_in(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return json::parse(text.str());
}

const std::filesystem::path schemas = std::filesystem::path(SOMA_SOURCE_DIR) / "schemas/requests";

void compare(const json::value& document, const std::string& name, std::size_t bodies) {
  validator slow(document);
  const quick_schema quick(document);
  maker make{std::mt19937_64(bodies)};
  for (std::size_t i = 0; i < bodies; ++i) {
    const auto body = make.of(document);
    if (!quick.accepts(body)) continue;
    CAPTURE(name);
    CAPTURE(json::serialize(body));
    REQUIRE(slow.accepts(body));
  }
}

}  // namespace

TEST_CASE("quick schema: what it accepts, the validator accepts, over all routes") {
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(schemas)) {
    compare(schema_in(file.path()), file.path().filename(), 4'000);
    ++files;
  }
  CHECK(files > 20);
}

TEST_CASE("quick schema: the bodies that come most are accepted at once") {
  const auto accepts = [](const char* name, const char* body) {
    return quick_schema(schema_in(schemas / (std::string(name) + ".schema.json")))
        .accepts(json::parse(body));
  };
  CHECK(accepts("append_event", R"({"name":"bench.one","data":{"a":[1,2.5,null]}})"));
  CHECK(accepts("send_message", R"({"message":"how are you?"})"));
  CHECK(
      accepts("send_session_message",
              R"({"content":"hm","attachments":[{"id":"00000000-0000-4000-8000-00000000abcd"}]})"));
  CHECK_FALSE(accepts("send_session_message", R"({"content":"hm","message":"hm"})"));
  CHECK(accepts("request_tool", R"({"session_id":"00000000-0000-4000-8000-00000000abcd",)"
                                R"("tool_id":"echo","inputs":{"text":"a"}})"));
}

TEST_CASE("quick schema: keywords by themselves, at their bounds") {
  for (
      const char* schema :
      {R"({"type":"string","minLength":2,"maxLength":4})",
       R"({"type":"integer","minimum":1,"maximum":3})",
       R"({"type":["number","null"],"maximum":2.5})",
       R"({"enum":["a","b"]})",
       R"({"type":"array","minItems":1,"maxItems":2,"items":{"type":"boolean"}})",
       R"({"type":"object","minProperties":1,"maxProperties":1})",
       R"({"type":"string","pattern":"^[a-f]{2,3}x?$"})",
       R"({"type":"string","pattern":"^a|b$"})",
       R"({"type":"string","pattern":"^[a-]*[^b]$"})",
       R"({"type":"string","pattern":"^a+a$"})",
       R"({"type":"string","pattern":"a"})",
       R"({"const":1})",
       R"({"oneOf":[{"type":"string"}]})",
       R"({"type":"integer","maximum":9007199254740993})",
       R"({"type":"object","required":["b"],"properties":{"a":{}}})",
       R"({"type":"object","required":["a","a"],"properties":{"a":{}}})",
       R"({"oneOf":[{"required":["a"]},{"required":["b","c"]}],"properties":{"a":{},"b":{},"c":{}}})",
       R"({"oneOf":[{"required":["a"]},{"type":"object"}],"properties":{"a":{}}})",
       R"({"type":"array","uniqueItems":true})",
       R"({"not":{}})",
       "true",
       "false"})
    if (json::parse(schema).is_object()) compare(json::parse(schema), schema, 4'000);
  CHECK_FALSE(quick_schema().accepts({}));
}
