#include "http/net/static_files.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "http/net/ascii.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"
#include "http/net/router.hpp"

namespace soma::http {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view page_policy =
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

constexpr std::string_view not_built_page =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>SomaAgent01</title>"
    "<h1>The page was not built</h1><p>The server runs and its API answers. Build the page with "
    "<code>npm ci &amp;&amp; npm run build</code> in <code>webui/</code>, then start again.</p>";

static_text content_type_of(std::string_view name) {
  constexpr struct {
    std::string_view ending;
    static_text type;
  } types[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".webp", "image/webp"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
  };
  for (const auto& [ending, type] : types)
    if (name.ends_with(ending)) return type;
  return "application/octet-stream";
}

bool is_text(std::string_view type) {
  return type.starts_with("text/") || type.starts_with("application/json") ||
         type.starts_with("application/manifest") || type == "image/svg+xml";
}

std::string gzip(std::string_view bytes) {
  z_stream z{};
  if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(deflateBound(&z, bytes.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
  out.resize(done ? z.total_out : 0);
  deflateEnd(&z);
  return out;
}

std::string etag_of(std::string_view bytes) {
  return '"' + fingerprint_text(fingerprint(bytes)) + '-' + std::to_string(bytes.size()) + '"';
}

// Vite's names: assets/index-CdKlNKv0.js. Eight characters or more after the last dash.
bool has_hashed_name(std::string_view name) {
  if (!name.starts_with("assets/")) return false;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot < 9) return false;
  const auto hash = name.substr(dot - 8, 8);
  return name[dot - 9] == '-' && std::all_of(hash.begin(), hash.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '_' || c == '-';
         });
}

// Whether gzip is named and not with q=0.
bool accepts_gzip(std::string_view header) {
  while (!header.empty()) {
    const auto comma = std::min(header.find(','), header.size());
    const auto item = trim(header.substr(0, comma));
    header.remove_prefix(std::min(comma + 1, header.size()));
    const auto semicolon = std::min(item.find(';'), item.size());
    if (!iequals(trim(item.substr(0, semicolon)), "gzip")) continue;
    const auto weight = item.substr(semicolon);
    const auto q = weight.find("q=");
    return q == std::string_view::npos ||
           weight.substr(q + 2).find_first_not_of("0. ") != std::string_view::npos;
  }
  return false;
}

response redirect_to_page() {
  response answer(302);
  answer.headers.emplace_back("Location", "/ui/index.html");
  return answer;
}

}  // namespace

static_files::static_files(const std::string& folder) {
  std::error_code ec;
  for (fs::recursive_directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
    const auto name = at->path().lexically_relative(folder).generic_string();
    if (at->path().filename().string().starts_with('.')) {
      if (at->is_directory(ec)) at.disable_recursion_pending();
      continue;
    }
    if (at->is_symlink(ec) || !at->is_regular_file(ec)) continue;
    std::ifstream in(at->path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    if (in) add(name, std::move(bytes).str());
  }
  built_ = files_.count("index.html") > 0;
  if (!built_) add("index.html", std::string(not_built_page));
}

void static_files::add(const std::string& name, std::string bytes) {
  file f;
  f.content_type = content_type_of(name);
  f.etag = etag_of(bytes);
  f.immutable = has_hashed_name(name);
  if (is_text(f.content_type)) {
    auto packed = gzip(bytes);
    if (!packed.empty() && packed.size() < bytes.size())
      f.gzip = std::make_shared<const std::string>(std::move(packed));
  }
  f.bytes = std::make_shared<const std::string>(std::move(bytes));
  files_.emplace(name, std::move(f));
}

response static_files::serve(std::string_view path, const request_context& ctx) const {
  const auto at = files_.find(std::string(path));
  if (at == files_.end()) return problem({codes::route_not_found, "No such file"}, ctx);
  const file& f = at->second;
  response answer;
  answer.content_type = f.content_type;
  answer.content_security_policy = page_policy;
  answer.cache_control =
      f.immutable ? static_text("public, max-age=31536000, immutable") : static_text("no-cache");
  const bool packed = f.gzip && accepts_gzip(ctx.header("Accept-Encoding"));
  // The packed form is another sequence of bytes, so it has an ETag of its own.
  std::string etag = f.etag;
  if (packed) etag.insert(etag.size() - 1, "-gz");
  const auto known = ctx.header("If-None-Match");
  if (f.gzip) answer.headers.emplace_back("Vary", "Accept-Encoding");
  if (!known.empty() && any_etag_matches(known, etag)) {
    answer.status = 304;
  } else {
    answer.shared_body = packed ? f.gzip : f.bytes;
    if (packed) answer.headers.emplace_back("Content-Encoding", "gzip");
  }
  answer.headers.emplace_back("ETag", std::move(etag));
  return answer;
}

void add_static_routes(router& routes, const static_files& files) {
  const auto redirect = [](request_context&) -> asio::awaitable<response> {
    co_return redirect_to_page();
  };
  const auto serve = [&files](request_context& ctx) -> asio::awaitable<response> {
    co_return files.serve(ctx.path_parameter("path"), ctx);
  };
  routes.add({verb::get, "/", "get_root", redirect, app::access::anyone});
  routes.add({verb::get, "/ui", "get_ui_root", redirect, app::access::anyone});
  routes.add({verb::get, "/ui/", "get_ui_folder", redirect, app::access::anyone});
  routes.add({verb::get, "/ui/{path*}", "get_ui", serve, app::access::anyone});
}

}  // namespace soma::http
