#include "backup/manifest.hpp"

#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/utf8.hpp"
#include "files/content_files.hpp"

namespace soma::backup {
namespace {

constexpr std::string_view parts[] = {"store/", "attachments/", "work/", "audit/"};

error failed(const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {full ? codes::storage_full : codes::storage_unavailable,
          path + ": " + std::strerror(errno)};
}

error damaged(const std::string& path, const std::string& why) {
  return {codes::storage_corrupt, path + ": " + why};
}

// Names of files are bytes, and those of JSON are text.
void write_text(json_writer& w, std::string_view name, std::string_view value) {
  // What JSON would write in many more bytes is text no more.
  const bool plain = std::none_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7f;
  });
  if (plain && utf8_valid(value))
    w.field(name, value);
  else
    w.field(std::string(name) + "_base64url", security::base64url(value));
}

bool read_text(simdjson::dom::object from, std::string_view name, std::string& out) {
  std::string_view text;
  if (from[name].get(text) == simdjson::SUCCESS) return out = text, true;
  if (from[std::string(name) + "_base64url"].get(text) != simdjson::SUCCESS) return false;
  auto bytes = security::parse_base64url(text);
  if (bytes) out = std::move(*bytes);
  return bytes.has_value();
}

std::uint64_t number(simdjson::dom::object from, std::string_view name) {
  std::uint64_t value = 0;
  return from[name].get(value) == simdjson::SUCCESS ? value : 0;
}

bool read_entry(simdjson::dom::object from, entry& out) {
  std::string_view key;
  if (from["key"].get(key) == simdjson::SUCCESS) {
    if (!is_key_name(key)) return false;
    out.what = entry::kind::key;
    out.path = key;
  } else if (!read_text(from, "path", out.path) || !is_entry_path(out.path)) {
    return false;
  }
  bool folder = false;
  if (out.what != entry::kind::key && from["folder"].get(folder) == simdjson::SUCCESS && folder)
    return out.what = entry::kind::folder, true;
  if (out.what != entry::kind::key && read_text(from, "link", out.target))
    return out.what = entry::kind::link, !out.target.empty();
  std::string_view sha256;
  if (from["sha256"].get(sha256) != simdjson::SUCCESS || !files::is_sha256(sha256)) return false;
  out.sha256 = sha256;
  out.size = number(from, "size");
  out.mode = static_cast<unsigned>(number(from, "mode")) & 0777u;
  std::int64_t mtime = 0;
  if (from["mtime_ns"].get(mtime) == simdjson::SUCCESS) out.mtime_ns = mtime;
  return true;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == name.npos;
}

}  // namespace

