#include "tools/builtin/code_execute.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "tools/builtin/call.hpp"
#include "tools/builtin/text_stream.hpp"
#include "tools/builtin/work_files.hpp"
#include "tools/egress/egress_proxy.hpp"
#include "tools/sandbox/sandbox.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;

// Files told of in the result: what a model can make use of.
constexpr std::size_t listed_files_max = 100;

struct language {
  std::string_view name;
  const char* program;
  const char* file;
  std::vector<std::string> options;
};

const language languages[] = {
    {"python", "/usr/bin/python3", "/code/main.py", {"-u", "-B"}},
    {"bash", "/usr/bin/bash", "/code/main.sh", {}},
    {"node", "/usr/bin/node", "/code/main.js", {}},
};

// Node tells modules from scripts by the name of the file.
bool is_module(std::string_view code) {
  while (!code.empty()) {
    const auto end = std::min(code.find('\n'), code.size());
    auto line = code.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with("import ") || line.starts_with("import{") || line.starts_with("export "))
      return true;
    code.remove_prefix(std::min(end + 1, code.size()));
  }
  return false;
}

// What one call gathers until it ends. Of the sandbox's thread, then of one worker.
struct execution {
  std::shared_ptr<call_state> call;
  tool_request request;
  std::string work;                      // empty: in memory
  std::unique_ptr<egress_lease> egress;  // null: no network
  std::int64_t since_ns = 0;
  text_stream output, errors;  // for what is told meanwhile
  std::string all_output, all_errors;
};

result<sandbox_command> command_of(const tool_request& request) {
  const auto name = text_of(request.inputs, "language");
  for (const auto& known : languages) {
    if (known.name != name) continue;
    if (access(known.program, X_OK) != 0)
      return error{codes::tool_unavailable, name + " is not installed on this server"};
    sandbox_command out;
    auto code = text_of(request.inputs, "code");
    std::string file = known.file;
    if (name == "node" && is_module(code)) file = "/code/main.mjs";
    out.argv = {known.program};
    out.argv.insert(out.argv.end(), known.options.begin(), known.options.end());
    out.argv.push_back(file);
    out.environment = {{"PYTHONPATH", "/work"}, {"NODE_PATH", "/work"}};
    out.files.push_back({std::move(file), std::move(code)});
    out.input = text_of(request.inputs, "stdin");
    out.limits = limits_of(request.limits);
    return out;
  }
  return error{codes::tool_invalid_inputs, "the language is python, bash or node"};
}

// Of what the profile allows, files take a quarter at most.
json::array files_of(const execution& e) {
  json::array out;
  if (e.work.empty()) return out;
  std::size_t left = static_cast<std::size_t>(e.request.limits.output_bytes) / 4;
  for (auto& file : changed_since(e.work, e.since_ns, listed_files_max)) {
    json::object one{{"path", std::move(file.path)}, {"size_bytes", file.size_bytes}};
    const auto bytes = json::serialize(one).size() + 1;
    if (bytes > left) break;
    left -= bytes;
    out.push_back(std::move(one));
  }
  return out;
}

// Standard error keeps a quarter of the room, where both want more than there is.
json::object output_of(execution& e, const sandbox_end& end) {
  json::object out{{"exit_code", end.exit_code},
                   {"stdout", ""},
                   {"stderr", ""},
                   {"truncated", false},
                   {"files", files_of(e)}};
  const auto taken = json::serialize(out).size();
  const auto most = static_cast<std::size_t>(e.request.limits.output_bytes);
  const auto room = most - std::min(most, taken);
  const auto output = valid_utf8(e.all_output), errors = valid_utf8(e.all_errors);
  const auto left = room - std::min(room, json_escaped_size(output));
  const auto kept_errors = json_fitting(errors, std::max(room / 4, left));
  const auto kept_output = json_fitting(output, room - json_escaped_size(kept_errors));
  out["stdout"] = kept_output;
  out["stderr"] = kept_errors;
  out["truncated"] =
      end.truncated || kept_errors.size() < errors.size() || kept_output.size() < output.size();
  return out;
}

