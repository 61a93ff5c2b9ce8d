#include "files/file_tools.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/utf8.hpp"

namespace soma::files {
namespace {

namespace json = boost::json;

constexpr std::uint64_t read_bytes_max = 256 * 1024;
constexpr std::size_t entries_max = 500;
constexpr std::string_view canvas_path = "canvas.md";

std::uint64_t number_of(const json::object& inputs, std::string_view name,
                        std::uint64_t otherwise) {
  const auto* found = inputs.if_contains(name);
  if (found && found->is_int64() && found->get_int64() >= 0)
    return static_cast<std::uint64_t>(found->get_int64());
  return found && found->is_uint64() ? found->get_uint64() : otherwise;
}

tools::tool_outcome failed(const error& why) {
  return {"error", {}, failure{std::string(why.code), why.detail, why.retry_after_s > 0}};
}

tools::tool_outcome success(std::string output) {
  return {"success", std::move(output), {}};
}

class file_tool : public tools::tool {
 public:
  file_tool(work_folders& folders, tools::work_pool& pool) : folders_(folders), pool_(pool) {}

  std::unique_ptr<tools::running_tool> start(tools::tool_request request,
                                             tools::tool_sink sink) override {
    auto kept = std::make_shared<const tools::tool_request>(std::move(request));
    return pool_.start([this, kept] { return run(*kept); }, std::move(sink));
  }

 protected:
  virtual tools::tool_outcome run(const tools::tool_request& request) = 0;
  // What a write tells: how large the file now is.
  tools::tool_outcome written(const tools::tool_request& request, std::string_view path) {
    auto now = folders_.read(request.session, path, 0, 0);
    if (!now) return failed(now.error());
    std::string out;
    json_writer w(out);
    w.begin_object().field("path", path).field("size_bytes", now->size_bytes).end_object();
    return success(std::move(out));
  }
  work_folders& folders_;

 private:
  tools::work_pool& pool_;
};

class file_read final : public file_tool {
 public:
  using file_tool::file_tool;
  bool idempotent(const json::object&) const override { return true; }

 protected:
  tools::tool_outcome run(const tools::tool_request& request) override {
    const auto path = text_of(request.inputs, "path");
    const auto offset = number_of(request.inputs, "offset", 0);
    // Half of what the output may be: escaped as JSON it is longer.
    const auto most = std::clamp<std::uint64_t>(request.limits.output_bytes / 2, 4, read_bytes_max);
    const auto bytes = std::clamp<std::uint64_t>(number_of(request.inputs, "bytes", most), 4, most);
    auto piece = folders_.read(request.session, path, offset, static_cast<std::size_t>(bytes));
    if (!piece) return failed(piece.error());
    const bool more = offset + piece->bytes.size() < piece->size_bytes;
    if (more && utf8_complete_prefix(piece->bytes) > 0)
      piece->bytes.resize(utf8_complete_prefix(piece->bytes));
    std::string out;
    json_writer w(out);
    w.begin_object().field("path", path).field("text", piece->bytes).field("offset", offset);
    w.field("bytes", static_cast<std::uint64_t>(piece->bytes.size()));
    w.field("size_bytes", piece->size_bytes).field_bool("more", more).end_object();
    return success(std::move(out));
  }
};

class file_write final : public file_tool {
 public:
  using file_tool::file_tool;
  bool idempotent(const json::object& inputs) const override { return !appends(inputs); }

 protected:
  tools::tool_outcome run(const tools::tool_request& request) override {
    const auto path = text_of(request.inputs, "path"), text = text_of(request.inputs, "text");
    auto done = appends(request.inputs) ? folders_.append(request.session, path, text)
                                        : folders_.write(request.session, path, text);
    if (!done) return failed(done.error());
    return written(request, path);
  }

 private:
  static bool appends(const json::object& inputs) {
    const auto* found = inputs.if_contains("append");
    return found && found->is_bool() && found->get_bool();
  }
};

class file_list final : public file_tool {
 public:
  using file_tool::file_tool;
  bool idempotent(const json::object&) const override { return true; }

 protected:
  tools::tool_outcome run(const tools::tool_request& request) override {
    const auto path = text_of(request.inputs, "path");
    auto found = folders_.list(request.session, path, entries_max);
    if (!found) return failed(found.error());
    std::string out;
    json_writer w(out);
    w.begin_object().field("path", path).key("entries").begin_array();
    for (const auto& e : found->entries) write_entry(w, e);
    w.end_array().field_bool("complete", found->complete).end_object();
    return success(std::move(out));
  }
};

class canvas_append final : public file_tool {
 public:
  using file_tool::file_tool;
  bool idempotent(const json::object&) const override { return false; }

 protected:
  tools::tool_outcome run(const tools::tool_request& request) override {
    const auto text = text_of(request.inputs, "text") + "\n\n";
    if (auto done = folders_.append(request.session, canvas_path, text); !done)
      return failed(done.error());
    return written(request, canvas_path);
  }
};

}  // namespace

std::unique_ptr<tools::tool> make_file_read(work_folders& folders, tools::work_pool& pool) {
  return std::make_unique<file_read>(folders, pool);
}
std::unique_ptr<tools::tool> make_file_write(work_folders& folders, tools::work_pool& pool) {
  return std::make_unique<file_write>(folders, pool);
}
std::unique_ptr<tools::tool> make_file_list(work_folders& folders, tools::work_pool& pool) {
  return std::make_unique<file_list>(folders, pool);
}

std::unique_ptr<tools::tool> make_canvas_append(work_folders& folders, tools::work_pool& pool) {
  return std::make_unique<canvas_append>(folders, pool);
}

}  // namespace soma::files
