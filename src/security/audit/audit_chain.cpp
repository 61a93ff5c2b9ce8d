#include "security/audit/audit_chain.hpp"

#include <charconv>

#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::string_view begin = "{\"seq\":", at_name = ",\"at\":\"",
                           what_name = "\",\"what\":\"", prev_name = ",\"prev_hash\":\"",
                           hash_name = ",\"hash\":\"";
constexpr std::size_t time_size = 24;  // of format_rfc3339
// `,"hash":"H"}` and `,"prev_hash":"H"` before it.
constexpr std::size_t hash_size = hash_name.size() + audit_hash_digits + 2;
constexpr std::size_t prev_size = prev_name.size() + audit_hash_digits + 1;

bool are_digits(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string hash_of_text(std::string_view text) {
  return hex(bytes_of(sha256(text)));
}

// RFC 6962: the left subtree is the largest whole one that leaves something to the right.
std::size_t left_part(std::size_t leaves) {
  std::size_t part = 1;
  while (part * 2 < leaves) part *= 2;
  return part;
}

std::string root_of(std::span<const std::string> leaves) {
  audit_tree all;
  for (const auto& one : leaves) all.add(one);
  return all.root();
}

}  // namespace

std::string audit_chained(audit_place& last, std::string_view members) {
  std::string line(begin);
  line.reserve(begin.size() + 20 + members.size() + prev_size + hash_size);
  line.append(std::to_string(++last.seq)).append(",").append(members);
  line.append(prev_name).append(last.hash).append("\"}");
  last.hash = hash_of_text(line);
  line.pop_back();
  line.append(hash_name).append(last.hash).append("\"}");
  return line;
}

std::optional<audit_link> audit_link_of(std::string_view line) {
  if (line.size() < begin.size() + hash_size + prev_size || !line.starts_with(begin) ||
      !line.ends_with("\"}"))
    return std::nullopt;
  audit_link out;
  const char* from = line.data() + begin.size();
  const char* end = line.data() + line.size();
  const auto number = std::from_chars(from, end, out.seq);
  if (number.ec != std::errc() || *from == '0') return std::nullopt;
  auto rest = line.substr(static_cast<std::size_t>(number.ptr - line.data()));
  if (!rest.starts_with(at_name) || rest.size() < at_name.size() + time_size + what_name.size())
    return std::nullopt;
  rest.remove_prefix(at_name.size());
  out.at = rest.substr(0, time_size);
  rest.remove_prefix(time_size);
  if (!rest.starts_with(what_name)) return std::nullopt;
  rest.remove_prefix(what_name.size());
  out.what = rest.substr(0, rest.find('"'));

  const auto hash = line.substr(line.size() - hash_size);
  const auto prev = line.substr(line.size() - hash_size - prev_size, prev_size);
  out.hash = hash.substr(hash_name.size(), audit_hash_digits);
  out.prev_hash = prev.substr(prev_name.size(), audit_hash_digits);
  if (!hash.starts_with(hash_name) || !prev.starts_with(prev_name) || !prev.ends_with('"') ||
      !are_digits(out.hash) || !are_digits(out.prev_hash))
    return std::nullopt;
  return out;
}

std::string audit_hash_of(std::string_view line) {
  thread_local std::string hashed;
  hashed.assign(line.substr(0, line.size() - hash_size)).push_back('}');
  return hash_of_text(hashed);
}

std::string audit_node(std::string_view left, std::string_view right) {
  thread_local std::string text;
  text.assign("soma-audit-node\n").append(left).append("\n").append(right).append("\n");
  return hash_of_text(text);
}

void audit_tree::add(std::string_view leaf) {
  peaks_.emplace_back(leaf);
  ++size_;
  for (auto n = size_; n % 2 == 0; n /= 2) {
    auto right = std::move(peaks_.back());
    peaks_.pop_back();
    peaks_.back() = audit_node(peaks_.back(), right);
  }
}

std::string audit_tree::root() const {
  if (peaks_.empty()) return {};
  auto root = peaks_.back();
  for (auto i = peaks_.size() - 1; i > 0; --i) root = audit_node(peaks_[i - 1], root);
  return root;
}

std::vector<audit_step> audit_path(std::span<const std::string> leaves, std::size_t at) {
  if (leaves.size() < 2) return {};
  const auto part = left_part(leaves.size());
  const auto left = leaves.first(part), right = leaves.subspan(part);
  const bool is_left = at < part;
  auto path = is_left ? audit_path(left, at) : audit_path(right, at - part);
  path.push_back({!is_left, is_left ? root_of(right) : root_of(left)});
  return path;
}

std::string audit_root_by(std::string_view leaf, std::span<const audit_step> path) {
  std::string root(leaf);
  for (const auto& step : path)
    root = step.left ? audit_node(step.hash, root) : audit_node(root, step.hash);
  return root;
}

}  // namespace soma::security