tool_outcome outcome_of(execution& e, const sandbox_end& end) {
  using reason = sandbox_end::reason;
  if (end.why == reason::refused)
    return failed(end.busy ? codes::tool_busy : codes::tool_unavailable, end.detail, end.busy);
  auto out = success(output_of(e, end));
  if (end.why == reason::exited) return out;
  const bool late = end.why == reason::timeout;
  auto why = late ? failed(codes::tool_timeout, "it ran longer than its " +
                                                    std::to_string(e.request.limits.timeout_ms) +
                                                    " milliseconds")
                  : failed(codes::tool_failed, end.detail);
  why.output_json = std::move(out.output_json);
  return why;
}

class code_execute : public tool {
 public:
  explicit code_execute(code_execute_parts parts) : parts_(std::move(parts)) {}

  std::string unavailable() const override { return parts_.box.unavailable(); }
  bool idempotent(const json::object&) const override { return false; }

  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    auto e = std::make_shared<execution>();
    e->call = std::make_shared<call_state>(std::move(sink));
    e->request = std::move(request);
    if (!parts_.workers.post([this, e] { begin(e); }))
      e->call->done(failed(codes::tool_busy, "too many tools wait to run", true));
    return handle_of(e->call);
  }

 private:
  // The files given with the call: into the session's folder, or into the one in memory.
  result<void> place_files(const execution& e, sandbox_command& command) const {
    const auto* files = e.request.inputs.if_contains("files");
    if (!files || !files->is_array()) return {};
    for (const auto& file : files->get_array()) {
      if (!file.is_object()) continue;
      const auto path = text_of(file.get_object(), "path");
      auto text = text_of(file.get_object(), "text");
      if (!is_work_path(path))
        return error{codes::tool_invalid_inputs, "a file's path stays in the work folder"};
      if (e.work.empty()) {
        command.files.push_back({"/work/" + path, std::move(text)});
        continue;
      }
      auto written = parts_.write_file(e.request.session, path, text);
      if (written) continue;
      const auto& why = written.error();
      if (why.code == codes::workdir_path_invalid || why.code == codes::workdir_wrong_kind)
        return error{codes::tool_invalid_inputs, path + ": " + why.detail};
      return written;
    }
    return {};
  }

  void begin(const std::shared_ptr<execution>& e) {
    if (e->call->over()) return;
    auto command = command_of(e->request);
    if (!command) return e->call->done(failed(command.error()));
    if (e->request.limits.work_folder && parts_.work_folder) {
      auto folder = parts_.work_folder(e->request.session);
      if (!folder) return e->call->done(failed(folder.error()));
      e->work = *folder;
    }
    if (auto placed = place_files(*e, *command); !placed)
      return e->call->done(failed(placed.error()));
    if (!e->request.egress.empty()) {
      if (auto why = parts_.egress.unavailable(); !why.empty())
        return e->call->done(failed(codes::tool_unavailable, std::move(why)));
      auto lease = parts_.egress.open(e->request.egress);
      if (!lease) return e->call->done(failed(lease.error()));
      e->egress = std::move(*lease);
      e->egress->equip(*command);
    }
    command->work = e->work;
    command->owner = e->request.session.tenant.value;
    e->since_ns = file_clock_ns();
    sandbox_callbacks callbacks;
    callbacks.on_output = [e](bool is_errors, std::string_view bytes) {
      (is_errors ? e->all_errors : e->all_output) += bytes;
      auto& text = is_errors ? e->errors : e->output;
      e->call->output(is_errors ? "stderr" : "stdout", text.feed(bytes));
    };
    callbacks.on_end = [this, e](sandbox_end end) { finish(e, std::move(end)); };
    e->call->keep(parts_.box.start(std::move(*command), std::move(callbacks)));
  }

  // Looking for changed files blocks: not on the sandbox's thread.
  void finish(const std::shared_ptr<execution>& e, sandbox_end end) {
    e->call->output("stdout", e->output.finish());
    e->call->output("stderr", e->errors.finish());
    auto rest = [e, end] { e->call->done(outcome_of(*e, end)); };
    if (!parts_.workers.post(rest)) rest();
  }

  const code_execute_parts parts_;
};

}  // namespace

std::unique_ptr<tool> make_code_execute(code_execute_parts parts) {
  return std::make_unique<code_execute>(std::move(parts));
}

}  // namespace soma::tools
