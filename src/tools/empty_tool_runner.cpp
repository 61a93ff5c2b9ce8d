#include "core/codes.hpp"
#include "tools/tool_runner.hpp"

namespace soma::tools {
namespace {

class empty_tool_runner : public tool_runner {
 public:
  std::unique_ptr<running_tool> start(const tool_caller&, const body::tool_call& call,
                                      tool_sink sink) override {
    sink.on_done(
        {"error",
         {},
         failure{std::string(codes::tool_unknown), "there is no tool " + call.tool_id, false}});
    return std::make_unique<running_tool>();
  }
  std::shared_ptr<const std::vector<offered_tool>> offered(const tenant_id&) override {
    return std::make_shared<const std::vector<offered_tool>>();
  }
  bool idempotent(std::string_view, std::string_view) const override { return false; }
};

}  // namespace

std::unique_ptr<tool_runner> make_empty_tool_runner() {
  return std::make_unique<empty_tool_runner>();
}

}  // namespace soma::tools
