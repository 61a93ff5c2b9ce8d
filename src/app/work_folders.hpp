// Use cases of work folders: the one of a session, and the one that a tenant's sessions share. Each
// runs on its caller's io thread.
//
// Errors: session.not_found, workdir.*, server.busy where many uploads are under way, upload.empty
// and upload.malformed of a form, storage.full, storage.unavailable.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/piece_source.hpp"
#include "app/pipeline.hpp"
#include "app/uploads.hpp"
#include "files/work_folder.hpp"

namespace soma::app {

class services;

// Whose folder is meant, and what in it; without a session the tenant's.
struct work_place {
  session_id session;
  std::string path;  // relative; "" is the folder itself
};

struct work_listing {
  files::work_list found;
  std::uint64_t used_bytes = 0, bytes_max = 0;
};
boost::asio::awaitable<result<work_listing>> list_work_folder(services& s, const caller& who,
                                                              work_place place);

inline constexpr std::uint64_t work_read_bytes_max = 1024 * 1024;

struct work_text {
  std::string bytes;             // does not end within a character, unless it holds no whole one
  std::uint64_t size_bytes = 0;  // of the file
  bool more = false;
};
boost::asio::awaitable<result<work_text>> read_work_file(services& s, const caller& who,
                                                         work_place place, std::uint64_t offset,
                                                         std::uint64_t bytes_max);

struct work_download {
  opened_file file;                       // of a file
  std::shared_ptr<piece_source> archive;  // a zip archive of a folder; else null
  std::string name;                       // to save it under, without ".zip"
};
boost::asio::awaitable<result<work_download>> open_work_download(services& s, const caller& who,
                                                                 work_place place);

struct written_file {
  std::string path;
  std::uint64_t size_bytes = 0;
};
boost::asio::awaitable<result<written_file>> write_work_file(services& s, const admitted& in,
                                                             work_place place, body_source* body);
// Puts every file of a form into one folder, under its own name, as soon as it is whole.
boost::asio::awaitable<result<std::vector<written_file>>> upload_to_work_folder(services& s,
                                                                                const admitted& in,
                                                                                work_place place,
                                                                                file_form form);

boost::asio::awaitable<result<void>> move_work_file(services& s, const admitted& in,
                                                    work_place from, std::string to);
boost::asio::awaitable<result<void>> make_work_folder(services& s, const admitted& in,
                                                      work_place place);
boost::asio::awaitable<result<void>> delete_work_file(services& s, const admitted& in,
                                                      work_place place);

}  // namespace soma::app
