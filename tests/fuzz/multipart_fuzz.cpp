// Feeds any bytes to the parser of uploads, cut as the first byte says and in one piece: both must
// see the same parts, and what is not whole must not pass for it. The second byte chooses how many
// parts are taken.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "files/multipart_parser.hpp"

namespace {

using namespace soma;
using namespace soma::files;

void require(bool holds) {
  if (!holds) std::abort();
}

struct seen final : part_sink {
  std::vector<std::string> parts;
  bool open = false;

  result<void> on_part(const part_head& head) override {
    require(!open);
    open = true;
    require(head.name.size() <= multipart_parser::head_bytes_max);
    parts.push_back(head.name + '\n' + head.filename.value_or("(none)") + '\n' + head.content_type +
                    '\n');
    return {};
  }
  result<void> on_bytes(std::string_view bytes) override {
    require(open && !bytes.empty());
    parts.back() += bytes;
    return {};
  }
  result<void> on_end() override {
    require(open);
    open = false;
    return {};
  }
};

struct outcome {
  std::vector<std::string> parts;
  std::string_view code;
  bool operator==(const outcome&) const = default;
};

outcome read(std::string_view body, std::size_t step, std::size_t parts_max) {
  seen sink;
  multipart_parser parser("b", parts_max);
  for (std::size_t at = 0; at < body.size(); at += step)
    // What was handed on before a failure depends on the cuts.
    if (auto fed = parser.feed(body.substr(at, step), sink); !fed) return {{}, fed.error().code};
  if (auto whole = parser.finish(); !whole) return {{}, whole.error().code};
  require(!sink.open);
  return {std::move(sink.parts), {}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t parts_max = data[1] % 8;
  const auto whole = read(bytes, bytes.size() + 1, parts_max);
  const auto cut = read(bytes, data[0] % 64 + 1u, parts_max);
  require(whole == cut);
  (void)multipart_parser::boundary_of(bytes);
  return 0;
}
