#include "security/audit/audit_search.hpp"

#include <boost/json.hpp>
#include <cerrno>

#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma::security {
namespace {

namespace json = boost::json;

// Of a segment that is looked through: what it is begun anew at, with room for what is written
// while it is full.
constexpr std::size_t segment_bytes_most = 256 * 1024 * 1024;

bool has_member(std::string_view line, std::string_view name, std::string_view value) {
  if (value.empty()) return true;
  std::string wanted("\"");
  wanted.append(name).append("\":\"");
  append_json_escaped(wanted, value);
  wanted += '"';
  return line.find(wanted) != line.npos;
}

bool fits_name(std::string_view wanted, std::string_view name) {
  if (wanted.empty()) return true;
  return wanted.ends_with('*') ? name.starts_with(wanted.substr(0, wanted.size() - 1))
                               : name == wanted;
}

bool fits_text(const std::string& wanted, const json::object& from, std::string_view name) {
  return wanted.empty() || text_of(from, name) == wanted;
}

bool fits(const audit_filter& wanted, const audit_link& link, std::string_view line) {
  if (!fits_name(wanted.what, link.what) || (!wanted.from.empty() && link.at < wanted.from) ||
      (!wanted.to.empty() && link.at >= wanted.to))
    return false;
  // Most do not, which is seen without reading them.
  if (!has_member(line, "user_id", wanted.who) ||
      !has_member(line, "request_id", wanted.request_id) ||
      !has_member(line, "session_id", wanted.session_id))
    return false;
  boost::system::error_code ec;
  const auto document = json::parse({line.data(), line.size()}, ec);
  const auto* record = ec ? nullptr : document.if_object();
  if (!record) return false;
  const auto* by = record->if_contains("who");
  static const json::object nobody;
  const auto& who = by && by->is_object() ? by->get_object() : nobody;
  if (!wanted.tenant.empty()) {
    const auto of = text_of(who, "tenant_id");
    if (of.empty() ? !wanted.with_nodes : of != wanted.tenant) return false;
  }
  return fits_text(wanted.who, who, "user_id") &&
         fits_text(wanted.request_id, *record, "request_id") &&
         fits_text(wanted.session_id, *record, "session_id");
}

}  // namespace

bool fits_audit(const audit_filter& wanted, std::string_view line) {
  const auto link = audit_link_of(line);
  return link && fits(wanted, *link, line);
}

result<audit_page> find_audit(const std::string& folder, const audit_filter& wanted,
                              std::uint64_t before, std::size_t limit, std::size_t bytes_max) {
  const auto segments = audit_segments(folder);
  audit_page out;
  std::size_t looked_at = 0;
  for (auto at = segments.rbegin(); at != segments.rend(); ++at) {
    if (before > 0 && at->first >= before) continue;
    if (looked_at >= bytes_max) {
      out.next_before = before;
      return out;
    }
    const auto text = audit_text(at->path, segment_bytes_most);
    if (!text && errno == ENOENT) continue;  // it was removed meanwhile
    if (!text) return text.error();
    looked_at += text->size();
    std::string_view left(*text);
    left = left.substr(0, left.rfind('\n') + 1);
    while (!left.empty()) {
      left.remove_suffix(1);
      const auto end = left.rfind('\n');
      const auto line = left.substr(end == left.npos ? 0 : end + 1);
      left = left.substr(0, left.size() - line.size());
      const auto link = audit_link_of(line);
      if (!link || (before > 0 && link->seq >= before)) continue;
      if (!fits(wanted, *link, line)) continue;
      if (out.lines.size() == limit) {
        out.next_before = before;
        return out;
      }
      out.lines.emplace_back(line);
      before = link->seq;
    }
    before = at->first;
    // Segments are in the order of their time: what stands before is older.
    const auto link = audit_link_of(std::string_view(*text).substr(0, text->find('\n')));
    if (link && !wanted.from.empty() && link->at < wanted.from) return out;
  }
  return out;
}

result<std::optional<std::string>> audit_record_at(const std::string& folder, std::uint64_t seq) {
  const auto segments = audit_segments(folder);
  std::optional<std::string> found;
  const auto take = [&](std::string_view line) {
    const auto link = audit_link_of(line);
    if (link && link->seq == seq) found = std::string(line);
    return !link || link->seq < seq;
  };
  for (auto at = segments.rbegin(); at != segments.rend(); ++at) {
    if (at->first > seq) continue;
    if (auto read = each_audit_line(at->path, take); !read) return read.error();
    break;
  }
  return found;
}

}  // namespace soma::security
