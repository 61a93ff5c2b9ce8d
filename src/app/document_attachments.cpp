#include "app/document_attachments.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"

namespace soma::app {
namespace {

namespace json = boost::json;

constexpr std::string_view head_prefix = "{\"attachment\":",
                           bytes_prefix = "{\"attachment_bytes\":";

error invalid(std::string why) {
  return {codes::import_invalid, std::move(why)};
}

result<attachment_head> head_of(const json::object& o) {
  attachment_head head{text_of(o, "id"), text_of(o, "filename"), text_of(o, "content_type"),
                       text_of(o, "sha256"), 0};
  const auto* size = o.if_contains("size_bytes");
  if (!is_uuid(head.id) || !files::is_sha256(head.sha256) || !size || !size->is_int64() ||
      size->get_int64() < 0)
    return invalid("an attachment has no valid id, size or hash");
  head.size_bytes = static_cast<std::uint64_t>(size->get_int64());
  return head;
}

}  // namespace

std::string attachment_line(const files::stored_attachment& a) {
  std::string line;
  json_writer w(line);
  w.begin_object().key("attachment").begin_object().field("id", a.id);
  w.field("filename", a.filename).field("content_type", a.content_type);
  w.field("size_bytes", a.size_bytes).field("sha256", a.sha256).end_object().end_object();
  return line;
}

std::string attachment_bytes_line(std::string_view bytes) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("attachment_bytes", security::base64url(bytes)).end_object();
  return line;
}

bool is_attachment_line(std::string_view line) {
  return line.starts_with(head_prefix) || line.starts_with(bytes_prefix);
}

result<attachment_part> parse_attachment_line(std::string_view line) {
  boost::system::error_code ec;
  const auto value = json::parse({line.data(), line.size()}, ec);
  const auto* o = ec ? nullptr : value.if_object();
  if (!o || o->size() != 1) return invalid("the line is no attachment");
  attachment_part part;
  if (const auto* head = o->if_contains("attachment")) {
    if (!head->is_object()) return invalid("the line is no attachment");
    auto read = head_of(head->get_object());
    if (!read) return read.error();
    part.head = std::move(*read);
    return part;
  }
  auto bytes = security::parse_base64url(text_of(*o, "attachment_bytes"));
  if (!bytes || bytes->empty()) return invalid("the bytes of an attachment cannot be read");
  part.bytes = std::move(*bytes);
  return part;
}

result<void> attachment_check::take(std::string_view line) {
  auto part = parse_attachment_line(line);
  if (!part) return part.error();
  if (part->head) {
    if (auto whole = finish(); !whole) return whole;
    if (++count_ > document_attachments_max)
      return invalid("the document brings more than 100000 attachments");
    open_ = std::move(part->head);
    hash_.emplace();
    return {};
  }
  if (!open_) return invalid("bytes of no attachment");
  bytes_ += part->bytes.size();
  if (bytes_ > open_->size_bytes) return invalid("an attachment has more bytes than it says");
  hash_->update(part->bytes);
  return {};
}

result<void> attachment_check::finish() {
  if (!open_) return {};
  const bool whole = bytes_ == open_->size_bytes &&
                     security::hex(security::bytes_of(hash_->finish())) == open_->sha256;
  open_.reset();
  hash_.reset();
  bytes_ = 0;
  return whole ? result<void>() : invalid("an attachment is not what its hash says");
}

result<void> attachment_restorer::take(std::string_view line) {
  auto part = parse_attachment_line(line);
  if (!part) return part.error();
  if (!part->head) return file_ ? store_.append(*file_, part->bytes) : result<void>();
  if (auto whole = finish(); !whole) return whole;
  head_ = std::move(*part->head);
  auto had = store_.get(maker_.tenant, head_.id);
  if (!had) return had.error();
  // Whoever brings the bytes has them.
  if (!*had || (*had)->sha256 == head_.sha256) brought_.insert(head_.id);
  if (*had) return {};
  auto file = store_.begin(maker_.tenant);
  if (!file) return file.error();
  file_.emplace(std::move(*file));
  return {};
}

result<void> attachment_restorer::finish() {
  if (!file_) return {};
  auto file = std::move(*file_);
  file_.reset();
  files::origin_of_file from{maker_.tenant, maker_.user_id, head_.filename, head_.content_type};
  from.id = head_.id;
  auto added = store_.add(std::move(file), from);
  return added ? result<void>() : result<void>(added.error());
}

result<bool> attachment_restorer::may_be_named(std::string_view id) const {
  if (brought_.contains(id)) return true;
  auto there = store_.get(maker_.tenant, id);
  if (!there) return there.error();
  if (!*there) return false;
  return store_.may_see(maker_, **there);
}

}  // namespace soma::app
