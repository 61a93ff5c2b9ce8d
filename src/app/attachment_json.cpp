#include "app/attachment_json.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"

namespace soma::app {
namespace {

namespace json = boost::json;

void write_all(json_writer& w, const std::vector<attachment>& all) {
  w.begin_array();
  for (const auto& a : all) {
    w.begin_object().field("id", a.id).field("attachment_id", a.id).field("filename", a.filename);
    w.field("sha256", a.sha256).field("content_type", a.content_type);
    w.field("size_bytes", a.size_bytes).field("url", "/v1/attachments/" + a.id);
    w.field("status", a.status).end_object();
  }
  w.end_array();
}

bool read_all(const json::value* from, std::vector<attachment>& into) {
  if (!from || !from->is_array()) return false;
  for (const auto& item : from->get_array()) {
    const auto* o = item.if_object();
    const auto* size = o ? o->if_contains("size_bytes") : nullptr;
    if (!size || !size->is_int64()) return false;
    attachment a;
    a.id = text_of(*o, "id");
    a.filename = text_of(*o, "filename");
    a.sha256 = text_of(*o, "sha256");
    a.content_type = text_of(*o, "content_type");
    a.size_bytes = static_cast<std::uint64_t>(size->get_int64());
    a.status = text_of(*o, "status");
    if (a.id.empty()) return false;
    into.push_back(std::move(a));
  }
  return true;
}

error corrupt() {
  return {codes::storage_corrupt, "not an answer about attachments"};
}

json::value parsed(std::string_view text) {
  boost::system::error_code ec;
  auto value = json::parse({text.data(), text.size()}, ec);
  return ec ? json::value() : value;
}

}  // namespace

std::string attachments_json(const std::vector<attachment>& all) {
  std::string out;
  json_writer w(out);
  write_all(w, all);
  return out;
}

std::string known_files_json(const known_files& found) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("files");
  write_all(w, found.files);
  w.key("missing").begin_array();
  for (const auto& sha256 : found.missing) w.string(sha256);
  w.end_array().end_object();
  return out;
}

result<std::vector<attachment>> parse_attachments(std::string_view text) {
  const auto value = parsed(text);
  std::vector<attachment> all;
  if (!read_all(&value, all)) return corrupt();
  return all;
}

result<known_files> parse_known_files(std::string_view text) {
  const auto value = parsed(text);
  const auto* o = value.if_object();
  const auto* missing = o ? o->if_contains("missing") : nullptr;
  known_files found;
  if (!missing || !missing->is_array() || !read_all(o->if_contains("files"), found.files))
    return corrupt();
  for (const auto& sha256 : missing->get_array())
    if (sha256.is_string()) found.missing.emplace_back(sha256.get_string());
  return found;
}

}  // namespace soma::app
