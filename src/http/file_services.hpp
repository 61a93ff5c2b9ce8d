// What the routes of files stand on, one a process. Thread-safe; outlives the server.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string_view>

#include "files/attachment_store.hpp"
#include "http/reader_pool.hpp"
#include "http/request_context.hpp"
#include "tools/work_folder.hpp"

namespace soma::http {

struct file_services {
  files::attachment_store& attachments;
  tools::work_folders& folders;
  reader_pool& pool;  // threads of their own: a scan or a large file must not keep streams waiting
  std::size_t uploads_max = 32;
  std::atomic<std::size_t> uploads{0};  // bodies on their way to the disk
};

// Holds a place among the bodies on their way; false where all are taken.
class upload_place {
 public:
  explicit upload_place(file_services& all)
      : all_(all), held_(all.uploads.fetch_add(1) < all.uploads_max) {}
  ~upload_place() { all_.uploads.fetch_sub(1); }
  upload_place(const upload_place&) = delete;
  explicit operator bool() const { return held_; }

 private:
  file_services& all_;
  const bool held_;
};

// Hands a streamed body on in pieces, on the pool; stops at the first that is refused.
asio::awaitable<result<void>> each_piece(file_services& f, request_context& ctx,
                                         std::function<result<void>(std::string_view)> take);

}  // namespace soma::http
