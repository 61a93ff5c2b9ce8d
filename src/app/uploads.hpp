// Use cases of attachments: files are taken in, found by their hash, read, deleted. See
// docs/decisions/0091-attachments-by-hash-with-counted-uses.md. Each runs on its caller's io
// thread.
//
// Errors: server.busy where many uploads are under way, upload.*, attachment.*, those of the store
// and of the idempotency gate.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "app/body_source.hpp"
#include "app/once.hpp"
#include "app/opened_file.hpp"
#include "app/pipeline.hpp"

namespace soma::app {

class services;

struct attachment {
  std::string id, filename, sha256, content_type;
  std::uint64_t size_bytes = 0;
  std::string status;  // clean, pending, quarantined
};

// Files as multipart/form-data (RFC 7578), the format of a form whatever carries it: each part with
// a filename is one.
struct file_form {
  body_source* body = nullptr;
  std::string boundary;
};

// Gives the files in their order. Where the body fails, those that came whole before are kept as
// nobody's. With a key they become attachments together, in one atom with the answer that is kept
// for it; without, each does as soon as it is whole.
boost::asio::awaitable<result<answered<std::vector<attachment>>>> take_upload(services& s,
                                                                              const admitted& in,
                                                                              once_key key,
                                                                              file_form form);

struct claimed_file {
  std::string sha256, filename;  // may be empty: as it was called before
};
struct known_files {
  std::vector<attachment> files;     // new ones, over bytes that this tenant has sent before
  std::vector<std::string> missing;  // hashes
};
boost::asio::awaitable<result<answered<known_files>>> find_known_files(
    services& s, const admitted& in, once_key key, std::vector<claimed_file> claims);

boost::asio::awaitable<result<opened_file>> open_attachment(services& s, const caller& who,
                                                            std::string id);

boost::asio::awaitable<result<void>> delete_attachment(services& s, const admitted& in,
                                                       std::string id);

}  // namespace soma::app
