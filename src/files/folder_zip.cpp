#include "files/folder_zip.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <vector>

#include "core/codes.hpp"
#include "core/utf8.hpp"
#include "files/beneath.hpp"
#include "files/folder_walk.hpp"

namespace soma::files {
namespace {

constexpr std::size_t piece_bytes = 128 * 1024;

// libarchive takes the names of entries through the thread's locale, which must be one of UTF-8.
class utf8_locale {
 public:
  utf8_locale() : before_(::uselocale(shared())) {}
  ~utf8_locale() { ::uselocale(before_); }
  utf8_locale(const utf8_locale&) = delete;

 private:
  static locale_t shared() {
    static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return made;
  }
  const locale_t before_;
};

struct level {
  work_handle folder;
  std::string prefix;
  std::vector<std::string> names;  // still to come, the last one first
  std::set<std::string> given;     // as the archive has them
};

// Programs may have called a file what is no UTF-8, which libarchive has no name for, or what an
// unpacker takes for a path or writes to a terminal.
std::string name_in_archive(const std::string& name) {
  std::string out;
  for (std::string_view rest = name; !rest.empty();) {
    const auto length = utf8_sequence_length(rest);
    const bool plain = length > 0 && rest[0] != '\\' && static_cast<unsigned char>(rest[0]) >= ' ';
    if (plain && rest[0] != 0x7f)
      out += rest.substr(0, length);
    else
      out += '_';
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

// No two of one folder are the same.
std::string new_name_in(std::set<std::string>& given, const std::string& name) {
  const auto base = name_in_archive(name);
  auto out = base;
  for (int n = 2; !given.insert(out).second; ++n) out = base + '~' + std::to_string(n);
  return out;
}

}  // namespace

struct folder_zip::impl {
  explicit impl(work_handle folder) : archive(archive_write_new()) {
    const utf8_locale names_are_utf8;
    auto names = sorted_names(folder);
    levels.push_back({std::move(folder), {}, std::move(names), {}});
    archive_write_set_format_zip(archive);
    archive_write_set_options(archive, "zip:hdrcharset=UTF-8");
    archive_write_set_bytes_per_block(archive, 0);
    archive_write_open(archive, this, nullptr, &impl::take, nullptr);
  }
  ~impl() { archive_write_free(archive); }
  impl(const impl&) = delete;

  static la_ssize_t take(struct archive*, void* self, const void* bytes, std::size_t size) {
    static_cast<impl*>(self)->out.append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
  }

  static std::vector<std::string> sorted_names(const work_handle& folder) {
    auto names = names_in(folder.get());
    std::sort(names.rbegin(), names.rend());
    return names;
  }

  error failed() const {
    const char* why = archive_error_string(archive);
    return {codes::storage_unavailable, std::string("the archive failed: ") + (why ? why : "")};
  }

  // One step: a piece of the open file, or the next entry. False at the end.
  result<bool> step() {
    if (file.handle.valid()) return add_piece();
    if (levels.empty()) {
      if (archive_write_close(archive) != ARCHIVE_OK) return failed();
      return false;
    }
    if (levels.back().names.empty()) {
      levels.pop_back();
      return true;
    }
    const auto name = std::move(levels.back().names.back());
    levels.back().names.pop_back();
    return begin_entry(name);
  }

  result<bool> begin_entry(const std::string& name) {
    const auto folder = levels.back().folder.get();
    const auto found = entry_of(folder, name);
    if (!found || found->kind == work_kind::other) return true;
    const auto path = levels.back().prefix + new_name_in(levels.back().given, name);
    if (found->kind == work_kind::folder) {
      work_handle inner(open_beneath(folder, name.c_str(), O_RDONLY | O_DIRECTORY));
      if (!inner.valid() || levels.size() > walk_depth_max) return true;
      if (auto put = put_header(path + '/', *found, AE_IFDIR); !put) return put;
      auto names = sorted_names(inner);
      levels.push_back({std::move(inner), path + '/', std::move(names), {}});
      return true;
    }
    work_file opened;
    opened.handle = work_handle(open_beneath(folder, name.c_str(), O_RDONLY));
    struct stat now {};
    if (!opened.handle.valid() || ::fstat(opened.handle.get(), &now) != 0 || !S_ISREG(now.st_mode))
      return true;  // replaced meanwhile
    auto entry = *found;
    entry.size_bytes = static_cast<std::uint64_t>(now.st_size);
    if (auto put = put_header(path, entry, AE_IFREG); !put) return put;
    left = entry.size_bytes;
    file = std::move(opened);
    return true;
  }

  result<bool> put_header(const std::string& path, const work_entry& what, unsigned kind) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, path.c_str());
    archive_entry_set_filetype(entry, kind);
    archive_entry_set_perm(entry, kind == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(what.size_bytes));
    archive_entry_set_mtime(entry, what.modified_ms / 1000, 0);
    const bool good = archive_write_header(archive, entry) == ARCHIVE_OK;
    archive_entry_free(entry);
    return good ? result<bool>(true) : failed();
  }

  // What was announced is what must come: a file that became shorter ends the archive.
  result<bool> add_piece() {
    if (left == 0) {
      file = work_file{};
      return true;
    }
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_bytes)), '\0');
    const auto got = ::read(file.handle.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return error(codes::storage_unavailable, "a file changed while it was read");
    if (archive_write_data(archive, bytes.data(), static_cast<std::size_t>(got)) != got)
      return failed();
    left -= static_cast<std::uint64_t>(got);
    return true;
  }

  struct archive* archive;
  std::vector<level> levels;
  work_file file;
  std::uint64_t left = 0;  // of the open file
  std::string out;
  bool end = false;
};

folder_zip::folder_zip(work_handle folder) : impl_(std::make_unique<impl>(std::move(folder))) {}
folder_zip::~folder_zip() = default;

result<std::string> folder_zip::next() {
  const utf8_locale names_are_utf8;
  while (!impl_->end && impl_->out.size() < piece_bytes) {
    auto more = impl_->step();
    if (!more) return more.error();
    impl_->end = !*more;
  }
  return std::exchange(impl_->out, {});
}

}  // namespace soma::files
