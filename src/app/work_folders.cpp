#include "app/work_folders.hpp"

#include <unistd.h>

#include <optional>

#include "app/file_services.hpp"
#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "core/utf8.hpp"
#include "files/file_type.hpp"
#include "files/folder_zip.hpp"
#include "files/multipart_parser.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
using files::work_folders;

constexpr std::size_t entries_max = 1000;  // of one listing
constexpr std::size_t upload_parts_max = 64;

struct target {
  session_key whose;
  std::string path;
};

// A folder belongs to a session that is there.
asio::awaitable<result<target>> target_of(services& s, const caller& who, work_place place) {
  target t{{who.tenant, std::move(place.session)}, std::move(place.path)};
  if (!t.whose.session.empty()) {
    auto head = co_await s.head(t.whose);
    if (!head) co_return head.error();
  }
  co_return t;
}

error many_uploads() {
  return {codes::server_busy, "many uploads are under way", 5};
}

// ---- download ----

class zip_archive final : public piece_source {
 public:
  zip_archive(lane& reads, files::work_handle folder)
      : reads_(reads), zip_(std::make_shared<files::folder_zip>(std::move(folder))) {}

  asio::awaitable<result<std::string>> next() override {
    auto piece = [zip = zip_] { return zip->next(); };
    co_return co_await on_lane(reads_, piece);
  }

 private:
  lane& reads_;
  std::shared_ptr<files::folder_zip> zip_;
};

opened_file opened(files::work_file file, std::string name) {
  std::string beginning(files::type_bytes_max, '\0');
  const auto got = ::pread(file.handle.get(), beginning.data(), beginning.size(), 0);
  beginning.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  opened_file out;
  out.size_bytes = file.size_bytes;
  out.version = std::to_string(file.modified_ms) + '-' + std::to_string(file.size_bytes);
  out.version_exact = false;
  out.content_type = files::file_type_of(beginning);
  out.filename = std::move(name);
  out.file = std::make_shared<files::open_file>(file.handle.release());
  return out;
}

result<work_download> open_download(work_folders& folders, lane& reads, const target& t) {
  work_download download;
  download.name = t.path.substr(t.path.rfind('/') + 1);
  if (!t.path.empty()) {
    auto file = folders.open_file(t.whose, t.path);
    if (file) {
      download.file = opened(std::move(*file), download.name);
      download.file.reads = &reads;
      return download;
    }
    if (file.error().code != codes::workdir_wrong_kind) return file.error();
  }
  auto folder = folders.open_folder(t.whose, t.path);
  if (!folder) return folder.error();
  if (download.name.empty())
    download.name = t.whose.session.empty() ? std::string("work") : t.whose.session.value;
  download.archive = std::make_shared<zip_archive>(reads, std::move(*folder));
  return download;
}

// ---- write, upload ----

class folder_upload final : public files::part_sink {
 public:
  folder_upload(work_folders& folders, target to, std::string_view boundary)
      : folders_(folders), to_(std::move(to)), parser_(boundary, upload_parts_max) {}

  result<void> feed(std::string_view bytes) { return parser_.feed(bytes, *this); }
  result<std::vector<written_file>> finish() {
    if (auto whole = parser_.finish(); !whole) return whole.error();
    if (made_.empty()) return error(codes::upload_empty, "no part of the body is a file");
    return std::move(made_);
  }

  result<void> on_part(const files::part_head& head) override {
    if (!head.filename) return {};
    auto spool = folders_.begin();
    if (!spool) return spool.error();
    spool_.emplace(std::move(*spool));
    path_ =
        (to_.path.empty() ? std::string() : to_.path + '/') + files::safe_filename(*head.filename);
    return {};
  }
  result<void> on_bytes(std::string_view bytes) override {
    return spool_ ? folders_.add(*spool_, bytes) : result<void>();
  }
  result<void> on_end() override {
    if (!spool_) return {};
    written_file made{path_, spool_->size_bytes()};
    auto put = folders_.put(to_.whose, path_, std::move(*spool_));
    spool_.reset();
    if (put) made_.push_back(std::move(made));
    return put;
  }

 private:
  work_folders& folders_;
  const target to_;
  files::multipart_parser parser_;
  std::optional<files::work_spool> spool_;
  std::string path_;
  std::vector<written_file> made_;
};

}  // namespace

asio::awaitable<result<work_listing>> list_work_folder(services& s, const caller& who,
                                                       work_place place) {
  auto t = co_await target_of(s, who, std::move(place));
  if (!t) co_return t.error();
  auto look = [&folders = s.files.folders, t = *t]() -> result<work_listing> {
    auto found = folders.list(t.whose, t.path, entries_max);
    if (!found) return found.error();
    auto used = folders.used(t.whose);
    if (!used) return used.error();
    return work_listing{std::move(*found), used->bytes, folders.limits().bytes_max};
  };
  co_return co_await on_lane(s.files.reads, look);
}

