#include "scenarios/filled_session.hpp"

#include <stdexcept>

#include "clock.hpp"
#include "request_load.hpp"
#include "scenarios/systems.hpp"

namespace soma::bench {
namespace {
constexpr std::size_t writers = 64;
}

void fill_session(const options& o, const soma_server& soma, const std::string& session,
                  std::size_t events) {
  event_loop loop;
  std::size_t sent = 0;
  request_load load(loop, {soma.port(), writers},
                    [&](std::size_t, std::int64_t now, std::string& out) {
                      if (sent == events) return request_load::nothing;
                      ++sent;
                      out += soma.publish_request(session, stamped_payload(now, o.payload_bytes));
                      return now;
                    });
  loop.run(120 * ns_per_s, [&](std::int64_t now) {
    load.pump(now);
    return load.acks() + load.errors() >= events ? event_loop::stop : now + ns_per_ms;
  });
  if (load.acks() != events) {
    throw std::runtime_error("the session was not filled: " + load.first_error());
  }
}

}  // namespace soma::bench