bool is_entry_path(std::string_view path) {
  const bool known = std::any_of(std::begin(parts), std::end(parts), [&](std::string_view part) {
    return path.substr(0, part.size()) == part;
  });
  if (!known) return false;
  for (;;) {
    const auto slash = path.find('/');
    if (!is_plain_name(path.substr(0, slash))) return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_key_name(std::string_view name) {
  constexpr std::size_t name_max = 64;
  return is_plain_name(name) && name.size() <= name_max && name.find('/') == name.npos;
}

bool is_backup_id(std::string_view text) {
  if (text.size() != 19 || text[8] != 'T' || text[18] != 'Z') return false;
  for (std::size_t i = 0; i < 18; ++i)
    if (i != 8 && (text[i] < '0' || text[i] > '9')) return false;
  return true;
}

std::string backup_id_of(std::int64_t at_ms) {
  std::string id;
  for (const char c : format_rfc3339(at_ms))
    if (c != '-' && c != ':' && c != '.') id += c;
  return id;
}

result<manifest_writer> manifest_writer::begin(const std::string& path, const backup_info& head) {
  manifest_writer made;
  made.path_ = path;
  made.info_ = head;
  made.file_.reset(std::fopen(path.c_str(), "wxe"));
  if (!made.file_) return failed(path);
  std::string text;
  json_writer w(text);
  w.begin_object().field("format", std::uint64_t{manifest_format}).field("id", head.id);
  w.field("made_at", format_rfc3339(head.made_at_ms)).field("version", head.version);
  w.field("note",
          "providers' secrets in it are encrypted under GATEWAY_ENC_KEY, which is not in it: "
          "without that key they cannot be read");
  w.end_object();
  if (auto written = made.line(text); !written) return written.error();
  return made;
}

result<void> manifest_writer::line(const std::string& text) {
  const auto whole = text + "\n";
  hash_.update(whole);
  if (std::fwrite(whole.data(), 1, whole.size(), file_.get()) != whole.size()) return failed(path_);
  return {};
}

result<void> manifest_writer::add(const entry& one) {
  std::string text;
  json_writer w(text);
  w.begin_object();
  if (one.what == entry::kind::key)
    w.field("key", one.path);
  else
    write_text(w, "path", one.path);
  switch (one.what) {
    case entry::kind::folder: w.field_bool("folder", true); break;
    case entry::kind::link: write_text(w, "link", one.target); break;
    case entry::kind::key: w.field("size", one.size).field("sha256", one.sha256); break;
    case entry::kind::file:
      w.field("size", one.size).field("sha256", one.sha256);
      if (one.mode != 0) w.field("mode", std::uint64_t{one.mode});
      if (one.mtime_ns > 0) w.field("mtime_ns", static_cast<std::uint64_t>(one.mtime_ns));
      ++info_.files;
      info_.bytes += one.size;
  }
  w.end_object();
  if (text.size() > manifest_line_max)
    return error(codes::storage_unavailable, "a path is too long to be backed up");
  return line(text);
}

result<void> manifest_writer::finish(std::uint64_t new_bytes) {
  info_.new_bytes = new_bytes;
  std::string text;
  json_writer w(text);
  w.begin_object().field("files", info_.files).field("bytes", info_.bytes);
  w.field("new_bytes", new_bytes)
      .field("sha256", security::hex(security::bytes_of(hash_.finish())));
  w.end_object();
  text += '\n';
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
      std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0)
    return failed(path_);
  file_.reset();
  return {};
}

namespace {

// Line by line, of which none is longer than one may be.
class line_reader {
 public:
  explicit line_reader(std::FILE* from) : from_(from), buffer_(manifest_line_max + 2) {}
  // False at the end, or where a line is too long: then `too_long` says so.
  bool next(std::string_view& out) {
    if (!std::fgets(buffer_.data(), static_cast<int>(buffer_.size()), from_)) return false;
    out = std::string_view(buffer_.data());
    too_long = out.empty() || out.back() != '\n';
    return !too_long;
  }
  bool too_long = false;

 private:
  std::FILE* from_;
  std::vector<char> buffer_;
};

}  // namespace

result<backup_info> read_manifest(const std::string& path,
                                  const std::function<result<void>(const entry&)>& visit) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (!file) return failed(path);
  backup_info info;
  std::uint64_t counted = 0, bytes = 0;
  security::sha256_stream hash;
  simdjson::dom::parser parser;
  line_reader lines(file.get());
  std::string_view text;
  for (std::uint64_t n = 1; lines.next(text); ++n) {
    const auto where = path + ", line " + std::to_string(n);
    simdjson::dom::object line;
    const simdjson::padded_string padded(text);
    if (parser.parse(padded).get(line) != simdjson::SUCCESS) return damaged(where, "no JSON");
    std::string_view value;
    if (n == 1) {
      if (const auto format = number(line, "format"); format != manifest_format)
        return error(codes::storage_format,
                     where + ": format " + std::to_string(format) + " is not known here");
      if (line["id"].get(value) == simdjson::SUCCESS) info.id = value;
      if (line["version"].get(value) == simdjson::SUCCESS) info.version = value;
      if (line["made_at"].get(value) != simdjson::SUCCESS || !is_backup_id(info.id))
        return damaged(where, "it does not say what it is of");
      info.made_at_ms = parse_rfc3339(value);
    } else if (line["files"].error() == simdjson::SUCCESS) {
      const auto is = security::hex(security::bytes_of(hash.finish()));
      if (line["sha256"].get(value) != simdjson::SUCCESS || value != is)
        return damaged(path, "it is not what was written");
      info.files = number(line, "files");
      info.bytes = number(line, "bytes");
      info.new_bytes = number(line, "new_bytes");
      if (info.files != counted || info.bytes != bytes || lines.next(text))
        return damaged(path, "it is not what was written");
      return info;
    } else {
      entry one;
      if (!read_entry(line, one)) return damaged(where, "no file, folder or link");
      if (one.what == entry::kind::file) {
        ++counted;
        bytes += one.size;
      }
      if (visit)
        if (auto seen = visit(one); !seen) return seen.error();
    }
    hash.update(text);
  }
  return damaged(path, lines.too_long ? "a line is too long" : "it ends before its end");
}

result<backup_info> read_manifest_ends(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (!file) return failed(path);
  line_reader lines(file.get());
  std::string_view text;
  if (!lines.next(text)) return damaged(path, "it ends before its end");
  const std::string first(text);
  // The last line is short; what stands before it in these bytes is skipped.
  constexpr long last_bytes = 1024;
  std::fseek(file.get(), 0, SEEK_END);
  const long size = std::ftell(file.get());
  std::fseek(file.get(), std::max(size - last_bytes, 0L), SEEK_SET);
  std::string last;
  while (lines.next(text)) last = text;
  backup_info info;
  simdjson::dom::parser parser;
  simdjson::dom::object line;
  std::string_view value;
  const simdjson::padded_string head(first), end(last);
  if (parser.parse(head).get(line) != simdjson::SUCCESS ||
      line["id"].get(value) != simdjson::SUCCESS || !is_backup_id(value))
    return damaged(path, "it does not say what it is of");
  info.id = value;
  if (line["version"].get(value) == simdjson::SUCCESS) info.version = value;
  if (line["made_at"].get(value) == simdjson::SUCCESS) info.made_at_ms = parse_rfc3339(value);
  if (parser.parse(end).get(line) != simdjson::SUCCESS ||
      line["files"].error() != simdjson::SUCCESS)
    return damaged(path, "it ends before its end");
  info.files = number(line, "files");
  info.bytes = number(line, "bytes");
  info.new_bytes = number(line, "new_bytes");
  return info;
}

}  // namespace soma::backup