asio::awaitable<result<work_text>> read_work_file(services& s, const caller& who, work_place place,
                                                  std::uint64_t offset, std::uint64_t bytes_max) {
  auto t = co_await target_of(s, who, std::move(place));
  if (!t) co_return t.error();
  const auto most = static_cast<std::size_t>(std::min(bytes_max, work_read_bytes_max));
  auto read = [&folders = s.files.folders, t = *t, offset, most]() -> result<work_text> {
    auto piece = folders.read(t.whose, t.path, offset, most);
    if (!piece) return piece.error();
    work_text text;
    text.bytes = std::move(piece->bytes);
    text.size_bytes = piece->size_bytes;
    text.more = offset + text.bytes.size() < text.size_bytes;
    const auto whole = utf8_complete_prefix(text.bytes);
    if (text.more && whole > 0) text.bytes.resize(whole);
    return text;
  };
  co_return co_await on_lane(s.files.reads, read);
}

asio::awaitable<result<work_download>> open_work_download(services& s, const caller& who,
                                                          work_place place) {
  auto t = co_await target_of(s, who, std::move(place));
  if (!t) co_return t.error();
  auto open = [&folders = s.files.folders, &reads = s.files.reads, t = *t] {
    return open_download(folders, reads, t);
  };
  co_return co_await on_lane(s.files.reads, open);
}

asio::awaitable<result<written_file>> write_work_file(services& s, const admitted& in,
                                                      work_place place, body_source* body) {
  auto& f = s.files;
  auto t = co_await target_of(s, in.who(), std::move(place));
  if (!t) co_return t.error();
  const upload_place held(f, in.who());
  if (!held) co_return many_uploads();
  auto work = std::make_shared<std::optional<files::work_spool>>();
  auto& folders = f.folders;
  auto begin = [work, &folders]() -> result<void> {
    auto spool = folders.begin();
    if (!spool) return spool.error();
    work->emplace(std::move(*spool));
    return {};
  };
  const auto turn = turn_of(in.who().tenant);
  auto done = co_await on_lane(f.pool, turn, begin);
  std::function<result<void>(std::string_view)> take = [work, &folders](std::string_view bytes) {
    return folders.add(**work, bytes);
  };
  if (done) done = co_await each_piece(f.pool, turn, body, take);
  auto put = [work, &folders, t = *t, done]() -> result<written_file> {
    auto spool = std::exchange(*work, std::nullopt);
    if (!done) return done.error();
    written_file made{t.path, spool->size_bytes()};
    auto kept = folders.put(t.whose, t.path, std::move(*spool));
    if (!kept) return kept.error();
    return made;
  };
  co_return co_await on_lane(f.pool, put);
}

asio::awaitable<result<std::vector<written_file>>> upload_to_work_folder(services& s,
                                                                         const admitted& in,
                                                                         work_place place,
                                                                         file_form form) {
  auto& f = s.files;
  auto t = co_await target_of(s, in.who(), std::move(place));
  if (!t) co_return t.error();
  const upload_place held(f, in.who());
  if (!held) co_return many_uploads();
  auto work = std::make_shared<folder_upload>(f.folders, std::move(*t), form.boundary);
  std::function<result<void>(std::string_view)> take = [work](std::string_view bytes) {
    return work->feed(bytes);
  };
  const auto turn = turn_of(in.who().tenant);
  auto taken = co_await each_piece(f.pool, turn, form.body, take);
  auto end = [work, taken]() -> result<std::vector<written_file>> {
    if (!taken) return taken.error();
    return work->finish();
  };
  auto made = co_await on_lane(f.pool, end);
  take = nullptr;
  f.pool.post([work = std::move(work)] {});  // what it holds is removed from the disk there
  co_return made;
}

asio::awaitable<result<void>> move_work_file(services& s, const admitted& in, work_place from,
                                             std::string to) {
  auto t = co_await target_of(s, in.who(), std::move(from));
  if (!t) co_return t.error();
  auto move = [&folders = s.files.folders, t = *t, to = std::move(to)] {
    return folders.move(t.whose, t.path, to);
  };
  co_return co_await on_lane(s.files.pool, move);
}

asio::awaitable<result<void>> make_work_folder(services& s, const admitted& in, work_place place) {
  auto t = co_await target_of(s, in.who(), std::move(place));
  if (!t) co_return t.error();
  auto make = [&folders = s.files.folders, t = *t] { return folders.make_folder(t.whose, t.path); };
  co_return co_await on_lane(s.files.pool, make);
}

asio::awaitable<result<void>> delete_work_file(services& s, const admitted& in, work_place place) {
  auto t = co_await target_of(s, in.who(), std::move(place));
  if (!t) co_return t.error();
  auto remove = [&folders = s.files.folders, t = *t] { return folders.remove(t.whose, t.path); };
  co_return co_await on_lane(s.files.pool, remove);
}

}  // namespace soma::app
