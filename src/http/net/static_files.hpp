// The page's build folder, held in memory: read once at start, so no request touches the disk and
// no path can leave the folder. Text is gzipped once, too. Immutable; thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/net/request_context.hpp"
#include "http/net/response.hpp"

namespace soma::http {

class router;

class static_files {
 public:
  // A folder that is missing or has no index.html gives a page that says so. Symbolic links are not
  // followed; names that begin with a dot are left out.
  explicit static_files(const std::string& folder);

  // `path` is relative to the folder, decoded. 200, 304 for a matching If-None-Match, or 404.
  response serve(std::string_view path, const request_context& ctx) const;

  std::size_t file_count() const { return files_.size(); }
  bool built() const { return built_; }

 private:
  struct file {
    std::shared_ptr<const std::string> bytes;
    std::shared_ptr<const std::string> gzip;  // null where it would not be smaller
    std::string etag;                         // quoted, from the content
    static_text content_type;
    bool immutable = false;  // its name holds a hash of its content
  };
  void add(const std::string& name, std::string bytes);

  std::unordered_map<std::string, file> files_;
  bool built_ = false;
};

// GET / and /ui redirect to /ui/index.html; GET /ui/{path*} serves. `files` outlives the router.
void add_static_routes(router& routes, const static_files& files);

}  // namespace soma::http
