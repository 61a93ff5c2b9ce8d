#include "tools/builtin/echo.hpp"

#include "tools/builtin/call.hpp"

namespace soma::tools {
namespace {

class echo : public tool {
 public:
  bool idempotent(const boost::json::object&) const override { return true; }
  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    sink.on_done(success({{"text", text_of(request.inputs, "text")}}));
    return std::make_unique<running_tool>();
  }
};

}  // namespace

std::unique_ptr<tool> make_echo() {
  return std::make_unique<echo>();
}

}  // namespace soma::tools
