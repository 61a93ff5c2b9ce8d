// Any text gives a value or an error in bounded time; an exact value reads back as itself.
#include "tools/builtin/expression.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using soma::tools::evaluate_expression;
  const auto value = evaluate_expression({reinterpret_cast<const char*>(data), size});
  if (!value) {
    if (value.error().detail.empty()) std::abort();
    return 0;
  }
  if (value->text.empty()) std::abort();
  if (!value->exact || value->text.size() > 1000) return 0;
  const auto again = evaluate_expression(value->text);
  if (!again || again->text != value->text) std::abort();
  return 0;
}
