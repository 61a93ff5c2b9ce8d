// Judges a call's inputs by its tool's JSON Schema (draft 7). Compiled once, immutable after;
// thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::tools {

class input_schema {
 public:
  // Nesting of inputs: a model's inputs are shallow, and the parser recurses.
  static constexpr std::size_t depth_max = 32;
  static constexpr std::size_t schema_bytes_max = 64 * 1024;

  // Errors: tool.schema_invalid.
  static result<input_schema> compile(std::string_view schema_json);

  // The inputs as an object. Errors: tool.invalid_inputs, with a sentence that a model can mend its
  // call by.
  result<boost::json::object> read(std::string_view inputs_json) const;

 private:
  struct compiled;
  std::shared_ptr<const compiled> compiled_;
};

}  // namespace soma::tools
