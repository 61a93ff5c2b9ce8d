// Feeds any bytes to what reads a request before a handler does, cut as the first byte says and in
// one piece: both must read the same, every view must lie inside the head, and a body must not
// pass its bound. What was read then goes past the guard and through the router.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "http/net/host_guard.hpp"
#include "http/net/request_parser.hpp"
#include "http/net/router.hpp"

namespace {

using namespace soma::http;

constexpr std::uint64_t body_bytes_max = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

const router& routes() {
  static const router all = [] {
    router r;
    for (const char* pattern : {"/", "/v1/sessions", "/v1/sessions/{id}", "/v1/session/@me/events",
                                "/v1/session/{id}/events", "/ui/{path*}"})
      r.add({verb::get, pattern, "any", {}, soma::app::access::anyone});
    return r;
  }();
  return all;
}

struct outcome {
  std::size_t head_size = 0, used = 0;
  head_scanner::outcome scanned = head_scanner::outcome::incomplete;
  std::string_view code;  // why it was refused
  std::string body;
  bool done = false;
  verb method = verb::other;

  bool operator==(const outcome&) const = default;
};

void judge_views(const request_context& ctx, std::string_view head) {
  const auto inside = [&](std::string_view view) {
    require(view.empty() ||
            (view.data() >= head.data() && view.data() + view.size() <= head.data() + head.size()));
  };
  if (ctx.path != "/") inside(ctx.path);  // of a URL without a path, nothing in the head is
  inside(ctx.query);
  for (const auto& field : ctx.headers) {
    inside(field.name);
    inside(field.value);
    require(!field.name.empty());
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
}

// Reads one request as a connection does, `step` bytes at a time.
outcome read(std::string_view bytes, std::size_t step) {
  outcome out;
  head_scanner scanner;
  std::size_t end = 0;
  while (out.scanned == head_scanner::outcome::incomplete && end < bytes.size()) {
    end = std::min(end + step, bytes.size());
    out.scanned = scanner.scan(bytes.substr(0, end));
  }
  if (out.scanned != head_scanner::outcome::complete) return out;
  out.head_size = out.used = scanner.head_size();
  require(out.head_size <= end);
  // Of just its size, so that a read behind it is seen.
  const auto copy = std::make_unique<char[]>(out.head_size);
  std::memcpy(copy.get(), bytes.data(), out.head_size);
  const std::string_view head(copy.get(), out.head_size);

  request_context ctx;
  request_parser parser(ctx, 20);
  if (const auto bad = parser.parse_head(head)) {
    out.code = bad->code;
    return out;
  }
  judge_views(ctx, head);
  out.method = ctx.verb;
  static const host_guard guard({"soma.example"});
  (void)guard.check(parser.host(), ctx);
  (void)ctx.trace_id();
  (void)routes().find(ctx);
  query_reader query(ctx);
  (void)query.take("after");
  (void)query.rest();

  while (!parser.is_done()) {
    end = std::max(end, out.used);
    const auto rest = bytes.substr(out.used, end - out.used);
    const auto progress = parser.parse_body(rest, out.body, body_bytes_max);
    require(progress.used <= rest.size());
    out.used += progress.used;
    require(out.body.size() <= body_bytes_max);
    if (progress.failure) {
      // Of several faults, which is told depends on the cuts, as does what was taken before.
      out.code = "refused";
      out.used = 0;
      out.body.clear();
      return out;
    }
    if (progress.used > 0 || parser.is_done()) continue;
    if (end == bytes.size()) break;
    end = std::min(end + step, bytes.size());
  }
  out.done = parser.is_done();
  if (!out.done) out.used = 0;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read(bytes, bytes.size() + 1);
  const auto cut = read(bytes, data[0] % 32 + 1u);
  require(whole == cut);
  return 0;
}
