// Reads a picture for a request. Thread-safe; blocks on the disk, and takes some milliseconds a
// megabyte: not for an io thread.
#pragma once

#include <optional>
#include <string>

#include "llm/llm_client.hpp"

namespace soma::llm {

// None where the file cannot be read, is empty or has more bytes than picture_bytes_max.
std::optional<picture> read_picture(std::string content_type, const std::string& path);

}  // namespace soma::llm
