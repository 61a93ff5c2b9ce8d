#include "tools/builtin/extractor.hpp"

#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <utility>

#include "core/codes.hpp"
#include "tools/builtin/call.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;

const std::string program_inside = "/opt/soma-extract";
// A control character takes six bytes in JSON; and what stands around the text.
constexpr std::uint64_t escape_max = 6, around_text_bytes = 64 * 1024;
constexpr int pages_max = 500;

result<extracted> understood(const std::string& answer) {
  boost::system::error_code wrong;
  auto value = json::parse(answer, wrong);
  if (wrong || !value.is_object()) return error{codes::tool_failed, "the document cannot be read"};
  auto& told = value.get_object();
  if (const auto* why = told.if_contains("error"); why && why->is_object())
    return error{codes::tool_failed, text_of(why->get_object(), "detail")};
  extracted out{text_of(told, "content_type"), text_of(told, "text"), {}, false};
  if (auto* about = told.if_contains("metadata"); about && about->is_object())
    out.metadata = std::move(about->get_object());
  if (const auto* cut = told.if_contains("truncated"))
    out.truncated = cut->is_bool() && cut->get_bool();
  return out;
}

result<extracted> outcome_of(const sandbox_end& end, const std::string& answer) {
  using reason = sandbox_end::reason;
  switch (end.why) {
    case reason::exited: break;
    case reason::refused:
      return error{end.busy ? codes::tool_busy : codes::tool_unavailable, end.detail};
    case reason::timeout: return error{codes::tool_timeout, "reading the document took too long"};
    default: return error{codes::tool_failed, "the document cannot be read: " + end.detail};
  }
  if (end.exit_code != 0 || end.truncated)
    return error{codes::tool_failed, "the document is damaged: the program that reads it failed"};
  return understood(answer);
}

}  // namespace

std::string installed_extract_program() {
  std::error_code ec;
  return (std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / "soma-extract")
      .string();
}

std::string extractor::unavailable() const {
  if (access(program_.c_str(), X_OK) != 0) return "the program soma-extract is not installed";
  return box_.unavailable();
}

std::unique_ptr<sandbox_run> extractor::start(extraction what,
                                              std::function<void(result<extracted>)> on_end) {
  auto& profile = what.limits;
  if (what.structure) profile.output_bytes = structured_text_bytes_max;
  sandbox_command command;
  command.owner = std::move(what.owner);
  command.argv = {program_inside,
                  "--declared",
                  what.declared.empty() ? "-" : what.declared,
                  "--text-bytes",
                  std::to_string(profile.output_bytes),
                  "--pages",
                  std::to_string(what.structure ? structured_pages_max : pages_max),
                  "--structure",
                  what.structure ? "1" : "0"};
  command.binds = {{program_, program_inside, false}};
  command.folder = "/tmp";
  command.input = std::move(what.input);
  command.input_fd = what.input_fd;
  command.limits = limits_of(profile);
  command.limits.output_bytes = escape_max * profile.output_bytes + around_text_bytes;
  auto answer = std::make_shared<std::string>();
  return box_.start(std::move(command), {[answer](bool errors, std::string_view bytes) {
                                           if (!errors) answer->append(bytes);
                                         },
                                         [answer, on_end = std::move(on_end)](sandbox_end end) {
                                           on_end(outcome_of(end, *answer));
                                         }});
}

}  // namespace soma::tools
