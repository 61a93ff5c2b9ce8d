#include "files/multipart_parser.hpp"

#include <algorithm>
#include <utility>

#include "core/codes.hpp"
#include "files/form_name.hpp"

namespace soma::files {
namespace {

error malformed(std::string why) {
  return {codes::upload_malformed, "the multipart body is not well-formed: " + std::move(why)};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// One parameter of a header: `; name=token` or `; name="text"`. Consumes it from `rest`. Without
// quotes a value goes on to the next semicolon, blanks and all: many a client forgets them.
struct parameter {
  std::string name, value;
};
std::optional<parameter> next_parameter(std::string_view& rest) {
  rest = trim(rest);
  if (rest.empty() || rest.front() != ';') return std::nullopt;
  rest = trim(rest.substr(1));
  std::size_t end = 0;
  while (end < rest.size() && is_token_char(rest[end])) ++end;
  parameter p{std::string(rest.substr(0, end)), {}};
  rest = trim(rest.substr(end));
  if (p.name.empty() || rest.empty() || rest.front() != '=') return std::nullopt;
  rest = trim(rest.substr(1));
  if (rest.empty() || rest.front() != '"') {
    p.value = trim(rest.substr(0, rest.find(';')));
    if (p.value.empty() || p.value.find('"') != std::string::npos) return std::nullopt;
    rest.remove_prefix(std::min(rest.find(';'), rest.size()));
    return p;
  }
  for (rest.remove_prefix(1); !rest.empty(); rest.remove_prefix(1)) {
    if (rest.front() == '"') {
      rest.remove_prefix(1);
      return p;
    }
    // A backslash escapes a quote and itself; before anything else it is of a path that an old
    // browser sends.
    if (rest.size() > 1 && rest[0] == '\\' && (rest[1] == '"' || rest[1] == '\\'))
      rest.remove_prefix(1);
    p.value += rest.front();
  }
  return std::nullopt;
}

// Whether nothing follows but the semicolon that some write behind the last parameter.
bool is_over(std::string_view rest) {
  rest = trim(rest);
  return rest.empty() || rest == ";";
}

result<void> take_disposition(std::string_view value, part_head& head, bool& seen) {
  if (seen) return malformed("a part has two Content-Dispositions");
  seen = true;
  const auto end = std::min(value.find(';'), value.size());
  if (!same(trim(value.substr(0, end)), "form-data")) return malformed("a part is not form-data");
  auto rest = value.substr(end);
  std::optional<std::string> name, filename, extended;
  while (!is_over(rest)) {
    auto p = next_parameter(rest);
    if (!p) return malformed("a Content-Disposition cannot be read");
    for (auto [known, to] :
         {std::pair("name", &name), {"filename", &filename}, {"filename*", &extended}}) {
      if (!same(p->name, known)) continue;
      if (*to) return malformed("a part is named twice");
      *to = std::move(p->value);
    }
  }
  if (!name) return malformed("a part has no name");
  head.name = std::move(*name);
  if (filename) head.filename = form_name(*filename);
  if (extended) {  // whoever sends both means this one
    auto decoded = extended_form_name(*extended);
    if (!decoded && !filename) return malformed("a part's filename* cannot be read");
    if (decoded) head.filename = std::move(*decoded);
  }
  return {};
}

result<void> take_field(std::string_view line, part_head& head, bool& disposed) {
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos ||
      !std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), is_token_char))
    return malformed("a part's header is no field");
  if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
    return malformed("a part's header holds a control character");
  const auto name = line.substr(0, colon);
  const auto value = trim(line.substr(colon + 1));
  if (same(name, "content-disposition")) return take_disposition(value, head, disposed);
  if (same(name, "content-type")) head.content_type = value;
  if (same(name, "content-transfer-encoding") && !same(value, "binary") && !same(value, "8bit") &&
      !same(value, "7bit"))
    return malformed("a part has a transfer encoding");
  return {};
}

}  // namespace

std::optional<std::string> multipart_parser::boundary_of(std::string_view content_type) {
  const auto end = std::min(content_type.find(';'), content_type.size());
  if (!same(trim(content_type.substr(0, end)), "multipart/form-data")) return std::nullopt;
  auto rest = content_type.substr(end);
  std::optional<std::string> boundary;
  while (!is_over(rest)) {
    auto p = next_parameter(rest);
    if (!p) return std::nullopt;
    if (!same(p->name, "boundary")) continue;
    if (boundary) return std::nullopt;
    boundary = std::move(p->value);
  }
  constexpr std::string_view allowed =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=? ";
  if (!boundary || boundary->empty() || boundary->size() > 70 || boundary->back() == ' ' ||
      boundary->find_first_not_of(allowed) != std::string::npos)
    return std::nullopt;
  return boundary;
}

