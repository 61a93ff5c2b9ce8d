#include "tools/mcp/tool_list.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/json_bounds.hpp"
#include "core/json_text.hpp"
#include "tools/mcp/header_parameters.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/message.hpp"
#include "tools/offered_schema.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;

constexpr std::size_t reasons_max = 8;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::tool_name_bytes_max &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == name.npos;
}

void leave_out(tool_list& to, std::string_view name, std::string_view why) {
  ++to.left_out_count;
  if (to.left_out.size() < reasons_max)
    to.left_out.push_back(shown(name, 64) + ": " + shown(why, limits::detail_bytes_max));
}

// Members of these are schemas by name rather than keywords.
bool names_schemas(std::string_view keyword) {
  return keyword == "properties" || keyword == "$defs" || keyword == "definitions" ||
         keyword == "dependentSchemas";
}

bool is_data(std::string_view keyword) {
  return keyword == "enum" || keyword == "const" || keyword == "default" || keyword == "examples";
}

bool is_type(const json::value& value) {
  if (const auto* list = value.if_array())
    return !list->empty() && std::all_of(list->begin(), list->end(), is_type);
  for (const auto* known : {"string", "number", "integer", "boolean", "object", "array", "null"})
    if (value == json::value(known)) return true;
  return false;
}

// Keywords that are none of draft 7, or of another kind there: of an older draft, or a mistake.
void drop_unknown_kinds(json::object& schema) {
  const auto drop_unless = [&](const char* name, auto good) {
    if (const auto* value = schema.if_contains(name); value && !good(*value)) schema.erase(name);
  };
  for (const auto* name : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
    drop_unless(name, [](const json::value& v) { return v.is_number(); });
  drop_unless("multipleOf",
              [](const json::value& v) { return v.is_number() && v.to_number<double>() > 0; });
  for (const auto* name :
       {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
    drop_unless(name, [](const json::value& v) {
      boost::system::error_code ec;
      return v.is_number() && v.to_number<std::int64_t>(ec) >= 0 && !ec;
    });
  drop_unless("required", [](const json::value& v) {
    const auto* list = v.if_array();
    return list && std::all_of(list->begin(), list->end(), [](auto& n) { return n.is_string(); });
  });
  drop_unless("type", is_type);
  drop_unless("enum", [](const json::value& v) { return v.is_array() && !v.get_array().empty(); });
  for (const auto* name : {"anyOf", "oneOf", "allOf"})
    drop_unless(name, [](const json::value& v) { return v.is_array() && !v.get_array().empty(); });
  for (const auto* name : {"properties", "dependencies"})
    drop_unless(name, [](const json::value& v) { return v.is_object(); });
  const auto schemas = [](const json::value& v) { return v.is_object() || v.is_bool(); };
  for (const auto* name :
       {"additionalProperties", "additionalItems", "contains", "not", "if", "then", "else"})
    drop_unless(name, schemas);
  drop_unless("items", [&](const json::value& v) { return schemas(v) || v.is_array(); });
  if (const auto* flag = schema.if_contains("nullable"); flag && *flag == json::value(true)) {
    schema.erase("type");  // of OpenAPI
    schema.erase("enum");
  }
}

void simplify(json::value& at) {
  if (auto* list = at.if_array()) {
    for (auto& one : *list) simplify(one);
    return;
  }
  auto* schema = at.if_object();
  if (!schema) return;
  if (schema->contains("$ref") || schema->contains("$dynamicRef") ||
      schema->contains("$recursiveRef")) {
    schema->clear();
    return;
  }
  drop_unknown_kinds(*schema);
  schema->erase("uniqueItems");  // each with each
  if (schema->erase("patternProperties") > 0) schema->erase("additionalProperties");
  schema->erase("pattern");
  schema->erase("format");
  // Names and documents of schemas: what they would be looked up by.
  for (const auto* name : {"$schema", "$id", "id", "$anchor", "unevaluatedProperties",
                           "unevaluatedItems", "propertyNames", "$vocabulary"})
    schema->erase(name);
  for (auto& [keyword, value] : *schema) {
    if (is_data(keyword)) continue;
    if (!names_schemas(keyword)) {
      simplify(value);
    } else if (auto* named = value.if_object()) {
      for (auto& [name, one] : *named) simplify(one);
    }
  }
}

std::string description_of(const json::object& from) {
  auto text = text_of(from, "description");
  if (text.size() <= limits::description_bytes_max) return text;
  return std::string(shown(text, limits::description_bytes_max - 4)) + " […]";
}

std::string title_of(const json::object& from, const std::string& name) {
  auto title = text_of(from, "title");
  if (const auto* notes = from.if_contains("annotations"); title.empty() && notes)
    if (const auto* object = notes->if_object()) title = text_of(*object, "title");
  return title.empty() ? name : shown(title, limits::title_bytes_max);
}

// Many a schema leaves its type out, or names it among others.
bool takes_objects(const json::object& schema) {
  const auto* type = schema.if_contains("type");
  if (!type) return true;
  const auto* list = type->if_array();
  return list ? std::find(list->begin(), list->end(), json::value("object")) != list->end()
              : *type == json::value("object");
}

// Servers that know no cursors list all their tools again with the next one.
bool is_known(const tool_list& in, const listed_tool& tool) {
  return std::any_of(in.tools.begin(), in.tools.end(), [&](const listed_tool& known) {
    return known.name == tool.name && known.description == tool.description &&
           known.inputs_json == tool.inputs_json;
  });
}

// Empty where the tool was taken, or is there already.
std::string take(tool_list& to, const json::object& from, const std::string& name, bool over_http) {
  if (!is_name(name)) return "its name is not 1 to 91 letters, digits, . _ and -";
  listed_tool tool;
  const auto* inputs = from.if_contains("inputSchema");
  // Of a tool without inputs some leave it out.
  const bool anything = !inputs || inputs->is_null() || (inputs->is_bool() && inputs->get_bool());
  if (!anything && !inputs->is_object()) return "its schema for its inputs is none";
  const auto schema = anything ? json::object{{"type", "object"}} : inputs->get_object();
  if (!takes_objects(schema)) return "its inputs are no object";
  tool.inputs_json = json::serialize(schema);
  if (tool.inputs_json.size() > input_schema::schema_bytes_max) return "its schema is too long";
  auto compiled = input_schema::compile(judged_schema(tool.inputs_json));
  if (!compiled) return compiled.error().detail;
  tool.inputs = std::move(*compiled);
  tool.offered_json = offered_schema(tool.inputs_json);
  auto headers = header_parameters_of(schema);
  if (over_http && !headers) return headers.error().detail;
  if (over_http) tool.headers = std::move(*headers);
  const auto* outputs = from.if_contains("outputSchema");
  if (outputs && outputs->is_object()) tool.outputs_json = json::serialize(*outputs);
  if (tool.outputs_json.empty() || tool.outputs_json.size() > input_schema::schema_bytes_max)
    tool.outputs_json = "{}";
  tool.name = name;
  tool.title = title_of(from, name);
  tool.description = description_of(from);
  if (to.names.count(name)) return is_known(to, tool) ? "" : "it is listed twice";
  to.names.insert(name);
  to.tools.push_back(std::move(tool));
  return {};
}

}  // namespace

std::string judged_schema(std::string_view schema_json) {
  json::parse_options options;
  options.max_depth = input_schema::depth_max;
  boost::system::error_code ec;
  auto value = parse_foreign_json(schema_json, ec, options);
  if (ec) return std::string(schema_json);  // whoever compiles it says what is wrong
  simplify(value);
  return json::serialize(value);
}

bool add_page(tool_list& to, json::object& page, bool over_http) {
  auto* list = page.if_contains("tools");
  if (!list || !list->is_array()) return true;
  for (const auto& one : list->get_array()) {
    if (to.tools.size() + to.left_out_count >= limits::tools_max) return false;
    if (!one.is_object()) {
      leave_out(to, "?", "it is no object");
      continue;
    }
    const auto name = text_of(one.get_object(), "name");
    if (const auto why = take(to, one.get_object(), name, over_http); !why.empty())
      leave_out(to, name, why);
  }
  return true;
}

}  // namespace soma::tools::mcp
