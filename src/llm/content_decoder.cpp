#include "llm/content_decoder.hpp"

#include <zlib.h>

#include <algorithm>
#include <vector>

namespace soma::llm {
namespace {

constexpr std::size_t codings_max = 3;
constexpr std::size_t piece_bytes = 64 * 1024;
constexpr int gzip_or_zlib = 15 + 32, raw_deflate = -15;

class inflater final : public content_decoder {
 public:
  ~inflater() override { end(); }

  bool feed(std::string_view bytes, const on_bytes& out) override {
    if (over_ || bytes.empty()) return true;  // what follows the end is padding
    if (!begun_ && !begin(static_cast<unsigned char>(bytes.front()))) return false;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (true) {
      stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
      stream_.avail_out = static_cast<uInt>(piece_.size());
      const int how = inflate(&stream_, Z_SYNC_FLUSH);
      const auto made = piece_.size() - stream_.avail_out;
      if (made > 0 && !out({piece_.data(), made})) return false;
      if (how == Z_STREAM_END) {
        // gzip may go on with another member.
        if (stream_.avail_in == 0 || *stream_.next_in != 0x1f) {
          over_ = stream_.avail_in > 0;
          if (inflateReset(&stream_) != Z_OK) over_ = true;
          return true;
        }
        if (inflateReset(&stream_) != Z_OK) return false;
        continue;
      }
      if (how != Z_OK && how != Z_BUF_ERROR) return false;
      if (stream_.avail_in == 0 && stream_.avail_out > 0) return true;
      if (how == Z_BUF_ERROR && made == 0) return true;
    }
  }

 private:
  // Raw deflate has no header: neither gzip's 1f nor zlib's method 8 in the low bits.
  bool begin(unsigned char first) {
    const bool headed = first == 0x1f || (first & 0x0f) == 8;
    begun_ = inflateInit2(&stream_, headed ? gzip_or_zlib : raw_deflate) == Z_OK;
    return begun_;
  }
  void end() {
    if (begun_) inflateEnd(&stream_);
  }

  z_stream stream_{};
  bool begun_ = false, over_ = false;
  std::vector<char> piece_ = std::vector<char>(piece_bytes);
};

class passing final : public content_decoder {
 public:
  bool feed(std::string_view bytes, const on_bytes& out) override {
    return bytes.empty() || out(bytes);
  }
};

// `outer` was put on last and comes off first.
class chain final : public content_decoder {
 public:
  chain(std::unique_ptr<content_decoder> outer, std::unique_ptr<content_decoder> inner)
      : outer_(std::move(outer)), inner_(std::move(inner)) {}

  bool feed(std::string_view bytes, const on_bytes& out) override {
    return outer_->feed(bytes, [&](std::string_view part) { return inner_->feed(part, out); });
  }

 private:
  std::unique_ptr<content_decoder> outer_, inner_;
};

std::string next_word(std::string_view& list) {
  const auto end = std::min(list.find(','), list.size());
  std::string word;
  for (const char c : list.substr(0, end))
    if (c != ' ' && c != '\t') word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  list.remove_prefix(std::min(end + 1, list.size()));
  return word;
}

}  // namespace

std::unique_ptr<content_decoder> content_decoder::make(std::string_view content_encoding) {
  std::unique_ptr<content_decoder> made = std::make_unique<passing>();
  std::size_t codings = 0;
  while (!content_encoding.empty()) {
    const auto word = next_word(content_encoding);
    if (word.empty() || word == "identity") continue;
    const bool known = word == "gzip" || word == "x-gzip" || word == "deflate";
    if (!known || ++codings > codings_max) return nullptr;
    made = std::make_unique<chain>(std::make_unique<inflater>(), std::move(made));
  }
  return made;
}

}  // namespace soma::llm