// The body may begin with its first boundary: then the CRLF before it was the head's.
multipart_parser::multipart_parser(std::string_view boundary, std::size_t parts_max)
    : delimiter_("\r\n--" + std::string(boundary)), parts_max_(parts_max), held_("\r\n") {}

result<void> multipart_parser::feed(std::string_view bytes, part_sink& sink) {
  if (state_ == state::epilogue) return {};
  held_.erase(0, std::exchange(at_, 0));
  held_.append(bytes);
  for (;;) {
    auto more = step(sink);
    if (!more) return more.error();
    if (!*more) return {};
  }
}

result<void> multipart_parser::finish() const {
  if (state_ != state::epilogue) return malformed("it is cut off");
  return {};
}

result<bool> multipart_parser::step(part_sink& sink) {
  switch (state_) {
    case state::preamble: return take_preamble();
    case state::delimiter: return take_delimiter();
    case state::head: return take_head(sink);
    case state::body: return take_body(sink);
    case state::epilogue: break;
  }
  held_.clear();
  at_ = 0;
  return false;
}

result<bool> multipart_parser::take_preamble() {
  const auto found = held_.find(delimiter_, at_);
  if (found != std::string::npos && preamble_ + found - at_ <= preamble_bytes_max) {
    at_ = found + delimiter_.size();
    state_ = state::delimiter;
    return true;
  }
  const auto keep =
      found != std::string::npos ? 0 : std::min(held_.size() - at_, delimiter_.size() - 1);
  preamble_ += held_.size() - at_ - keep;
  at_ = held_.size() - keep;
  if (preamble_ > preamble_bytes_max) return malformed("its first boundary does not come");
  return false;
}

// What follows a boundary: blanks and CRLF, then a part; or two dashes, then nothing of interest.
result<bool> multipart_parser::take_delimiter() {
  const auto rest = std::string_view(held_).substr(at_);
  if (rest.starts_with("--")) {
    state_ = state::epilogue;
    return true;
  }
  const auto blanks = std::min(rest.find_first_not_of(" \t"), rest.size());
  if (blanks > 128) return malformed("a boundary is followed by too many blanks");
  const auto end = rest.substr(blanks);
  if (end.starts_with("\r\n")) {
    if (++parts_ > parts_max_)
      return error(codes::upload_too_many, "there are more parts than may be sent at once");
    at_ += blanks + 2;
    state_ = state::head;
    return true;
  }
  const bool undecided = end.empty() || end == "\r" || (blanks == 0 && end == "-");
  return undecided ? result<bool>(false) : malformed("a boundary is not the end of its line");
}

result<bool> multipart_parser::take_head(part_sink& sink) {
  const auto rest = std::string_view(held_).substr(at_);
  const auto end = rest.find("\r\n\r\n");
  if (std::min(end, rest.size()) > head_bytes_max) return malformed("a part's head is too long");
  if (end == std::string_view::npos) {
    if (rest.starts_with("\r\n")) return malformed("a part has no name");
    return false;
  }
  part_head head;
  bool disposed = false;
  for (auto lines = rest.substr(0, end + 2); !lines.empty();) {
    const auto line = lines.substr(0, lines.find("\r\n"));
    if (auto taken = take_field(line, head, disposed); !taken) return taken.error();
    lines.remove_prefix(line.size() + 2);
  }
  if (!disposed) return malformed("a part has no Content-Disposition");
  at_ += end + 4;
  state_ = state::body;
  if (auto taken = sink.on_part(head); !taken) return taken.error();
  return true;
}

result<bool> multipart_parser::take_body(part_sink& sink) {
  const auto found = held_.find(delimiter_, at_);
  const bool whole = found != std::string::npos;
  const auto keep = std::min(held_.size() - at_, delimiter_.size() - 1);
  const auto end = whole ? found : held_.size() - keep;
  if (end > at_)
    if (auto taken = sink.on_bytes(std::string_view(held_).substr(at_, end - at_)); !taken)
      return taken.error();
  at_ = end;
  if (!whole) return false;
  if (auto taken = sink.on_end(); !taken) return taken.error();
  at_ += delimiter_.size();
  state_ = state::delimiter;
  return true;
}

}  // namespace soma::files
