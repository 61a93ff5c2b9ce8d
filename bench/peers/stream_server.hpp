// What the streaming scenarios need of a server: channels that many read as server-sent events and
// some publish to. One implementation a system, so that all systems meet the very same clients.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "options.hpp"
#include "process.hpp"
#include "sse_frame.hpp"

namespace soma::bench {

class stream_server {
 public:
  virtual ~stream_server() = default;

  virtual std::string name() const = 0;
  virtual std::uint16_t port() const = 0;
  virtual child_process& process() = 0;
  virtual id_form ids() const = 0;

  virtual std::string new_channel() = 0;
  // Whole request texts: a stream of what is published from now on; publishing one JSON value.
  virtual std::string subscribe_request(const std::string& channel) const = 0;
  virtual std::string publish_request(const std::string& channel,
                                      const std::string& json) const = 0;
};

// Starts nginx with nchan as a stream_server, on a free port with its files under `folder`.
// Returns nothing when the packages are not installed. One worker process, as one core is what a
// server gets beside the clients.
std::unique_ptr<stream_server> start_nchan(const std::filesystem::path& folder);
bool nchan_installed();

// A JSON object of exactly `size` bytes (at least 40) that carries `stamp_ns`.
std::string stamped_payload(std::int64_t stamp_ns, std::size_t size);
// The stamp inside an event's data; -1 when there is none.
std::int64_t stamp_of(std::string_view data);

}  // namespace soma::bench
