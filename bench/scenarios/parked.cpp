// What a reader costs while nothing happens: growth of the server's memory from before to after
// they came, a fresh server each round so that no round inherits the memory another gave back.
#include "clock.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

constexpr std::size_t warm_up_readers = 64;  // so that code and pools are in memory before

void park(const options& o, stream_server& server, report& r) {
  event_loop loop;
  const auto settle = [&] { loop.run_until(to_ns(o.quick ? 0.2 : 1.5), [] { return false; }); };
  const auto request = server.subscribe_request(server.new_channel());
  {
    sse_crowd early(loop, server.port(), request, server.ids());
    early.open(warm_up_readers, 20 * ns_per_s);
  }
  settle();
  const auto before = server.process().memory();
  sse_crowd crowd(loop, server.port(), request, server.ids());
  const auto begin = now_ns();
  crowd.open(o.parked_readers, 120 * ns_per_s);
  const auto seconds = static_cast<double>(now_ns() - begin) / ns_per_s;
  settle();
  const auto after = server.process().memory();
  const auto readers = static_cast<double>(o.parked_readers);
  const auto add = [&](const char* metric, const char* unit, double value) {
    r.add({"parked", with_commas(o.parked_readers) + " idle readers", metric, unit}, server.name(),
          value);
  };
  add("PSS growth a reader", "bytes", (after.pss_bytes - before.pss_bytes) / readers);
  add("RSS growth a reader", "bytes", (after.rss_bytes - before.rss_bytes) / readers);
  add("PSS with all readers", "MB", after.pss_bytes / 1e6);
  add("readers taken up", "readers/s", readers / seconds);
  r.add_check("parked, " + server.name() + ": streams lost", crowd.group().failed,
              crowd.group().first_failure);
}

}  // namespace

void run_parked(const options& o, report& r) {
  for (std::size_t round = 0; round < o.rounds; ++round) {
    scratch_folder scratch(o.work_dir);
    const auto systems = start_stream_servers(o, scratch.path());
    for (auto* server : in_order_of_round(systems, round)) park(o, *server, r);
  }
  if (!o.with_soma) return;
  const auto load = with_commas(o.parked_readers) + " idle readers";
  r.add_target({"memory of a parked reader at " + with_commas(o.parked_readers),
                r.median({"parked", load, "PSS growth a reader", "bytes"}, "soma"), bound::at_most,
                2048, "bytes"});
}

}  // namespace soma::bench
