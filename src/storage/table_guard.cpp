#include "storage/table_guard.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace soma::storage {
namespace {

constexpr std::size_t footer_bytes = 53, magic_bytes = 8, restart_bytes = 4;
constexpr std::uint64_t table_magic = 0x88e241b785f4cff7u;
constexpr std::uint64_t list_bytes_max = 1u << 20;  // of the blocks that are no rows
constexpr std::uint32_t hashed = 1u << 31;

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t n = bytes.size(); n-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[n]);
  return value;
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

struct place {
  std::uint64_t offset = 0, bytes = 0;
};
std::optional<place> take_place(std::string_view& bytes) {
  const auto offset = take_varint(bytes);
  const auto size = offset ? take_varint(bytes) : std::nullopt;
  return size ? std::optional(place{*offset, *size}) : std::nullopt;
}

class table_file {
 public:
  table_file(rocksdb::FSRandomAccessFile& file, std::uint64_t bytes) : file_(file), bytes_(bytes) {}

  // Empty: it cannot be had.
  std::string read(std::uint64_t offset, std::uint64_t count) const {
    if (count > list_bytes_max || offset > bytes_ || count > bytes_ - offset) return {};
    std::string scratch(count, '\0');
    rocksdb::Slice found;
    const auto s = file_.Read(offset, count, rocksdb::IOOptions(), &found, scratch.data(), nullptr);
    return s.ok() && found.size() == count ? found.ToString() : std::string();
  }

 private:
  rocksdb::FSRandomAccessFile& file_;
  const std::uint64_t bytes_;
};

// Where the list of a table's other blocks says that the properties are.
std::optional<place> properties_in(std::string_view list) {
  if (list.size() < restart_bytes) return std::nullopt;
  const auto restarts = little_endian(list.substr(list.size() - restart_bytes));
  if (restarts >= list.size() / restart_bytes) return std::nullopt;
  auto rows = list.substr(0, list.size() - restart_bytes * (restarts + 1));
  std::string key;
  while (!rows.empty()) {
    const auto shared = take_varint(rows);
    const auto own = shared ? take_varint(rows) : std::nullopt;
    const auto value_bytes = own ? take_varint(rows) : std::nullopt;
    if (!value_bytes || *shared > key.size() || *own > rows.size() ||
        *value_bytes > rows.size() - *own)
      return std::nullopt;
    key.resize(*shared);
    key += rows.substr(0, *own);
    auto value = rows.substr(*own, *value_bytes);
    rows.remove_prefix(*own + *value_bytes);
    if (key == "rocksdb.properties") return take_place(value);
  }
  return std::nullopt;
}

}  // namespace

rocksdb::IOStatus guard_table(const std::string& name, rocksdb::FSRandomAccessFile& file,
                              std::uint64_t bytes) {
  const auto ok = rocksdb::IOStatus::OK();
  if (bytes < footer_bytes) return ok;
  const table_file table(file, bytes);
  const auto footer = table.read(bytes - footer_bytes, footer_bytes);
  if (footer.empty() ||
      little_endian(std::string_view(footer).substr(footer_bytes - magic_bytes)) != table_magic)
    return ok;
  auto handles = std::string_view(footer).substr(1);  // behind the kind of checksum
  const auto list = take_place(handles);
  if (!list) return ok;
  const auto properties = properties_in(table.read(list->offset, list->bytes));
  if (!properties || properties->bytes < restart_bytes) return ok;
  const auto end =
      table.read(properties->offset + properties->bytes - restart_bytes, restart_bytes);
  if (end.empty() || !(little_endian(end) & hashed)) return ok;
  return rocksdb::IOStatus::Corruption("the properties of " + name + " are damaged");
}

}  // namespace soma::storage
