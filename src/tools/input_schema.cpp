#include "tools/input_schema.hpp"

#include <boost/json.hpp>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_proof.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;
using valijson::adapters::BoostJsonAdapter;

constexpr std::size_t described_max = 3;
// Values of the inputs times values of the schema: about what judging takes, for a schema that does
// not refer to itself. Past the first they are not judged, past the second not told in detail: the
// validator keeps an error for every alternative that does not fit.
constexpr std::size_t work_max = 1'000'000, described_work_max = 50'000;

// Recursion is bounded by the depth that the parser takes.
std::size_t count(const json::value& of) {
  std::size_t n = 1;
  if (const auto* list = of.if_array())
    for (const auto& one : *list) n += count(one);
  if (const auto* object = of.if_object())
    for (const auto& member : *object) n += count(member.value());
  return n;
}

std::string describe(valijson::ValidationResults& found) {
  std::string out;
  valijson::ValidationResults::Error one;
  for (std::size_t n = 0; n < described_max && found.popError(one); ++n) {
    std::string where;
    for (const auto& part : one.context) where += part;
    if (!out.empty()) out += "; ";
    out += where + ": " + one.description;
  }
  return out.empty() ? "the inputs are not as the schema wants them" : out;
}

}  // namespace

struct input_schema::compiled {
  json::value document;
  std::size_t values = 0;  // of the document
  valijson::Schema schema;
};

result<input_schema> input_schema::compile(std::string_view schema_json) {
  const auto invalid = [](std::string why) {
    return error(codes::tool_schema_invalid, std::move(why));
  };
  if (schema_json.size() > schema_bytes_max) return invalid("the schema is too large");
  auto made = std::make_shared<compiled>();
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code ec;
  made->document = parse_foreign_json(schema_json, ec, options);
  if (ec || !made->document.is_object()) return invalid("the schema is not a JSON object");
  made->values = count(made->document);
  try {
    valijson::SchemaParser parser;
    parser.populateSchema(BoostJsonAdapter(made->document), made->schema);
  } catch (const std::exception& e) {
    return invalid(std::string("the schema cannot be read: ") + e.what());
  }
  input_schema out;
  out.compiled_ = std::move(made);
  return out;
}

result<json::object> input_schema::read(std::string_view inputs_json) const {
  const auto invalid = [](std::string why) {
    return error(codes::tool_invalid_inputs, std::move(why));
  };
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code ec;
  // A model without inputs to give says nothing at all.
  const auto text = inputs_json.empty() ? std::string_view("{}") : inputs_json;
  auto inputs = parse_foreign_json(text, ec, options);
  if (ec) return invalid("the inputs are not JSON: " + ec.message());
  if (!inputs.is_object()) return invalid("the inputs are not a JSON object");
  // Rather than give the tool another number than was asked for.
  if (const auto number = number_past(text, number_bound::exact))
    return invalid("the number " + *number + " is beyond 64 bits: give it as text");
  // A validator keeps its compiled patterns, and is no more thread-safe than they are.
  thread_local valijson::Validator validator;
  const auto work = count(inputs) * compiled_->values;
  if (work > work_max) return invalid("the inputs are too many to be checked against the schema");
  valijson::ValidationResults found;
  auto* const details = work > described_work_max ? nullptr : &found;
  try {
    if (!validator.validate(compiled_->schema, BoostJsonAdapter(inputs), details))
      return invalid(describe(found));
  } catch (const std::exception&) {
    return invalid("the inputs are too complex to be checked");
  }
  return std::move(inputs.get_object());
}

}  // namespace soma::tools
