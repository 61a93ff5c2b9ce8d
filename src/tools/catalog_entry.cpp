// Entries and changes of the catalog, from JSON and to it.
#include <boost/json.hpp>
#include <limits>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_writer.hpp"
#include "tools/catalog.hpp"
#include "tools/offered_schema.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;

constexpr std::size_t id_bytes_max = 128, text_bytes_max = 4096, egress_max = 64;

error invalid(std::string_view member, std::string_view why) {
  return {codes::tool_entry_invalid, std::string(member) + ": " + std::string(why)};
}

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= id_bytes_max &&
         id.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == id.npos;
}

// A host name, or `*.` before one.
bool is_host(std::string_view host) {
  if (host.starts_with("*.")) host.remove_prefix(2);
  return !host.empty() && host.size() <= 253 &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == host.npos;
}

struct bound {
  const char* name;
  std::uint64_t least, most;
};

template <class Number>
std::optional<error> read_number(const json::object& from, const bound& b, Number& out) {
  const auto* value = from.if_contains(b.name);
  if (!value) return std::nullopt;
  boost::system::error_code ec;
  const auto number = value->to_number<std::uint64_t>(ec);
  if (ec || number < b.least || number > b.most)
    return invalid(std::string("limits.") + b.name,
                   "must be " + std::to_string(b.least) + " to " + std::to_string(b.most));
  out = static_cast<Number>(number);
  return std::nullopt;
}

