// Checks JSON bodies against schemas/requests/*.schema.json before a handler sees them. Compiled
// once at start, immutable after; thread-safe.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/limits.hpp"
#include "http/net/problem.hpp"

namespace soma::http {

class body_schemas {
 public:
  struct source {
    std::string_view name;  // operation id
    std::string_view text;  // JSON Schema draft 7
  };
  struct refusal {
    error why;
    std::vector<problem_member> members;
  };

  body_schemas();
  ~body_schemas();
  body_schemas(body_schemas&&) noexcept;
  body_schemas& operator=(body_schemas&&) noexcept;

  // server.internal names the schema that is none: a fault of the build.
  static result<body_schemas> compile(const std::vector<source>& sources,
                                      std::size_t depth_max = limits::http_json_depth_max);

  bool has(std::string_view name) const;
  // The size of the largest body that the schema takes, with some white space; the largest number
  // where it sets none, and for an unknown name.
  std::uint64_t bytes_max(std::string_view name) const;

  // Fills `out` and returns nullopt, or says why not:
  //   request.unsupported_media_type  not application/json
  //   request.malformed_json          not JSON, not UTF-8, a member repeated, nested too deep
  //   request.unknown_field           a member no schema knows; member `field` names it
  //   request.invalid                 anything else, too many members of an object among it; member
  //   `errors` lists {pointer,detail}
  // `name` must be known.
  std::optional<refusal> check(std::string_view name, std::string_view content_type,
                               std::string_view body, boost::json::value& out) const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace soma::http
