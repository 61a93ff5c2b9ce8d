// Cuts a multipart/form-data body (RFC 7578, RFC 2046) into its parts as it arrives, holding no
// more of it than one part's head and a boundary. See
// docs/decisions/0090-multipart-is-read-by-a-small-parser.md.
//
// Strict where leniency would make two readers see different files: lines end in CRLF, a part has
// one Content-Disposition `form-data`, a delimiter is followed by blanks and CRLF or by `--`, and
// no transfer encoding is undone. Names are read as clients write them, see form_name.
//
// Used by one thread at a time. Errors: upload.malformed, upload.too_many, and what the sink gives.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::files {

struct part_head {
  std::string name;
  std::optional<std::string> filename;  // decoded; a part that has one is a file
  std::string content_type;             // as claimed
};

class part_sink {
 public:
  virtual ~part_sink() = default;
  virtual result<void> on_part(const part_head& head) = 0;
  virtual result<void> on_bytes(std::string_view bytes) = 0;  // of the part last begun
  virtual result<void> on_end() = 0;                          // of that part
};

class multipart_parser {
 public:
  static constexpr std::size_t head_bytes_max = 8 * 1024;  // of one part
  static constexpr std::size_t preamble_bytes_max = 8 * 1024;

  // The boundary named by a Content-Type; nullopt when it is not multipart/form-data or names none
  // that RFC 2046 allows.
  static std::optional<std::string> boundary_of(std::string_view content_type);

  multipart_parser(std::string_view boundary, std::size_t parts_max);

  // The first failure ends it: nothing is fed after.
  result<void> feed(std::string_view bytes, part_sink& sink);
  // The body is over. Fails when its last boundary was not seen.
  result<void> finish() const;

 private:
  enum class state { preamble, delimiter, head, body, epilogue };

  result<bool> step(part_sink& sink);  // false: more bytes are needed
  result<bool> take_preamble();
  result<bool> take_delimiter();
  result<bool> take_head(part_sink& sink);
  result<bool> take_body(part_sink& sink);

  const std::string delimiter_;  // CRLF, two dashes, boundary
  const std::size_t parts_max_;
  state state_ = state::preamble;
  std::string held_;  // what is not dealt with yet; begins with the CRLF before the first boundary
  std::size_t at_ = 0;  // where that begins in `held_`
  std::size_t parts_ = 0, preamble_ = 0;
};

}  // namespace soma::files