std::optional<error> read_limits(const json::value& value, execution_profile& to) {
  const auto* from = value.if_object();
  if (!from) return invalid("limits", "must be an object");
  constexpr std::uint64_t mib = 1 << 20;
  const char* known[] = {"timeout_ms", "cpu_s",        "memory_bytes", "processes",  "open_files",
                         "disk_bytes", "output_bytes", "concurrency",  "work_folder"};
  for (const auto& member : *from)
    if (std::find(std::begin(known), std::end(known), member.key()) == std::end(known))
      return invalid("limits." + std::string(member.key()), "is no limit");
  if (auto bad = read_number(*from, {"timeout_ms", 100, 600'000}, to.timeout_ms)) return bad;
  if (auto bad = read_number(*from, {"cpu_s", 1, 600}, to.cpu_s)) return bad;
  if (auto bad = read_number(*from, {"memory_bytes", 16 * mib, 65'536 * mib}, to.memory_bytes))
    return bad;
  if (auto bad = read_number(*from, {"processes", 1, 4096}, to.processes)) return bad;
  if (auto bad = read_number(*from, {"open_files", 16, 65'536}, to.open_files)) return bad;
  if (auto bad = read_number(*from, {"disk_bytes", 0, 65'536 * mib}, to.disk_bytes)) return bad;
  if (auto bad = read_number(*from, {"output_bytes", 256, 400 * 1024}, to.output_bytes)) return bad;
  if (auto bad = read_number(*from, {"concurrency", 1, 1024}, to.concurrency)) return bad;
  if (const auto* flag = from->if_contains("work_folder")) {
    if (!flag->is_bool()) return invalid("limits.work_folder", "must be true or false");
    to.work_folder = flag->get_bool();
  }
  return std::nullopt;
}

std::optional<error> read_egress(const json::value& value, std::vector<std::string>& to) {
  const auto* list = value.if_array();
  if (!list || list->size() > egress_max) return invalid("egress", "must be a list of host names");
  to.clear();
  for (const auto& item : *list) {
    if (!item.is_string() || !is_host(item.get_string()))
      return invalid("egress", "must be host names in small letters, `*.` before one at most");
    to.emplace_back(item.get_string());
  }
  return std::nullopt;
}

std::optional<error> read_text(const json::object& from, std::string_view name, std::string& to) {
  const auto* value = from.if_contains(name);
  if (!value) return std::nullopt;
  if (!value->is_string() || value->get_string().size() > text_bytes_max)
    return invalid(name, "must be text");
  to = value->get_string();
  return std::nullopt;
}

std::optional<error> read_flag(const json::object& from, std::string_view name, bool& to) {
  const auto* value = from.if_contains(name);
  if (!value) return std::nullopt;
  if (!value->is_bool()) return invalid(name, "must be true or false");
  to = value->get_bool();
  return std::nullopt;
}

// What a tenant may change, too.
std::optional<error> read_changeable(const json::object& from, catalog_entry& to) {
  if (auto bad = read_flag(from, "enabled", to.enabled)) return bad;
  if (const auto* limits = from.if_contains("limits"))
    if (auto bad = read_limits(*limits, to.limits)) return bad;
  if (const auto* egress = from.if_contains("egress"))
    if (auto bad = read_egress(*egress, to.egress)) return bad;
  return std::nullopt;
}

result<json::object> object_of(std::string_view text) {
  json::parse_options options;
  options.max_depth = input_schema::depth_max;
  boost::system::error_code ec;
  auto value = parse_foreign_json(text, ec, options);
  if (ec || !value.is_object()) return invalid("entry", "must be a JSON object");
  return std::move(value.get_object());
}

}  // namespace

result<catalog_entry> parse_entry(std::string_view text) {
  auto from = object_of(text);
  if (!from) return from.error();
  catalog_entry entry;
  if (auto bad = read_text(*from, "id", entry.tool_id)) return *bad;
  if (!is_id(entry.tool_id)) return invalid("id", "must be 1 to 128 letters, digits, . _ and -");
  if (auto bad = read_text(*from, "title", entry.title)) return *bad;
  if (auto bad = read_text(*from, "description", entry.description)) return *bad;
  if (auto bad = read_text(*from, "executor", entry.executor)) return *bad;
  if (entry.executor != "builtin" && entry.executor != "sandbox" && entry.executor != "mcp")
    return invalid("executor", "must be builtin, sandbox or mcp");
  if (auto bad = read_flag(*from, "idempotent", entry.idempotent)) return *bad;
  if (auto bad = read_changeable(*from, entry)) return *bad;
  if (const auto* inputs = from->if_contains("inputs"))
    entry.inputs_schema_json = json::serialize(*inputs);
  if (const auto* outputs = from->if_contains("outputs"))
    entry.outputs_schema_json = json::serialize(*outputs);
  auto compiled = input_schema::compile(entry.inputs_schema_json);
  if (!compiled) return invalid("inputs", compiled.error().detail);
  entry.inputs = std::move(*compiled);
  entry.offered_inputs_json = offered_schema(entry.inputs_schema_json);
  return entry;
}

result<catalog_entry> apply_change(catalog_entry entry, std::string_view change_json) {
  auto from = object_of(change_json);
  if (!from) return from.error();
  for (const auto& member : *from)
    if (member.key() != "enabled" && member.key() != "limits" && member.key() != "egress")
      return invalid(member.key(), "cannot be changed");
  if (auto bad = read_changeable(*from, entry)) return *bad;
  return entry;
}

std::string to_json(const catalog_entry& entry) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("id", entry.tool_id).field("title", entry.title);
  w.field("description", entry.description).field("executor", entry.executor);
  w.field_bool("idempotent", entry.idempotent).field_bool("enabled", entry.enabled);
  w.key("inputs").raw(entry.inputs_schema_json).key("outputs").raw(entry.outputs_schema_json);
  const auto& l = entry.limits;
  w.key("limits").begin_object().field("timeout_ms", std::uint64_t{l.timeout_ms});
  w.field("cpu_s", std::uint64_t{l.cpu_s}).field("memory_bytes", l.memory_bytes);
  w.field("processes", std::uint64_t{l.processes});
  w.field("open_files", std::uint64_t{l.open_files}).field("disk_bytes", l.disk_bytes);
  w.field("output_bytes", l.output_bytes).field("concurrency", std::uint64_t{l.concurrency});
  w.field_bool("work_folder", l.work_folder).end_object();
  w.key("egress").begin_array();
  for (const auto& host : entry.egress) w.string(host);
  w.end_array().end_object();
  return out;
}

}  // namespace soma::tools
