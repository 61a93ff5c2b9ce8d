#include "tools/builtin/calculator.hpp"

#include "tools/builtin/call.hpp"
#include "tools/builtin/expression.hpp"

namespace soma::tools {
namespace {

class calculator : public tool {
 public:
  bool idempotent(const boost::json::object&) const override { return true; }
  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    const auto value = evaluate_expression(text_of(request.inputs, "expression"));
    sink.on_done(value ? success({{"result", value->text}, {"exact", value->exact}})
                       : failed(value.error()));
    return std::make_unique<running_tool>();
  }
};

}  // namespace

std::unique_ptr<tool> make_calculator() {
  return std::make_unique<calculator>();
}

}  // namespace soma::tools
