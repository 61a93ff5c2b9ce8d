#include "llm/picture.hpp"

#include <openssl/evp.h>

#include <fstream>
#include <utility>

#include "core/context.hpp"
#include "core/file_kind.hpp"

namespace soma::llm {

std::optional<picture> read_picture(std::string content_type, const std::string& path) {
  if (!kind_if_no_file(path).empty()) return std::nullopt;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return std::nullopt;
  const auto size = static_cast<std::size_t>(file.tellg());
  if (size == 0 || size > picture_bytes_max) return std::nullopt;
  std::string bytes(size, '\0');
  file.seekg(0).read(bytes.data(), static_cast<std::streamsize>(size));
  if (!file) return std::nullopt;
  auto out = std::make_shared<std::string>((size + 2) / 3 * 4 + 1, '\0');
  const int written =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out->data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(size));
  out->resize(static_cast<std::size_t>(written));
  return picture{std::move(content_type), std::move(out)};
}

}  // namespace soma::llm
