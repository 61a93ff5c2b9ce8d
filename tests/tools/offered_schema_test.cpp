// Schemas as tools have them, and what providers of models are told.
#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "tools/offered_schema.hpp"

using namespace soma::tools;
namespace json = boost::json;

namespace {

json::object offered(std::string_view schema) {
  return json::parse(offered_schema(schema)).as_object();
}

json::object parsed(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

// What OpenAI, Anthropic, Gemini or llama.cpp were seen to refuse.
void check_taken(const json::value& value, bool root = true) {
  REQUIRE(value.is_object());
  const auto& schema = value.get_object();
  CAPTURE(json::serialize(schema));
  if (root) {
    CHECK(schema.at("type") == "object");
    CHECK(schema.at("properties").is_object());
    for (const auto* name : {"anyOf", "oneOf", "allOf", "enum"}) CHECK_FALSE(schema.contains(name));
  }
  for (const auto* name : {"$ref", "$defs", "definitions", "$schema", "$id", "pattern", "const",
                           "prefixItems", "patternProperties", "if", "not"})
    CHECK_FALSE(schema.contains(name));
  if (const auto* type = schema.if_contains("type"); type && *type == "array")
    CHECK(schema.at("items").is_object());
  if (const auto* required = schema.if_contains("required"))
    for (const auto& name : required->as_array())
      CHECK(schema.at("properties").as_object().contains(name.as_string()));
  if (const auto* properties = schema.if_contains("properties"))
    for (const auto& one : properties->as_object()) check_taken(one.value(), false);
  if (const auto* items = schema.if_contains("items")) check_taken(*items, false);
  for (const auto* name : {"anyOf", "oneOf", "allOf"})
    if (const auto* list = schema.if_contains(name))
      for (const auto& one : list->as_array()) check_taken(one, false);
}

}  // namespace

TEST_CASE("offered schemas: what a provider takes is offered as it is") {
  const auto schema = parsed(R"({"type":"object","description":"d","properties":{
    "a":{"type":"string","description":"x","minLength":1},
    "b":{"type":["array","null"],"items":{"enum":["u","v"]}},
    "c":{"anyOf":[{"type":"integer"},{"type":"null"}]},
    "d":{"type":"object","additionalProperties":{"type":"number"}}},
    "required":["a"],"additionalProperties":false})");
  CHECK(offered(json::serialize(schema)) == schema);
}

TEST_CASE("offered schemas: each draft's ways and each mistake become what providers take") {
  for (const std::string schema :
       {R"({"type":"object"})",
        R"({})",
        "true",
        "not json",
        "[]",
        R"({"type":["object"]})",
        R"({"type":["object","null"]})",
        R"({"properties":{"a":{"type":"array"}}})",
        R"({"properties":null,"required":["x"]})",
        R"({"properties":{"a":true,"b":false}})",
        R"({"properties":{"a":{"type":"array","items":[{"type":"string"},{"type":"number"}]}}})",
        R"({"properties":{"a":{"type":"array","prefixItems":[true],"items":false}}})",
        R"({"properties":{"a":{"type":["array","null"]}}})",
        R"({"properties":{"a":{"type":"str"},"b":{"type":"any"},"c":{"type":"Dict"}}})",
        R"({"properties":{"a":{"type":"string","required":true}}})",
        R"({"properties":{"a":{"type":"number","minimum":"0","exclusiveMinimum":true}}})",
        R"({"properties":{"a":{"enum":[]},"b":{"const":3},"c":{"pattern":"(?<=x)y"}}})",
        R"({"anyOf":[{"properties":{"a":{}},"required":["a"]},{"required":["b"]}]})",
        R"({"allOf":[{"properties":{"a":{}},"required":["a"]}],"if":{},"then":{}})",
        R"({"$ref":"#/definitions/A","definitions":{"A":{"type":"object","properties":{}}}})",
        R"({"properties":{"a":{"$ref":"https://elsewhere.example/s.json"}}})",
        R"({"$defs":{"N":{"properties":{"next":{"$ref":"#/$defs/N"}}}},"$ref":"#/$defs/N"})",
        R"({"patternProperties":{"^x":{}},"additionalProperties":false})",
        R"({"$schema":"http://json-schema.org/draft-07/schema#","$id":"x","type":"object"})"}) {
    CAPTURE(schema);
    check_taken(offered(schema));
  }
}

TEST_CASE("offered schemas: references are put in their places, with what stands beside them") {
  const auto made = offered(R"({"type":"object","properties":{
      "to":{"$ref":"#/$defs/a~1b","description":"whom"},"all":{"items":{"$ref":"#/$defs/a~1b"}}},
    "$defs":{"a/b":{"type":"string","description":"an address","enum":["x"]}}})");
  CHECK(made.at("properties").at("to") ==
        parsed(R"({"type":"string","description":"whom","enum":["x"]})"));
  CHECK(made.at("properties").at("all").at("items").at("description") == "an address");
}

TEST_CASE("offered schemas: alternatives at the root lend it their properties") {
  const auto made = offered(R"({"oneOf":[
      {"type":"object","properties":{"id":{"type":"string"},"x":{}},"required":["id","x"]},
      {"type":"object","properties":{"id":{"type":"string"},"y":{}},"required":["id","y"]}]})");
  CHECK(made.at("properties").as_object().size() == 3);
  CHECK(made.at("required") == json::array{"id"});
}

TEST_CASE("offered schemas: a draft-4 bound and a pattern are told in another way") {
  const auto made = offered(R"({"properties":{
      "n":{"type":"number","minimum":2,"exclusiveMinimum":true},
      "s":{"type":"string","description":"A code.","pattern":"^[A-Z]+$"}}})");
  CHECK(made.at("properties").at("n") == parsed(R"({"type":"number","exclusiveMinimum":2})"));
  CHECK(made.at("properties").at("s").at("description") == "A code. (must match ^[A-Z]+$)");
}

TEST_CASE("offered schemas: references that multiply are bounded in values and bytes") {
  std::string schema = R"({"type":"object","$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 20; ++i) {
    const auto next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + R"("})";
    schema += "\"d" + std::to_string(i) + R"(":{"properties":{"a":)" + next + R"(,"b":)" + next +
              R"(,"c":)" + next + "}},";
  }
  schema += R"("d20":{"description":")" + std::string(30'000, 'x') + R"("}}})";
  const auto made = offered_schema(schema);
  CHECK(made.size() < 2 * offered_bytes_max + 30'000 + 60 * offered_values_max);
  check_taken(json::parse(made));
}
