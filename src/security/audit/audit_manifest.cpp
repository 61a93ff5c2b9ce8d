#include "security/audit/audit_manifest.hpp"

#include <boost/json.hpp>
#include <cerrno>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma::security {
namespace {

namespace json = boost::json;

constexpr std::string_view file_name = "/manifest.json";
// Some 30,000 segments of one day.
constexpr std::size_t manifest_bytes_max = 16 * 1024 * 1024;

std::optional<std::uint64_t> number_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (!value) return std::nullopt;
  boost::system::error_code ec;
  const auto number = value->to_number<std::uint64_t>(ec);
  return ec ? std::nullopt : std::optional(number);
}

bool is_segment_name(std::string_view name) {
  constexpr std::string_view ending = ".ndjson";
  if (!name.ends_with(ending) || name.size() == ending.size()) return false;
  name.remove_suffix(ending.size());
  return name.find_first_not_of("0123456789") == name.npos;
}

std::optional<audit_copy> copy_of(const json::value& from) {
  if (!from.is_object()) return std::nullopt;
  const auto& members = from.get_object();
  const auto first = number_in(members, "first"), last = number_in(members, "last"),
             bytes = number_in(members, "bytes");
  audit_copy out;
  out.name = text_of(members, "name");
  // It is looked for beside the manifest and nowhere else.
  if (!first || !last || !bytes || !is_segment_name(out.name)) return std::nullopt;
  out.first = *first;
  out.last = *last;
  out.bytes = *bytes;
  out.sha256 = text_of(members, "sha256");
  out.prev_hash = text_of(members, "prev_hash");
  out.hash = text_of(members, "hash");
  return out;
}

}  // namespace

std::string audit_statement(const audit_manifest& what) {
  std::string text = "soma-audit-manifest\n";
  for (const auto* part : {&what.chain, &what.day, &what.at}) text.append(*part).append("\n");
  for (const auto& one : what.files) {
    text.append(one.name);
    for (const auto number : {one.first, one.last, one.bytes})
      text.append(" ").append(std::to_string(number));
    for (const auto* part : {&one.sha256, &one.prev_hash, &one.hash})
      text.append(" ").append(*part);
    text.append("\n");
  }
  return text;
}

void sign_manifest(audit_manifest& what, const audit_key& by) {
  what.key_id = by.id();
  what.public_key = by.public_text();
  what.signature = by.sign(audit_statement(what));
}

bool is_well_signed(const audit_manifest& what) {
  return !what.key_id.empty() && what.key_id == audit_key_id(what.public_key) &&
         is_signed_by(what.public_key, audit_statement(what), what.signature);
}

std::string to_json(const audit_manifest& what) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("chain", what.chain).field("day", what.day).field("at", what.at);
  w.key("files").begin_array();
  for (const auto& one : what.files) {
    w.begin_object().field("name", one.name).field("first", one.first).field("last", one.last);
    w.field("bytes", one.bytes).field("sha256", one.sha256).field("prev_hash", one.prev_hash);
    w.field("hash", one.hash).end_object();
  }
  w.end_array().field("key_id", what.key_id).field("public_key", what.public_key);
  w.field("signature", what.signature).end_object();
  return out;
}

result<audit_manifest> parse_audit_manifest(std::string_view text) {
  const error none(codes::request_invalid, "is no manifest of an audit");
  boost::system::error_code ec;
  const auto document = json::parse({text.data(), text.size()}, ec);
  const auto* members = ec ? nullptr : document.if_object();
  const auto* files = members ? members->if_contains("files") : nullptr;
  if (!files || !files->is_array()) return none;
  audit_manifest out;
  out.chain = text_of(*members, "chain");
  out.day = text_of(*members, "day");
  out.at = text_of(*members, "at");
  out.key_id = text_of(*members, "key_id");
  out.public_key = text_of(*members, "public_key");
  out.signature = text_of(*members, "signature");
  for (const auto& one : files->get_array()) {
    auto copy = copy_of(one);
    if (!copy) return none;
    out.files.push_back(std::move(*copy));
  }
  return out;
}

result<std::optional<audit_manifest>> manifest_in(const std::string& folder) {
  const auto path = folder + std::string(file_name);
  const auto text = audit_text(path, manifest_bytes_max);
  if (!text && errno == ENOENT) return std::optional<audit_manifest>();
  if (!text) return text.error();
  auto read = parse_audit_manifest(*text);
  if (!read) return error(codes::storage_corrupt, path + ": " + read.error().detail);
  return std::optional<audit_manifest>(std::move(*read));
}

bool keep_manifest(const std::string& folder, const audit_manifest& what) {
  return keep_audit_file(folder, folder + std::string(file_name), to_json(what) + "\n");
}

}  // namespace soma::security
