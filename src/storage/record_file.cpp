#include "storage/record_file.hpp"

#include <algorithm>
#include <boost/crc.hpp>
#include <cstring>
#include <fstream>

#include "core/codes.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t block_bytes = 32 * 1024, header_bytes = 7;
constexpr std::uint64_t sector_bytes = 512;      // a disk writes it whole or not
constexpr std::uint64_t payload_zeros_max = 64;  // more in a row are in no commit
enum : unsigned char { zero, whole, first, middle, last };

using crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

// A checksum is kept masked, so that one over bytes that hold a checksum is no trivial value.
std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

struct header {
  std::uint32_t checksum = 0;
  std::size_t length = 0;
  unsigned char type = 0;

  explicit header(const char* at) {
    const auto byte = [&](int n) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(at[n]));
    };
    checksum = byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
    length = byte(4) | byte(5) << 8;
    type = static_cast<unsigned char>(at[6]);
  }
  bool is_of_known_type() const { return type >= whole && type <= last; }
  bool fits(std::string_view bytes) const { return header_bytes + length <= bytes.size(); }
  bool matches(std::string_view bytes) const {
    crc32c crc;
    crc.process_bytes(bytes.data() + header_bytes - 1, length + 1);  // the type, then the payload
    return masked(crc.checksum()) == checksum;
  }
};

// Whether a whole record is in `bytes`, which begin with a header that claims more than there is:
// then its length is damaged, or it hides others. Else it is what a torn write left.
bool hides_a_record(std::string_view bytes) {
  const header h(bytes.data());
  crc32c crc;
  crc.process_byte(h.type);
  for (std::size_t at = header_bytes;; ++at) {
    if (masked(crc.checksum()) == h.checksum) return true;
    if (at == bytes.size()) break;
    crc.process_byte(static_cast<unsigned char>(bytes[at]));
  }
  for (std::size_t at = 1; at + header_bytes <= bytes.size(); ++at) {
    const auto rest = bytes.substr(at);
    const header next(rest.data());
    if (next.is_of_known_type() && next.length > 0 && next.fits(rest) && next.matches(rest))
      return true;
  }
  return false;
}

class checker {
 public:
  // From `end` on the file is zeros.
  checker(record_check how, const record_visitor& visit, std::uint64_t size, std::uint64_t end)
      : how_(how), visit_(visit), end_(end) {
    state_.size = size;
  }

  record_file_state take() && { return std::move(state_); }

  // False: nothing behind this block matters.
  bool block(std::string_view bytes, std::uint64_t offset) {
    block_offset_ = offset;
    const bool with_checksums = offset + bytes.size() >= end_ || how_ == record_check::everything;
    std::size_t at = 0;
    while (at + header_bytes <= bytes.size()) {
      const auto rest = bytes.substr(at);
      const header h(rest.data());
      if (!h.is_of_known_type())
        return !torn_off(at, h) &&
               damage(at, h.type == zero && h.length == 0 ? "an empty header" : "an unknown type");
      if (at + header_bytes + h.length > block_bytes)
        return damage(at, "a length beyond the end of its block");
      if (!h.fits(rest)) return hides_a_record(rest) ? damage(at, "a wrong length") : true;
      if (with_checksums && !h.matches(rest))
        return !torn_off(at, h) && damage(at, "a wrong checksum");
      if (!piece(at, h.type, rest.substr(header_bytes, h.length))) return false;
      at += header_bytes + h.length;
    }
    return true;
  }

 private:
  bool damage(std::size_t at, const char* what) {
    open_ = false;
    if (!state_.damage) state_.damage = record_damage{block_offset_ + at, what};
    return how_ == record_check::everything && visit_;
  }

  bool piece(std::size_t at, unsigned char type, std::string_view payload) {
    const bool begins = type == whole || type == first;
    if (begins == open_) {
      // Behind damage a record may well begin in what is lost.
      if (state_.damage && !begins) return true;
      if (!damage(at, begins ? "a record without an end" : "a record without a beginning"))
        return false;
      if (!begins) return true;
    }
    if (begins) {
      begin_ = block_offset_ + at;
      payload_.clear();
    }
    if (visit_) payload_ += payload;
    open_ = type == first || type == middle;
    if (open_) return true;
    if (!state_.damage) state_.good_bytes = block_offset_ + at + header_bytes + payload.size();
    if (visit_) visit_({begin_, payload_, state_.damage.has_value()});
    return true;
  }

  // Whether the write that this header belongs to goes on in zeros to the end of the file: from the
  // header on, or from where one of its sectors begins. Nothing comes behind it then.
  bool torn_off(std::size_t at, const header& h) {
    const auto offset = block_offset_ + at;
    const auto lost_from = (end_ + sector_bytes - 1) / sector_bytes * sector_bytes;
    const bool all = end_ <= offset;
    const bool rest =
        lost_from < offset + header_bytes + h.length && state_.size - end_ > payload_zeros_max;
    if (state_.damage || !(all || rest)) return false;
    state_.zeros_from = std::max(offset, end_);
    return true;
  }

  const record_check how_;
  const record_visitor& visit_;
  const std::uint64_t end_;
  record_file_state state_;
  std::uint64_t block_offset_ = 0, begin_ = 0;
  std::string payload_;
  bool open_ = false;  // pieces are missing of the record under way
};

// Where the file's zeros begin that go on to its end.
std::uint64_t end_without_zeros(std::istream& file, std::uint64_t size) {
  std::string bytes(block_bytes, '\0');
  for (auto end = size; end > 0 && file;) {
    const auto begin = (end - 1) / block_bytes * block_bytes;
    bytes.resize(end - begin);
    file.seekg(static_cast<std::streamoff>(begin));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (const auto last = bytes.find_last_not_of('\0'); last != bytes.npos) return begin + last + 1;
    end = begin;
  }
  return 0;
}

}  // namespace

result<record_file_state> check_record_file(const std::string& path, record_check how,
                                            const record_visitor& visit) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto size =
      static_cast<std::uint64_t>(file ? static_cast<std::streamoff>(file.tellg()) : 0);
  checker check(how, visit, size, end_without_zeros(file, size));
  file.seekg(0);
  std::string bytes(block_bytes, '\0');
  bool more = true;
  for (std::uint64_t at = 0; file && more && at < size; at += block_bytes) {
    const auto wanted = std::min<std::uint64_t>(block_bytes, size - at);
    file.read(bytes.data(), static_cast<std::streamsize>(wanted));
    if (file) more = check.block({bytes.data(), wanted}, at);
  }
  if (!file) return error(codes::storage_unavailable, "cannot read " + path);
  return std::move(check).take();
}

}  // namespace soma::storage
