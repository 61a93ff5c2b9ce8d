#include "http/net/router.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/limits.hpp"

namespace soma::http {
namespace {

constexpr std::size_t verb_count = static_cast<std::size_t>(verb::other);
using segments = std::array<std::string_view, limits::http_path_segments_max>;

[[noreturn]] void refuse_pattern(const route& r, const char* why) {
  std::fprintf(stderr, "route %s %s: %s\n", std::string(to_string(r.verb)).c_str(),
               r.pattern.c_str(), why);
  std::abort();
}

}  // namespace

struct router::node {
  std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;
  std::unique_ptr<node> parameter;
  std::unique_ptr<node> tail;  // takes all that is left
  std::string tail_name;
  std::array<const http::route*, verb_count> by_verb{};
  std::vector<std::vector<std::string>> names{verb_count};  // a verb's names for the parameters
  std::string allow;

  node* literal(std::string_view text) const {
    for (const auto& [name, child] : literals)
      if (name == text) return child.get();
    return nullptr;
  }

  const node* walk(const segments& parts, std::size_t count, std::size_t at, segments& captured,
                   std::size_t captures) const {
    if (at == count) return allow.empty() ? nullptr : this;
    if (const node* next = literal(parts[at]))
      if (const node* found = next->walk(parts, count, at + 1, captured, captures)) return found;
    if (parameter && !parts[at].empty()) {
      captured[captures] = parts[at];
      if (const node* found = parameter->walk(parts, count, at + 1, captured, captures + 1))
        return found;
    }
    return tail ? tail.get() : nullptr;
  }
};

router::router() : root_(std::make_unique<node>()) {}
router::~router() = default;
router::router(router&&) noexcept = default;
router& router::operator=(router&&) noexcept = default;

void router::add(route r) {
  if (r.pattern.empty() || r.pattern[0] != '/') refuse_pattern(r, "does not begin with a slash");
  if (r.verb == verb::other || r.verb == verb::options) refuse_pattern(r, "method is not ours");
  node* at = root_.get();
  std::vector<std::string> names;
  std::string_view rest = std::string_view(r.pattern).substr(1);
  for (bool more = true; more;) {
    const auto slash = rest.find('/');
    const auto part = rest.substr(0, slash);
    more = slash != std::string_view::npos;
    if (more) rest.remove_prefix(slash + 1);
    if (part.starts_with('{') && part.ends_with("*}")) {
      if (more) refuse_pattern(r, "segments follow a tail");
      if (!at->tail) at->tail = std::make_unique<node>();
      names.emplace_back(part.substr(1, part.size() - 3));
      at = at->tail.get();
      at->tail_name = names.back();
    } else if (part.starts_with('{') && part.ends_with('}')) {
      if (!at->parameter) at->parameter = std::make_unique<node>();
      names.emplace_back(part.substr(1, part.size() - 2));
      at = at->parameter.get();
    } else {
      node* next = at->literal(part);
      if (!next) next = at->literals.emplace_back(part, std::make_unique<node>()).second.get();
      at = next;
    }
  }
  const auto slot = static_cast<std::size_t>(r.verb);
  if (at->by_verb[slot]) refuse_pattern(r, "registered twice");
  if (names.size() > 4) refuse_pattern(r, "more than four parameters");
  const auto& stored = routes_.emplace_back(std::make_unique<http::route>(std::move(r)));
  at->by_verb[slot] = stored.get();
  at->names[slot] = std::move(names);

  const auto has = [&](verb v) { return at->by_verb[static_cast<std::size_t>(v)] != nullptr; };
  at->allow.clear();
  for (verb v : {verb::get, verb::head, verb::post, verb::put, verb::patch, verb::delete_})
    if (has(v) || (v == verb::head && has(verb::get))) at->allow.append(to_string(v)).append(", ");
  at->allow += "OPTIONS";
}

router::match router::find(request_context& ctx) const {
  match found;
  if (ctx.path.empty() || ctx.path[0] != '/') return found;
  segments parts, captured;
  std::array<std::size_t, limits::http_path_segments_max> offsets{};
  std::size_t count = 0;
  for (std::size_t at = 1;;) {
    if (count == parts.size()) return found;
    const auto end = std::min(ctx.path.find('/', at), ctx.path.size());
    const auto part = ctx.decode(ctx.path.substr(at, end - at), false);
    if (!part || *part == "." || *part == "..") {
      found.outcome = outcome::malformed_path;
      return found;
    }
    offsets[count] = at;
    parts[count++] = *part;
    if (end == ctx.path.size()) break;
    at = end + 1;
  }
  const node* place = root_->walk(parts, count, 0, captured, 0);
  if (!place) return found;
  found.allow = place->allow;
  auto slot = static_cast<std::size_t>(ctx.verb);
  if (ctx.verb == verb::head && !place->by_verb[slot]) slot = static_cast<std::size_t>(verb::get);
  if (slot >= verb_count || !place->by_verb[slot]) {
    found.outcome = outcome::method_not_allowed;
    return found;
  }
  found.outcome = outcome::found;
  found.route = place->by_verb[slot];
  const auto& names = place->names[slot];
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i + 1 < names.size() || place->tail_name.empty()) {
      ctx.add_path_parameter(names[i], captured[i]);
      continue;
    }
    // The tail begins at the segment where the pattern's own segments end.
    const auto fixed = static_cast<std::size_t>(
        std::count(found.route->pattern.begin(), found.route->pattern.end(), '/') - 1);
    const auto rest = ctx.decode(ctx.path.substr(offsets[fixed]), false);
    ctx.add_path_parameter(names[i], rest ? *rest : std::string_view{});
  }
  return found;
}

std::vector<const route*> router::routes() const {
  std::vector<const http::route*> all;
  for (const auto& r : routes_) all.push_back(r.get());
  return all;
}

}  // namespace soma::http
