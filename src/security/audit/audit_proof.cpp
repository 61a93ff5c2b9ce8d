#include "security/audit/audit_proof.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma::security {
namespace {

namespace json = boost::json;

// What a head speaks of, as it is gathered.
struct batch {
  std::vector<std::string> leaves;
  std::vector<std::pair<std::size_t, std::string>> wanted;  // which leaf, and its line
};

std::string proof_of(const batch& of, std::size_t which, const audit_head& head) {
  const auto& [at, line] = of.wanted[which];
  std::string out;
  json_writer w(out);
  w.begin_object().field("version", std::uint64_t{1}).field("record", line);
  w.key("path").begin_array();
  for (const auto& step : audit_path(of.leaves, at))
    w.begin_object().field(step.left ? "left" : "right", step.hash).end_object();
  w.end_array().key("head").raw(to_json(head)).end_object();
  return out;
}

bool is_of(std::string_view line, std::string_view request_id, std::string_view member) {
  if (line.find(member) == line.npos) return false;
  boost::system::error_code ec;
  const auto document = json::parse({line.data(), line.size()}, ec);
  return !ec && document.is_object() && text_of(document.get_object(), "request_id") == request_id;
}

error not_right(std::string what) {
  return {codes::request_invalid, std::move(what)};
}

result<std::vector<audit_step>> path_in(const json::object& proof) {
  const auto* all = proof.if_contains("path");
  if (!all || !all->is_array()) return not_right("the proof has no path");
  std::vector<audit_step> out;
  for (const auto& one : all->get_array()) {
    if (!one.is_object()) return not_right("a step of its path is none");
    const bool left = one.get_object().contains("left");
    out.push_back({left, text_of(one.get_object(), left ? "left" : "right")});
  }
  return out;
}

}  // namespace

result<std::vector<std::string>> prove_audit(const std::string& folder,
                                             std::string_view request_id) {
  std::string member = "\"request_id\":\"";
  append_json_escaped(member, request_id);
  member += '"';
  std::vector<std::string> out;
  batch now;
  bool found = false;
  const auto take = [&](std::string_view line) {
    const auto link = audit_link_of(line);
    if (!link) return true;
    if (now.leaves.empty() && link->seq > 1) now.leaves.emplace_back(link->prev_hash);
    if (link->what == audit_head_what) {
      if (const auto head = now.wanted.empty() ? std::nullopt : head_in(line))
        for (std::size_t i = 0; i < now.wanted.size(); ++i) out.push_back(proof_of(now, i, *head));
      now = {};
    } else if (is_of(line, request_id, member)) {
      found = true;
      now.wanted.emplace_back(now.leaves.size(), line);
    }
    now.leaves.emplace_back(link->hash);
    return true;
  };
  for (const auto& one : audit_segments(folder))
    if (auto read = each_audit_line(one.path, take); !read) return read.error();
  if (out.empty())
    return error(codes::request_invalid, found ? "no head speaks of that request's records yet"
                                               : "there is no record of that request");
  return out;
}

result<std::string> verify_audit_proof(std::string_view proof_json, std::string_view public_key) {
  boost::system::error_code ec;
  const auto document = json::parse({proof_json.data(), proof_json.size()}, ec);
  if (ec || !document.is_object()) return not_right("this is no proof");
  const auto& proof = document.get_object();
  const auto* shown = proof.if_contains("head");
  auto head = parse_audit_head(shown ? json::serialize(*shown) : std::string());
  if (!head) return not_right("the proof has no head");
  if (head->is_checkpoint || !is_well_signed(*head))
    return not_right("the head is not signed by the key that it names");
  if (!public_key.empty() && head->public_key != public_key)
    return not_right("the head is signed by another key: " + head->key_id);
  auto line = text_of(proof, "record");
  const auto link = audit_link_of(line);
  if (!link || audit_hash_of(line) != link->hash)
    return not_right("the record was changed: its hash is not that of what it says");
  const auto path = path_in(proof);
  if (!path) return path.error();
  if (link->seq < head->first || link->seq > head->seq ||
      audit_root_by(link->hash, *path) != head->root)
    return not_right("the record is none of those that the head speaks of");
  return line;
}

}  // namespace soma::security
