#include "tools/builtin/clock.hpp"

#include <absl/time/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "tools/builtin/call.hpp"

namespace soma::tools {
namespace {

// The name becomes a path below the database's folder.
bool is_zone_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::isalpha(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '_' || c == '-' || c == '+' || c == '/';
         });
}

class clock_tool : public tool {
 public:
  explicit clock_tool(std::function<std::int64_t()> now_ms) : now_ms_(std::move(now_ms)) {}
  bool idempotent(const boost::json::object&) const override { return true; }
  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    sink.on_done(tell(text_of(request.inputs, "timezone", "UTC")));
    return std::make_unique<running_tool>();
  }

 private:
  tool_outcome tell(const std::string& name) const {
    absl::TimeZone zone;
    // Looked for here first: the library remembers also those that it did not find.
    if (!is_zone_name(name) ||
        (name != "UTC" && access(("/usr/share/zoneinfo/" + name).c_str(), R_OK) != 0) ||
        !absl::LoadTimeZone(name, &zone))
      return failed(codes::tool_invalid_inputs,
                    "there is no such time zone; one is written like Europe/Berlin");
    const auto ms = now_ms_();
    const auto at = absl::FromUnixMillis(ms);
    return success({{"utc", format_rfc3339(ms)},
                    {"local", absl::FormatTime("%Y-%m-%dT%H:%M:%E3S%Ez", at, zone)},
                    {"timezone", name},
                    {"offset", absl::FormatTime("%Ez", at, zone)},
                    {"weekday", absl::FormatTime("%A", at, zone)},
                    {"unix_ms", ms}});
  }

  const std::function<std::int64_t()> now_ms_;
};

}  // namespace

std::unique_ptr<tool> make_clock(std::function<std::int64_t()> now_ms) {
  return std::make_unique<clock_tool>(std::move(now_ms));
}

}  // namespace soma::tools
