#pragma once
#include "tools/builtin/call.hpp"

class shout : public soma::tools::tool {
 public:
  bool idempotent(const boost::json::object&) const override { return true; }
  std::unique_ptr<soma::tools::running_tool> start(soma::tools::tool_request request,
                                                   soma::tools::tool_sink sink) override {
    auto text = soma::text_of(request.inputs, "text");
    for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    sink.on_done(soma::tools::success({{"text", text}}));
    return std::make_unique<soma::tools::running_tool>();
  }
};
