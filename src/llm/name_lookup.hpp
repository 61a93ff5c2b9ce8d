// Looks up names of hosts on threads of its own, since that blocks for as long as nobody answers
// for a name: one look-up of a tenant's name at a time, and of one tenant no more than its share,
// so that a name that is not answered for keeps no other tenant's waiting.
//
// Thread-safe. The destructor waits for look-ups that are under way; of those that wait nobody is
// told.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/may_block.hpp"
#include "llm/provider_limits.hpp"

namespace soma::llm {

struct found_addresses {
  boost::system::error_code failed;
  std::vector<boost::asio::ip::address> all;
};

class name_lookups {
 public:
  using resolver = std::function<found_addresses(const std::string& host)>;
  using on_found = std::function<void(const found_addresses&)>;

  explicit name_lookups(resolver find = by_the_system, std::size_t threads = limits::lookup_threads,
                        std::size_t a_tenant = limits::lookups_of_a_tenant);
  ~name_lookups();

  // `told` is called once, on a thread of this.
  void find(const std::string& tenant, const std::string& host, on_found told);

  static found_addresses by_the_system(const std::string& host);

 private:
  struct look_up {
    std::string tenant, host;
    std::vector<on_found> told;
    bool running = false;
  };
  using place = std::list<look_up>::iterator;
  void begin_some();  // with the lock
  void run(place at);

  const resolver find_;
  const std::size_t threads_, a_tenant_;
  quick_mutex mutex_;
  std::list<look_up> wanted_;                   // in the order in which they were asked for
  std::map<std::string, std::size_t> running_;  // of each tenant
  std::size_t all_running_ = 0;
  std::optional<boost::asio::thread_pool> pool_;  // from the first look-up on
};

}  // namespace soma::llm
